//! A program in the foreground of a terminal, and somebody who presses Ctrl-C.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use multiproc::{Child, EntryPoint, ExitStatus, Inheritance, StartMethod};
use nix::{
    errno::Errno,
    pty::openpty,
    unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid, ttyname},
};
use procfs::process::{Process, all_processes};
use signal_hook::{consts::SIGINT, flag::register_conditional_default};

/// Longer than anything here takes on a machine that is not on fire.
const WATCHDOG: Duration = Duration::from_secs(10);

/// A program that leads a session of its own, in the foreground of a terminal.
#[derive(Debug)]
pub(crate) struct Foreground {
    /// The end of whoever sits before the terminal.
    terminal: File,
    program: Child,
}

/// What came of Ctrl-C.
#[derive(Debug)]
pub(crate) struct Interrupted {
    /// Until the program had ended and nothing of its session was there.
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
        let entry = EntryPoint::new(move |inheritance: Inheritance| {
            let [terminal] = <[OwnedFd; 1]>::try_from(inheritance.descriptors).expect("one");
            take_terminal(terminal).expect("a terminal can be taken");
            heed_interrupts();
            program(inheritance.payload);
        });
        let inheritance = Inheritance { payload, descriptors: vec![pty.slave] };
        let program = multiproc::start(StartMethod::Spawn, "foreground", entry, inheritance)
            .unwrap_or_else(|error| panic!("{error}"));
        Self { terminal: pty.master.into(), program }
    }

    /// Presses Ctrl-C and waits for the end of the program and of all that
    /// belongs to it.
    pub(crate) fn interrupt(mut self) -> Interrupted {
        let begun = Instant::now();
        self.terminal.write_all(b"\x03").expect("one can type");
        let status = self.program.wait(Some(WATCHDOG)).expect("the program can be waited for");
        let status = status.unwrap_or_else(|| panic!("it hangs: {:#?}", self.session()));
        while let session @ [_, ..] = &*self.session() {
            assert!(begun.elapsed() < WATCHDOG, "processes are left behind: {session:#?}");
            std::thread::sleep(Duration::from_micros(200));
        }
        let gone_after = begun.elapsed();
        Interrupted { gone_after, status, screen: self.screen() }
    }

    /// Processes of the session that have not ended.
    fn session(&self) -> Vec<String> {
        let all = all_processes().expect("/proc can be read");
        all.flatten()
            .filter_map(|process| process.stat().ok())
            .filter(|stat| stat.session == self.program.pid() && stat.state != 'Z')
            .map(|stat| format!("{} {} {}", stat.pid, stat.comm, stat.state))
            .collect()
    }

    /// When nobody writes any more.
    fn screen(&mut self) -> String {
        let mut screen = Vec::new();
        let read = self.terminal.read_to_end(&mut screen);
        // A terminal that everybody has left says so.
        let error = read.err().and_then(|error| error.raw_os_error());
        assert_eq!(error, Some(Errno::EIO as i32), "the terminal is left");
        String::from_utf8_lossy(&screen).into_owned()
    }
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

/// As a program does that an interactive shell has started. A script's
/// background jobs, such as a test run may be one, ignore interrupts.
fn heed_interrupts() {
    let status = Process::myself().and_then(|me| me.status()).expect("/proc can be read");
    if status.sigign & 1 << (SIGINT - 1) != 0 {
        register_conditional_default(SIGINT, Arc::new(AtomicBool::new(true)))
            .expect("a handler can be installed");
    }
}
