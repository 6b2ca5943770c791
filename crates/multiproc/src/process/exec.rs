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
    os::unix::{net::UnixStream, process::CommandExt},
    process::{Command, Stdio},
};

use super::{Birth, Child, Inheritance, launcher::on_permanent_thread};
use crate::{EntryPoint, Error, Result, StartMethod, bootstrap};

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

pub(super) fn start(name: &str, entry: EntryPoint, inheritance: Inheritance) -> Result<Child> {
    let start_error = |source| Error::Start { method: StartMethod::Spawn, source };
    let (ours, theirs) = UnixStream::pair().map_err(start_error)?;
    let mut command = command(name, theirs);
    let pid = on_permanent_thread(move || spawn(&mut command)).map_err(start_error)?;
    let child = Child::of_this_process(pid)?;
    Birth::new(name, entry, inheritance).send(&ours).map_err(start_error)?;
    Ok(child)
}

fn command(name: &str, socket: UnixStream) -> Command {
    let program = std::env::args_os().next().unwrap_or_else(|| OsString::from("multiproc"));
    // The link leads to the very file that this process executes, even if
    // another has taken its place since.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(program)
        .arg(name)
        .env(CHILD_VARIABLE, bootstrap::doorway_of_children().name())
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(socket)));
    command
}

fn spawn(command: &mut Command) -> io::Result<libc::pid_t> {
    Ok(command.spawn()?.id() as libc::pid_t)
}
