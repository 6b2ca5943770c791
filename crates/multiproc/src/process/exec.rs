//! Spawn: the executable, started afresh.
//!
//! The child finds a socket at descriptor 0, over which it is told what to
//! do. Handing it over as standard input needs no descriptor that is
//! inheritable for a moment, hence cannot leak into a process that another
//! thread starts in that moment, and lets the standard library use its
//! quickest way (`posix_spawn`), which does not copy page tables.

use std::{
    ffi::OsString,
    io,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    Birth, Order,
    launcher::on_permanent_thread,
    line::Line,
    supervised::{Supervised, kill_and_reap},
};
use crate::{Error, ParentEnd, Result, StartMethod, bootstrap};

/// Set in the environment of an executed child until it has seen it.
pub(crate) const CHILD_VARIABLE: &str = "MULTIPROC_CHILD";

/// Where an executed child leaves the program's normal course.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doorway {
    /// In `multiproc::init()`, with the standard library set up by `main`.
    Init,
    /// Before `main`, where `main` is not the user's (`cargo test`) and so
    /// cannot call `init`.
    BeforeMain,
}

impl Doorway {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::BeforeMain => "before-main",
        }
    }
}

pub(super) fn start(order: Order) -> Result<Supervised> {
    let Order { biography, entry, inheritance, has_line, patience } = order;
    let method = biography.start_method.unwrap_or(StartMethod::Spawn);
    let refused = |source| Error::Start { method, source };
    let (process, line) = execute(&biography.name).map_err(refused)?;
    let birth = Birth { keeps_line: has_line, ..Birth::new(biography, entry, inheritance) };
    let begun = Instant::now();
    let told = tell(&birth, line.socket(), patience);
    let process = process.executed(line, begun, patience);
    match told {
        Ok(()) => Ok(process),
        // It has ended already, and not for want of being told: that is for
        // whoever waits for it to see.
        Err(error) if is_hung_up(&error) => Ok(process),
        // It has not listened for as long as it may take to begin.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            process.await_begin().map(|()| process)
        }
        Err(error) => {
            kill_and_reap(process.pid());
            Err(refused(error))
        }
    }
}

fn execute(name: &str) -> io::Result<(Supervised, Line)> {
    let (ours, theirs) = UnixStream::pair()?;
    let line = Line::to_executed(ParentEnd::new(ours));
    let mut command = command(name, theirs);
    let pid = on_permanent_thread(move || spawn(&mut command))?;
    Ok((Supervised::new(name, pid)?, line))
}

/// What is longer than the socket's buffer waits for a reader, but not for ever.
fn tell(birth: &Birth, socket: &UnixStream, patience: Duration) -> io::Result<()> {
    // No time at all would be for ever.
    socket.set_write_timeout(Some(patience.max(Duration::from_millis(1))))?;
    birth.send(socket)
}

/// Whether nobody is left at the other end.
pub(super) fn is_hung_up(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

fn command(name: &str, socket: UnixStream) -> Command {
    let program = std::env::args_os().next().unwrap_or_else(|| OsString::from("multiproc"));
    // The link leads to the very file that this process executes, even if
    // another has taken its place since.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(program)
        // An argument cannot hold a NUL; whoever chose the name meant no harm.
        .arg(name.replace('\0', ""))
        .env(CHILD_VARIABLE, bootstrap::doorway_of_children().name())
        .stdin(Stdio::from(OwnedFd::from(socket)));
    command
}

fn spawn(command: &mut Command) -> io::Result<libc::pid_t> {
    Ok(command.spawn()?.id() as libc::pid_t)
}
