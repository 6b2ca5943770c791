//! A started process, whoever holds it: its pidfd, and how it ended.

use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout},
    sys::{
        signal::Signal,
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};

use super::{ExitStatus, forkserver::Server};
use crate::{Error, ParentEnd, Result};

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

/// A started process. Dropping this neither ends nor reaps it.
#[derive(Debug)]
pub(super) struct Supervised {
    name: String,
    pid: libc::pid_t,
    sentinel: ParentEnd<OwnedFd>,
    reaper: Reaper,
    /// `None` until it was reaped.
    status: Mutex<Option<ExitStatus>>,
}

impl Supervised {
    pub(super) fn new(name: &str, pid: libc::pid_t, pidfd: OwnedFd, reaper: Reaper) -> Self {
        let name = name.to_owned();
        Self { name, pid, sentinel: ParentEnd::new(pidfd), reaper, status: Mutex::new(None) }
    }

    /// A child of this very process, not reaped yet.
    pub(super) fn of_this_process(name: &str, pid: libc::pid_t) -> std::io::Result<Self> {
        // Without a pidfd nobody could supervise it.
        let pidfd = open_pidfd(pid).inspect_err(|_| kill_and_reap(pid))?;
        Ok(Self::new(name, pid, pidfd, Reaper::Parent))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn pid(&self) -> i32 {
        self.pid
    }

    /// Readable from the moment the process ends.
    pub(super) fn sentinel(&self) -> BorrowedFd<'_> {
        self.sentinel.as_fd()
    }

    /// Waits until the process ends, or for `timeout`; `None` if it still runs.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> Result<Option<ExitStatus>> {
        if let Some(status) = *self.status.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Some(status));
        }
        if !self.has_ended(timeout)? {
            return Ok(None);
        }
        // Held while reaping: two threads may have seen the end.
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if status.is_none() {
            let reaped = self.reap()?;
            *status = Some(reaped);
            let Self { name, pid, .. } = self;
            tracing::debug!(target: "multiproc", name, pid, code = reaped.code, "process ended");
        }
        Ok(*status)
    }

    /// Sends a signal; nothing happens if the process has ended.
    pub(super) fn signal(&self, signal: Signal) {
        if self.status.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return;
        }
        // SAFETY: pidfd_send_signal takes plain numbers and a null siginfo;
        // a pidfd cannot refer to another process that got the same pid.
        // It fails only if the process has ended, which is what is wanted.
        unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.sentinel.as_fd().as_raw_fd(),
                signal as libc::c_int,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
    }

    /// Whether the process has ended, or does so within `timeout`.
    pub(super) fn has_ended(&self, timeout: Option<Duration>) -> Result<bool> {
        is_readable_within(self.sentinel(), timeout).map_err(Error::errno("wait for a process"))
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

/// Ends a child of this very process for which there is no pidfd.
pub(super) fn kill_and_reap(pid: libc::pid_t) {
    let pid = Pid::from_raw(pid);
    // It cannot have been reaped, so the number is its; both can only fail if
    // it was no child of ours.
    let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
    let _ = nix::sys::wait::waitpid(pid, None);
}

/// Sleeps until `fd` is readable, or for `timeout`; signals do not cut it short.
pub(super) fn is_readable_within(
    fd: BorrowedFd<'_>,
    timeout: Option<Duration>,
) -> nix::Result<bool> {
    // A time that no clock can show is for ever.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match nix::poll::poll(&mut fds, left.map_or(PollTimeout::NONE, poll_timeout)) {
            // The longest time that `poll` can be told may be over first.
            Ok(0) if left.is_some_and(|left| !left.is_zero()) => {}
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
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
