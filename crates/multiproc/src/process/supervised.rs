//! A started process, whoever holds it: its pidfd, and how it ended.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags},
    sys::{
        signal::Signal,
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};

use super::{
    ExitStatus,
    line::{Line, Said},
};
use crate::{
    Error, ParentEnd, Result,
    polling::{deadline, is_readable_by, poll_until},
};

/// From the moment a dying process closes its descriptors until it can be
/// reaped; releasing its memory is most of that.
pub(crate) const LAST_BREATH: Duration = Duration::from_secs(1);

/// A started process. Dropping this neither ends nor reaps it.
#[derive(Debug)]
pub(super) struct Supervised {
    name: String,
    pid: libc::pid_t,
    sentinel: ParentEnd<OwnedFd>,
    /// Until it was heard to its end.
    line: Mutex<Option<Arc<Line>>>,
    /// Of an executed process.
    birthday: Option<Birthday>,
    /// Whether this process has wanted its end, so that it is no surprise.
    was_signalled: AtomicBool,
    /// `None` until it was reaped.
    status: Mutex<Option<ExitStatus>>,
}

/// When an executed process has to have begun.
#[derive(Debug)]
struct Birthday {
    patience: Duration,
    /// `None`: a time that no clock can show.
    latest: Option<Instant>,
    /// Whether it was killed because it had not.
    is_missed: AtomicBool,
}

impl Supervised {
    /// A child of this very process, not reaped yet.
    pub(super) fn new(name: &str, pid: libc::pid_t) -> io::Result<Self> {
        // Without a pidfd nobody could supervise it.
        let pidfd = open_pidfd(pid).inspect_err(|_| kill_and_reap(pid))?;
        Ok(Self {
            name: name.to_owned(),
            pid,
            sentinel: ParentEnd::new(pidfd),
            line: Mutex::new(None),
            birthday: None,
            was_signalled: AtomicBool::new(false),
            status: Mutex::new(None),
        })
    }

    /// The same with what it will say on its line.
    pub(super) fn on_line(self, line: Option<Line>) -> Self {
        Self { line: Mutex::new(line.map(Arc::new)), ..self }
    }

    /// The same, executed at the time `since`: if it has not begun after
    /// `patience`, it is killed.
    pub(super) fn executed(self, line: Line, since: Instant, patience: Duration) -> Self {
        let latest = since.checked_add(patience);
        let birthday = Birthday { patience, latest, is_missed: AtomicBool::new(false) };
        Self { birthday: Some(birthday), ..self.on_line(Some(line)) }
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

    /// Whether this process is the one that has started it.
    pub(super) fn is_ours(&self) -> bool {
        self.sentinel.is_of_this_process()
    }

    /// An error in a process that was forked from the one that has started it.
    pub(super) fn check_is_ours(&self) -> Result<()> {
        if self.is_ours() {
            return Ok(());
        }
        Err(Error::NotAChild { name: self.name.clone(), pid: self.pid })
    }

    /// Waits until the process ends, or for `timeout`; `None` if it still runs.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> Result<Option<ExitStatus>> {
        if let Some(status) = self.status() {
            return Ok(Some(status));
        }
        self.check_is_ours()?;
        let has_ended = self.ends_by(timeout.and_then(deadline)).map_err(cannot_wait())?;
        if has_ended { self.reap().map(Some) } else { Ok(None) }
    }

