//! A process of its own for a test.

use std::time::{Duration, Instant};

use multiproc::{Child, EntryPoint, Inheritance, StartMethod};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::{Pid, setpgid},
};

use crate::census::Census;

/// A test that runs in a process of its own, the leader of its own process
/// group. Dropping it kills the whole group.
#[derive(Debug)]
pub struct Isolated {
    process: Child,
    deadline: Instant,
    killed: Option<Instant>,
}

/// How long processes that were killed may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(1);

/// Starts `test` with `payload` in a process of its own.
///
/// # Panics
///
/// If the process cannot be started.
pub fn isolated<F>(time_limit: Duration, payload: Vec<u8>, test: F) -> Isolated
where
    F: Fn(Vec<u8>) + Copy + Send + 'static,
{
    let entry = EntryPoint::new(move |inheritance: Inheritance| {
        setpgid(Pid::from_raw(0), Pid::from_raw(0)).expect("a new process can lead a group");
        start_fork_server();
        let before = Census::take();
        test(inheritance.payload);
        let left = before.left();
        assert!(left.is_empty(), "it has left behind: {left:#?}");
    });
    let inheritance = Inheritance { payload, descriptors: Vec::new() };
    let process = multiproc::start(StartMethod::Spawn, "isolated", entry, inheritance)
        .unwrap_or_else(|error| panic!("{error}"));
    Isolated { process, deadline: Instant::now() + time_limit, killed: None }
}

/// The fork server lives as long as the process that uses it, and so do its
/// descriptors: they are not what a test leaves behind.
pub(crate) fn start_fork_server() {
    let nothing = EntryPoint::new(|_| ());
    let process =
        multiproc::start(StartMethod::ForkServer, "nothing", nothing, Inheritance::default());
    process.and_then(|mut process| process.wait(None)).expect("the fork server works");
}

impl Isolated {
    /// The process, which is also its group's id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.process.pid())
    }

    /// Waits for the test to end.
    ///
    /// # Panics
    ///
    /// If it panicked, hangs, or has left processes behind.
    pub fn passes(mut self) {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let status = self.process.wait(Some(left)).expect("the test can be waited for");
        let Some(status) = status else {
            panic!("it hangs; its processes: {:#?}", self.members());
        };
        assert!(status.success(), "the isolated test {status}; its message is above");
        self.leaves_nothing();
    }

    /// Kills the test's process, and only that.
    pub fn kill(&mut self) {
        self.process.kill();
        self.killed = Some(Instant::now());
    }

    /// Waits for the processes of the group to be gone.
    ///
    /// # Panics
    ///
    /// If some are still there a second after the kill, or from now.
    pub fn leaves_nothing(&self) {
        let left = self.left();
        assert!(left.is_empty(), "processes are left behind: {left:#?}");
    }

    /// Processes of the group that are still there a second after the
    /// [kill](Self::kill), or from now if there was none.
    #[must_use]
    pub fn left(&self) -> Vec<String> {
        let deadline = self.killed.unwrap_or_else(Instant::now) + GONE_WITHIN;
        loop {
            let members = self.members();
            if members.is_empty() || Instant::now() >= deadline {
                return members;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The group's processes: pid, name and state. Zombies whose parent is
    /// this process or has not looked yet count as gone.
    #[must_use]
    pub fn members(&self) -> Vec<String> {
        let group = self.process.pid();
        let all = procfs::process::all_processes().expect("/proc can be read");
        all.flatten()
            .filter_map(|process| process.stat().ok())
            .filter(|stat| stat.pgrp == group && stat.state != 'Z')
            .map(|stat| format!("{} {} {}", stat.pid, stat.comm, stat.state))
            .collect()
    }
}

impl Drop for Isolated {
    fn drop(&mut self) {
        // Fails if the group is gone, which is what is wanted.
        let _ = killpg(self.pid(), Signal::SIGKILL);
    }
}
