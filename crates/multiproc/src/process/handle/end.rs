//! How a process ends, and what it leaves.

use std::{io, os::fd::BorrowedFd, sync::Arc, time::Duration};

use nix::sys::signal::Signal;
use serde::{Serialize, de::DeserializeOwned};

use super::{Process, State};
use crate::{
    Error, Result, codec,
    process::line::{Said, Verdict},
};

impl<R: Serialize + DeserializeOwned> Process<R> {
    /// Waits until it ends, and returns what its function returned. The value
    /// may be of any size, and is there however late it is asked for.
    ///
    /// # Errors
    ///
    /// [`Error::ProcessPanicked`] if the function panicked or its argument or
    /// its value could not cross, [`Error::ProcessDied`] if the process was
    /// killed or has called `exit`, [`Error::NeverBegan`] as for
    /// [`join`](Self::join), [`Error::System`] if this process has no
    /// descriptor or no memory left for the value, [`Error::ResultTaken`] the
    /// second time.
    pub fn result(&mut self) -> Result<R> {
        self.join()?;
        let (name, State::Ended { started, status, said }) = (&self.plan.name, &mut self.state)
        else {
            unreachable!("joined");
        };
        let (name, pid) = (name.clone(), started.process.pid());
        match said.take() {
            Some(Said::Ended(Verdict::Returned(value))) => {
                codec::decode(&value.bytes, value.descriptors)
            }
            None => Err(Error::ResultTaken { name }),
            // Those can be told as often as they are asked for.
            failed => {
                let error = match &failed {
                    Some(Said::Ended(Verdict::Panicked(message))) => {
                        Error::ProcessPanicked { name, pid, message: message.clone() }
                    }
                    Some(Said::Lost(error)) => Error::System {
                        what: "take the result of a process, which is lost",
                        source: error
                            .raw_os_error()
                            .map_or_else(|| error.kind().into(), io::Error::from_raw_os_error),
                    },
                    _ => Error::ProcessDied { name, pid, status: *status },
                };
                *said = failed;
                Err(error)
            }
        }
    }
}

/// After the start.
impl<R> Process<R> {
    /// Waits until it ends. That its function panicked or that it was killed
    /// is told by [`exit_code`](Self::exit_code) and [`result`](Self::result).
    ///
    /// # Errors
    ///
    /// [`Error::NotStarted`]; [`Error::ProcessClosed`]; [`Error::NeverBegan`] if the
    /// process has executed this program's `main` to its end, or for longer
    /// than it [may take](Self::start_timeout), without ever coming to
    /// [`init`](crate::init), so that its function was not called whatever its
    /// exit code says; [`Error::NotAChild`] in a process that was forked since.
    pub fn join(&mut self) -> Result<()> {
        self.wait(None).map(drop)
    }

    /// The same for at most `timeout`; whether it has ended.
    ///
    /// # Errors
    ///
    /// As for [`join`](Self::join).
    pub fn join_timeout(&mut self, timeout: Duration) -> Result<bool> {
        self.wait(Some(timeout))
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<bool> {
        let name = || self.plan.name.clone();
        let started = match &self.state {
            State::New(_) => return Err(Error::NotStarted { name: name() }),
            State::Closed => return Err(Error::ProcessClosed { name: name() }),
            State::Started(started) | State::Ended { started, .. } => started,
        };
        if !started.join(timeout)? {
            return Ok(false);
        }
        let status = started.process.wait(None)?.expect("joined");
        if let State::Started(started) = &self.state {
            let (started, said) = (Arc::clone(started), Some(started.process.hear()));
            self.state = State::Ended { started, status, said };
        }
        match &self.state {
            State::Ended { started, said: Some(Said::NotBegun), .. } => {
                started.process.never_began(status).map_or(Ok(true), Err)
            }
            _ => Ok(true),
        }
    }

    /// The exit code, or the negative number of the signal that ended it;
    /// `None` if it was not started or still runs.
    ///
    /// 0 if the function returned, what the function called
    /// [`exit`](std::process::exit) with, or 101 if it panicked, which is the
    /// exit code of every Rust program that does (Python's is 1).
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        let started = self.started()?;
        let status = started
            .join(Some(Duration::ZERO))
            .and_then(|ended| if ended { started.process.wait(None) } else { Ok(None) });
        status.ok().flatten().map(|status| status.code)
    }

    /// A descriptor that is readable once it has ended, for `poll` and its like.
    ///
    /// # Errors
    ///
    /// [`Error::NotStarted`]; [`Error::ProcessClosed`]; [`Error::NotAChild`].
    pub fn sentinel(&self) -> Result<BorrowedFd<'_>> {
        let name = || self.plan.name.clone();
        match &self.state {
            State::New(_) => Err(Error::NotStarted { name: name() }),
            State::Closed => Err(Error::ProcessClosed { name: name() }),
            State::Started(started) | State::Ended { started, .. } => {
                started.process.check_is_ours()?;
                Ok(started.process.sentinel())
            }
        }
    }

    /// Asks it to end, with `SIGTERM`; nothing happens if it does not run.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Ends it, with `SIGKILL`; nothing happens if it does not run.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(started) = self.started() {
            started.process.signal(signal);
        }
    }

    /// Lets go of what is left of an ended process: its descriptor and its
    /// result. Dropping the handle does so too.
    ///
    /// # Errors
    ///
    /// [`Error::StillRuns`].
    pub fn close(&mut self) -> Result<()> {
        if let Some(started) = self.started()
            && started.is_alive()
        {
            let (name, pid) = (self.plan.name.clone(), started.process.pid());
            return Err(Error::StillRuns { name, pid });
        }
        self.state = State::Closed;
        Ok(())
    }
}