    /// `None` until it was reaped.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, status: ExitStatus) {
        let (name, pid, code) = (&self.name, self.pid, status.code);
        if code < 0 && !self.was_signalled.load(Relaxed) {
            tracing::warn!(target: "multiproc", name, pid, code, "process killed");
        } else {
            tracing::debug!(target: "multiproc", name, pid, code, "process ended");
        }
    }

    /// Sends a signal that may end the process; nothing happens if it has ended.
    pub(super) fn signal(&self, signal: Signal) {
        self.was_signalled.store(true, Relaxed);
        self.send(signal);
    }

    /// Sends a signal; nothing happens if the process has ended.
    pub(super) fn send(&self, signal: Signal) {
        if self.status().is_some() || !self.is_ours() {
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

    /// Whether the process ends by `deadline`. If it should have begun by now and
    /// has not, it is killed.
    fn ends_by(&self, deadline: Option<Instant>) -> nix::Result<bool> {
        if let (Some(line), Some(birthday)) = (self.line(), &self.birthday)
            && !line.has_begun()
            && !self.begins_or_ends_by(&line, earlier(deadline, birthday.latest))?
        {
            if birthday.latest.is_none_or(|latest| Instant::now() < latest) {
                return Ok(false);
            }
            birthday.is_missed.store(true, Relaxed);
            self.signal(Signal::SIGKILL);
        }
        is_readable_by(self.sentinel(), deadline)
    }

    fn begins_or_ends_by(&self, line: &Line, deadline: Option<Instant>) -> nix::Result<bool> {
        let of = |fd| PollFd::new(fd, PollFlags::POLLIN);
        poll_until(&mut [of(self.sentinel()), of(line.as_fd())], deadline)?;
        // A process that has closed its line without a word can still end.
        Ok(line.has_begun() || is_readable_by(self.sentinel(), deadline)?)
    }

    /// Waits until an executed process has begun.
    ///
    /// # Errors
    ///
    /// The process's death, and whatever keeps this process from waiting.
    pub(super) fn await_begin(&self) -> Result<()> {
        let Some(line) = self.line() else { return Ok(()) };
        let latest = self.birthday.as_ref().and_then(|birthday| birthday.latest);
        self.begins_or_ends_by(&line, latest).map_err(cannot_wait())?;
        if line.has_begun() {
            return Ok(());
        }
        // It has ended, or is killed now.
        match self.wait(None)? {
            Some(status) => Err(self.death(status)),
            None => unreachable!("it was waited for without a limit"),
        }
    }

    fn line(&self) -> Option<Arc<Line>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it has said, once it has ended. Once.
    pub(super) fn hear(&self) -> Said {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner).take();
        line.map_or(Said::Begun, |line| line.hear())
    }

    /// Lets go of what it might say, if it is certain to have begun.
    pub(super) fn hang_up(&self) {
        if let Some(line) = self.line()
            && self.is_ours()
            && line.has_begun()
        {
            line.hang_up();
        }
    }

    /// The error for an end with `status` of a process that was to live longer.
    pub(super) fn death(&self, status: ExitStatus) -> Error {
        match self.line() {
            Some(line) if !line.has_begun() => self.never_began(status),
            _ => None,
        }
        .unwrap_or(Error::WorkerDied {
            pid: self.pid,
            name: self.name.clone(),
            status,
            task: None,
        })
    }

    /// The error for an end with `status` of a process that has not said that it
    /// has begun. Killed from outside it may not have had the time.
    pub(super) fn never_began(&self, status: ExitStatus) -> Option<Error> {
        let missed = self.birthday.as_ref().filter(|birthday| birthday.is_missed.load(Relaxed));
        (missed.is_some() || status.code >= 0).then(|| Error::NeverBegan {
            name: self.name.clone(),
            pid: self.pid,
            status,
            within: missed.map(|birthday| birthday.patience),
        })
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

fn cannot_wait() -> impl FnOnce(nix::Error) -> Error {
    Error::errno("wait for a process")
}

/// The earlier of two times, of which `None` is never.
fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}

/// Ends a child of this very process for which there is no pidfd.
pub(super) fn kill_and_reap(pid: libc::pid_t) {
    let pid = Pid::from_raw(pid);
    // It cannot have been reaped, so the number is its; both can only fail if
    // it was no child of ours.
    let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
    let _ = nix::sys::wait::waitpid(pid, None);
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
