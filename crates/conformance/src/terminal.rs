//! A program in the foreground of a terminal, and somebody who presses Ctrl-C.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use multiproc::{Child, EntryPoint, ExitStatus, Inheritance, StartMethod};
use nix::{
    errno::Errno,
    pty::openpty,
    sys::signal::{SigSet, Signal},
    unistd::{
        Pid, dup2_stderr, dup2_stdin, dup2_stdout, getpid, setpgid, setsid, tcsetpgrp, ttyname,
    },
};
use procfs::process::{Process, all_processes};
use signal_hook::{consts::SIGINT, flag::register_conditional_default};

/// Longer than anything here takes on a machine that is not on fire.
const WATCHDOG: Duration = Duration::from_secs(10);

/// A program that a shell runs in the foreground of a terminal.
///
/// The shell outlives it. If the program led the session, the kernel would hang
/// up on the whole foreground at its end, and so end what it has left behind.
#[derive(Debug)]
pub(crate) struct Foreground {
    /// The end of whoever sits before the terminal.
    terminal: File,
    shell: Child,
    /// The shell says here how the program has ended, and ends when this is closed.
    line: UnixStream,
}

/// What came of Ctrl-C.
#[derive(Debug)]
pub(crate) struct Interrupted {
    /// Until the program had ended and nothing of its session was there but
    /// the shell.
    pub(crate) gone_after: Duration,
    pub(crate) status: ExitStatus,
    /// Everything that was written to the terminal, what was typed included.
    pub(crate) screen: String,
}

impl Foreground {
    /// Starts `program` with `payload`.
    pub(crate) fn start<F>(payload: Vec<u8>, program: F) -> Self
    where
        F: Fn(Vec<u8>) + Copy + Send + 'static,
    {
        let pty = openpty(None, None).expect("a terminal can be had");
        let (line, theirs) = UnixStream::pair().expect("a shell can be listened to");
        line.set_read_timeout(Some(WATCHDOG)).expect("no time-out of zero");
        let entry = EntryPoint::new(move |inheritance| be_a_shell(inheritance, program));
        let inheritance = Inheritance { payload, descriptors: vec![pty.slave, theirs.into()] };
        let shell = multiproc::start(StartMethod::Spawn, "shell", entry, inheritance)
            .unwrap_or_else(|error| panic!("{error}"));
        Self { terminal: pty.master.into(), shell, line }
    }

    /// Presses Ctrl-C and waits for the end of the program and of all that
    /// belongs to it.
    pub(crate) fn interrupt(mut self) -> Interrupted {
        let begun = Instant::now();
        self.terminal.write_all(b"\x03").expect("one can type");
        let mut code = [0; 4];
        let heard = self.line.read_exact(&mut code);
        heard.unwrap_or_else(|error| panic!("{error}; it hangs: {:#?}", self.session()));
        while let session @ [_, ..] = &*self.session() {
            assert!(begun.elapsed() < WATCHDOG, "processes are left behind: {session:#?}");
            std::thread::sleep(Duration::from_micros(200));
        }
        let gone_after = begun.elapsed();
        let status = ExitStatus { code: i32::from_ne_bytes(code) };
        Interrupted { gone_after, status, screen: self.screen() }
    }

    /// Processes of the session that have not ended, without the shell.
    fn session(&self) -> Vec<String> {
        let shell = self.shell.pid();
        let all = all_processes().expect("/proc can be read");
        all.flatten()
            .filter_map(|process| process.stat().ok())
            .filter(|stat| stat.session == shell && stat.pid != shell && stat.state != 'Z')
            .map(|stat| format!("{} {} {}", stat.pid, stat.comm, stat.state))
            .collect()
    }

    /// When nobody writes any more, the shell neither.
    fn screen(self) -> String {
        let Self { mut terminal, mut shell, line } = self;
        drop(line);
        let status = shell.wait(Some(WATCHDOG)).expect("the shell can be waited for");
        assert!(status.is_some_and(ExitStatus::success), "the shell: {status:?}");
        let mut screen = Vec::new();
        let read = terminal.read_to_end(&mut screen);
        // A terminal that everybody has left says so.
        let error = read.err().and_then(|error| error.raw_os_error());
        assert_eq!(error, Some(Errno::EIO as i32), "the terminal is left");
        String::from_utf8_lossy(&screen).into_owned()
    }
}

/// Leads a session whose foreground is `program`.
fn be_a_shell<F>(Inheritance { payload, descriptors }: Inheritance, program: F)
where
    F: Fn(Vec<u8>) + Copy + Send + 'static,
{
    let [terminal, line] = <[OwnedFd; 2]>::try_from(descriptors).expect("two");
    take_terminal(terminal).expect("a terminal can be taken");
    let terminal = io::stdin().as_fd().try_clone_to_owned().expect("a terminal can be shared");
    let entry = EntryPoint::new(move |inheritance: Inheritance| {
        let [terminal] = <[OwnedFd; 1]>::try_from(inheritance.descriptors).expect("one");
        come_to_the_foreground(&terminal).expect("a terminal can be shared");
        heed_interrupts();
        program(inheritance.payload);
    });
    let inheritance = Inheritance { payload, descriptors: vec![terminal] };
    let program = multiproc::start(StartMethod::Spawn, "foreground", entry, inheritance);
    let status = program.and_then(|mut program| program.wait(None));
    let status = status.unwrap_or_else(|error| panic!("{error}")).expect("it has ended");
    let mut line = UnixStream::from(line);
    line.write_all(&status.code.to_ne_bytes()).expect("somebody listens");
    line.read_to_end(&mut Vec::new()).expect("somebody listens");
}

/// Leads a new session that `terminal` controls, with it as input and output.
fn take_terminal(terminal: OwnedFd) -> nix::Result<()> {
    setsid()?;
    let path = ttyname(&terminal)?;
    // The first terminal that the leader of a session opens controls it.
    let terminal = OpenOptions::new().read(true).write(true).open(path);
    let terminal = terminal.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    dup2_stdin(terminal.as_fd())?;
    dup2_stdout(terminal.as_fd())?;
    dup2_stderr(terminal.as_fd())
}

/// As a job of the shell's, which its output belongs to already.
fn come_to_the_foreground(terminal: &OwnedFd) -> nix::Result<()> {
    dup2_stdin(terminal)?;
    setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    // Who does so from the background is stopped otherwise.
    let mut stop = SigSet::empty();
    stop.add(Signal::SIGTTOU);
    stop.thread_block()?;
    tcsetpgrp(terminal, getpid())?;
    stop.thread_unblock()
}

/// Whether an interrupt ends this process, if it was born ignoring it.
static ENDS: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));

/// From now on an interrupt is the program's own affair.
pub(crate) fn survive_interrupts() {
    ENDS.store(false, Relaxed);
}

/// As a program does that an interactive shell has started. A script's
/// background jobs, such as a test run may be one, ignore interrupts.
fn heed_interrupts() {
    let status = Process::myself().and_then(|me| me.status()).expect("/proc can be read");
    if status.sigign & 1 << (SIGINT - 1) != 0 {
        register_conditional_default(SIGINT, Arc::clone(&ENDS))
            .expect("a handler can be installed");
    }
}
