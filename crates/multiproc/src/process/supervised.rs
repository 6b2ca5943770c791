//! A started process, whoever holds it: its pidfd, and how it ended.

use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
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
    /// Whether this process has wanted its end, so that it is no surprise.
    was_signalled: AtomicBool,
    /// `None` until it was reaped.
    status: Mutex<Option<ExitStatus>>,
}

impl Supervised {
    pub(super) fn new(name: &str, pid: libc::pid_t, pidfd: OwnedFd, reaper: Reaper) -> Self {
        let name = name.to_owned();
        let sentinel = ParentEnd::new(pidfd);
        let was_signalled = AtomicBool::new(false);
        Self { name, pid, sentinel, reaper, was_signalled, status: Mutex::new(None) }
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

    /// Waits until the process ends, or for `timeout`; `None` if it still runs,
    /// or if the fork server, which alone knows how it has ended, is stopped.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> Result<Option<ExitStatus>> {
        if let Some(status) = self.status() {
            return Ok(Some(status));
        }
        // A time that no clock can show is for ever.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        if !self.has_ended(timeout)? {
            return Ok(None);
        }
        match &self.reaper {
            Reaper::Parent => self.reap().map(Some),
            Reaper::Server(server) => {
                // It answers within microseconds, even if those are more than was asked for.
                let deadline = deadline.map(|time| time.max(Instant::now() + LAST_BREATH));
                server.reap(self, deadline)
            }
        }
    }

    /// `None` until it was reaped.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By whoever has reaped it.
    pub(super) fn settle(&self, status: ExitStatus) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
        self.tell(status);
    }

    fn tell(&self, status: ExitStatus) {
        let (name, pid, code) = (&self.name, self.pid, status.code);
        if code < 0 && !self.was_signalled.load(Relaxed) {
            tracing::warn!(target: "multiproc", name, pid, code, "process killed");
        } else {
            tracing::debug!(target: "multiproc", name, pid, code, "process ended");
        }
    }

    /// Sends a signal; nothing happens if the process has ended.
    pub(super) fn signal(&self, signal: Signal) {
        if self.status().is_some() {
            return;
        }
        self.was_signalled.store(true, Relaxed);
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
        // Held while reaping, which takes no time: two threads may have seen the end.
        let mut known = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(status) = *known {
            return Ok(status);
        }
        let status = waitid(Id::PIDFd(self.sentinel()), WaitPidFlag::WEXITED)
            .map_err(Error::errno("reap a process"))?;
        let status = ExitStatus::from_wait(status).ok_or(Error::Garbled {
            pid: self.pid,
            what: format!("a wait status that is no end: {status:?}"),
        })?;
        *known = Some(status);
        self.tell(status);
        Ok(status)
    }
}

/// Makes the kernel keep the exit statuses of children until they are asked
/// for, which it does not where `SIGCHLD` is ignored. A program inherits that
/// (`trap '' CHLD; program`).
pub(crate) fn keep_exit_statuses() {
    // SAFETY: all zero bytes are a valid `sigaction`, and the calls read and
    // write just that. A handler that somebody has set stays.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGCHLD, std::ptr::null(), &raw mut action) != 0 {
            return;
        }
        let is_ignored = action.sa_sigaction == libc::SIG_IGN;
        if is_ignored || action.sa_flags & libc::SA_NOCLDWAIT != 0 {
            if is_ignored {
                action.sa_sigaction = libc::SIG_DFL;
            }
            action.sa_flags &= !libc::SA_NOCLDWAIT;
            libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut());
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
