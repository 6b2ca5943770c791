//! A started process, as its parent sees it.

use std::{
    fmt,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout},
    sys::{
        signal::Signal,
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
};

use super::forkserver::Server;
use crate::{Error, ParentEnd, Result};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// From the moment a dying process closes its descriptors until it can be
/// reaped; releasing its memory is most of that.
pub(crate) const LAST_BREATH: Duration = Duration::from_secs(1);

/// Who collects the exit status.
#[derive(Debug)]
pub(super) enum Reaper {
    /// This process, which is the parent.
    Parent,
    /// The fork server, which is the parent.
    Server(Arc<Server>),
}

/// A started process. Dropping it kills and reaps it if it still runs.
#[derive(Debug)]
pub struct Child {
    pid: libc::pid_t,
    sentinel: ParentEnd<OwnedFd>,
    reaper: Reaper,
    status: Option<ExitStatus>,
}

impl Child {
    pub(super) fn new(pid: libc::pid_t, pidfd: OwnedFd, reaper: Reaper) -> Self {
        Self { pid, sentinel: ParentEnd::new(pidfd), reaper, status: None }
    }

    /// A child of this very process, not reaped yet.
    pub(super) fn of_this_process(pid: libc::pid_t) -> Result<Self> {
        match open_pidfd(pid) {
            Ok(pidfd) => Ok(Self::new(pid, pidfd, Reaper::Parent)),
            Err(error) => {
                // Without a pidfd nobody could supervise it.
                let pid = nix::unistd::Pid::from_raw(pid);
                let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
                let _ = nix::sys::wait::waitpid(pid, None);
                Err(Error::System { what: "open a pidfd", source: error })
            }
        }
    }

    /// The process id.
    #[must_use]
    pub const fn pid(&self) -> i32 {
        self.pid
    }

    /// Readable from the moment the process ends.
    #[must_use]
    pub fn sentinel(&self) -> BorrowedFd<'_> {
        self.sentinel.as_fd()
    }

    /// Waits until the process ends, or for `timeout`; `None` if it still runs.
    ///
    /// # Errors
    ///
    /// If the exit status cannot be had.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<ExitStatus>> {
        if self.status.is_none() && self.has_ended(timeout)? {
            self.status = Some(self.reap()?);
        }
        Ok(self.status)
    }

    /// Kills the process with `SIGKILL`; nothing happens if it has ended.
    pub fn kill(&self) {
        if self.status.is_none() {
            // SAFETY: pidfd_send_signal takes plain numbers and a null siginfo;
            // a pidfd cannot refer to another process that got the same pid.
            // It fails only if the process has ended, which is what is wanted.
            unsafe {
                libc::syscall(
                    libc::SYS_pidfd_send_signal,
                    self.sentinel.as_fd().as_raw_fd(),
                    libc::SIGKILL,
                    std::ptr::null::<libc::siginfo_t>(),
                    0,
                )
            };
        }
    }

    /// Whether the process has ended, or does so within `timeout`.
    pub(super) fn has_ended(&self, timeout: Option<Duration>) -> Result<bool> {
        let timeout = timeout.map_or(PollTimeout::NONE, poll_timeout);
        let mut fds = [PollFd::new(self.sentinel(), PollFlags::POLLIN)];
        loop {
            match nix::poll::poll(&mut fds, timeout) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Error::errno("wait for a process")(errno)),
            }
        }
    }

    fn reap(&self) -> Result<ExitStatus> {
        match &self.reaper {
            Reaper::Parent => {
                let status = waitid(Id::PIDFd(self.sentinel()), WaitPidFlag::WEXITED)
                    .map_err(Error::errno("reap a process"))?;
                ExitStatus::from_wait(status).ok_or(Error::Garbled {
                    pid: self.pid,
                    what: format!("a wait status that is no end: {status:?}"),
                })
            }
            Reaper::Server(server) => Ok(server.reap(self.pid)),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        // Nothing can be done about a status that cannot be had.
        let _ = self.wait(None);
    }
}

/// Rounds up, so that a short timeout does not become a busy loop.
pub(crate) fn poll_timeout(timeout: Duration) -> PollTimeout {
    let ms = timeout.as_nanos().div_ceil(1_000_000);
    i32::try_from(ms).ok().and_then(|ms| PollTimeout::try_from(ms).ok()).unwrap_or(PollTimeout::MAX)
}

/// A descriptor for the process `pid`, which this process must be the parent
/// of and not have reaped: only then is the number certain to be its.
pub(super) fn open_pidfd(pid: libc::pid_t) -> std::io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes plain numbers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns (close-on-exec by default).
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
