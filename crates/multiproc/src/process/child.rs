//! A started process that its holder is answerable for: a pool's worker.

use std::{fmt, os::fd::BorrowedFd, time::Duration};

use nix::sys::{signal::Signal, wait::WaitStatus};
use serde::{Deserialize, Serialize};

use super::supervised::Supervised;
use crate::{Error, Result};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitStatus {
    /// The exit code, or the negative number of the signal that killed it.
    pub code: i32,
}

impl ExitStatus {
    /// Killed by `SIGKILL`.
    pub(crate) const KILLED: Self = Self { code: -libc::SIGKILL };

    /// Whether it ended by itself with exit code 0.
    #[must_use]
    pub const fn success(self) -> bool {
        self.code == 0
    }

    /// `None` if the process has not ended.
    pub(crate) fn from_wait(status: WaitStatus) -> Option<Self> {
        match status {
            WaitStatus::Exited(_, code) => Some(Self { code }),
            WaitStatus::Signaled(_, signal, _) => Some(Self { code: -(signal as i32) }),
            _ => None,
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Signal::try_from(-self.code) {
            Ok(signal) => write!(f, "was killed by {signal}"),
            Err(_) => write!(f, "ended with exit code {}", self.code),
        }
    }
}

/// A started process. Dropping it kills and reaps it if it still runs.
#[derive(Debug)]
pub struct Child {
    process: Supervised,
}

impl Child {
    pub(super) const fn new(process: Supervised) -> Self {
        Self { process }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.process.name()
    }

    /// The process id.
    #[must_use]
    pub const fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Readable from the moment the process ends.
    #[must_use]
    pub fn sentinel(&self) -> BorrowedFd<'_> {
        self.process.sentinel()
    }

    /// Waits until the process ends, or for `timeout`; `None` if it still runs.
    ///
    /// # Errors
    ///
    /// If the exit status cannot be had.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<ExitStatus>> {
        self.process.wait(timeout)
    }

    /// Kills the process with `SIGKILL`; nothing happens if it has ended.
    pub fn kill(&self) {
        self.process.signal(Signal::SIGKILL);
    }

    /// Has the process go on if it was stopped.
    pub(super) fn go_on(&self) {
        self.process.send(Signal::SIGCONT);
    }

    pub(super) fn await_begin(&self) -> Result<()> {
        self.process.await_begin()
    }

    /// The error for an end with `status` that nobody wanted.
    pub(crate) fn death(&self, status: ExitStatus) -> Error {
        self.process.death(status)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        // Nothing can be done about a status that cannot be had.
        let _ = self.wait(None);
    }
}
