//! A door that tasks knock on and wait at, so that a test knows what they do
//! and decides when they go on.

use std::{
    fs::{File, OpenOptions},
    io::{self, PipeReader, PipeWriter, Read, Write},
    os::fd::{AsFd, AsRawFd, RawFd},
};

use nix::poll::{PollFd, PollFlags, PollTimeout};
use serde::{Deserialize, Serialize};

/// The test's side.
pub(crate) struct Door {
    knocks: (PipeReader, PipeWriter),
    entries: (PipeReader, PipeWriter),
}

/// What a task is told of it: descriptors of the test's process.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Way {
    pid: u32,
    knocks: RawFd,
    entries: RawFd,
    waits: bool,
}

impl Door {
    pub(crate) fn new() -> Self {
        Self {
            knocks: io::pipe().expect("the door works"),
            entries: io::pipe().expect("the door works"),
        }
    }

    /// For a task that knocks and waits until it is let in.
    pub(crate) fn way_in(&self) -> Way {
        Way { waits: true, ..self.way_past() }
    }

    /// For a task that knocks and goes on.
    pub(crate) fn way_past(&self) -> Way {
        let (knocks, entries) = (self.knocks.1.as_raw_fd(), self.entries.0.as_raw_fd());
        Way { pid: std::process::id(), knocks, entries, waits: false }
    }

    /// Waits until so many tasks have knocked.
    pub(crate) fn await_knocks(&mut self, tasks: usize) {
        self.knocks.0.read_exact(&mut vec![0; tasks]).expect("the door works");
    }

    /// How many tasks have knocked since this was asked last.
    pub(crate) fn knocks(&mut self) -> usize {
        let mut fds = [PollFd::new(self.knocks.0.as_fd(), PollFlags::POLLIN)];
        match nix::poll::poll(&mut fds, PollTimeout::ZERO).expect("the door works") {
            0 => 0,
            _ => self.knocks.0.read(&mut [0; 100]).expect("the door works"),
        }
    }

    /// Lets so many tasks in.
    pub(crate) fn open(&mut self, tasks: usize) {
        self.entries.1.write_all(&vec![0; tasks]).expect("the door works");
    }
}

/// A task that goes to the door; it tells its process.
pub(crate) fn visit(way: Way) -> u32 {
    let of_the_test = |descriptor| format!("/proc/{}/fd/{descriptor}", way.pid);
    let mut knocks =
        OpenOptions::new().write(true).open(of_the_test(way.knocks)).expect("the door works");
    knocks.write_all(&[0]).expect("the door works");
    if way.waits {
        let mut entries = File::open(of_the_test(way.entries)).expect("the door works");
        entries.read_exact(&mut [0]).expect("the door works");
    }
    std::process::id()
}
