//! Which process is which.

use std::{
    io,
    os::fd::AsFd,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};

use bytemuck::{Pod, Zeroable};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout},
    sys::signal::kill,
    unistd::Pid,
};

use super::supervised::open_pidfd;

/// Cached, since asking the kernel takes longer than a lock does. 0: not
/// asked yet.
static THIS_PROCESS: AtomicU32 = AtomicU32::new(0);

/// The id of this process.
#[inline]
pub(crate) fn this_process() -> u32 {
    match THIS_PROCESS.load(Relaxed) {
        0 => ask(),
        pid => pid,
    }
}

/// Asks the kernel, and keeps the answer until this process is forked, by
/// whatever library: the child is to ask again.
#[cold]
fn ask() -> u32 {
    static IS_FORGOTTEN_BY_CHILDREN: AtomicBool = AtomicBool::new(false);
    if !IS_FORGOTTEN_BY_CHILDREN.load(Relaxed) {
        // Miri cannot fork.
        // SAFETY: a function that lives as long as the program, does not unwind and may be
        // called in any forked child: it stores a number. Two threads may register it
        // twice, which does no harm.
        let registered = cfg!(miri)
            || unsafe { libc::pthread_atfork(None, None, Some(forget_this_process)) } == 0;
        IS_FORGOTTEN_BY_CHILDREN.store(registered, Relaxed);
        if !registered {
            // No memory: nothing is kept that a child might believe.
            return std::process::id();
        }
    }
    let pid = std::process::id();
    THIS_PROCESS.store(pid, Relaxed);
    pid
}

/// In a forked child: it is another process.
pub(super) extern "C" fn forget_this_process() {
    THIS_PROCESS.store(0, Relaxed);
}

/// A process for all time: its id can be another's once it has ended, but
/// never with the same start time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    reserved: u32,
    /// In clock ticks since the system started; 0 if it could not be asked for.
    started: u64,
}

impl Identity {
    /// Of this process.
    pub(crate) fn this() -> Self {
        thread_local! {
            static CACHED: std::cell::Cell<Option<Identity>> = const { std::cell::Cell::new(None) };
        }
        let pid = this_process();
        match CACHED.get() {
            Some(identity) if identity.pid == pid => identity,
            _ => {
                let Some(started) = started(pid) else {
                    // Not kept: there may be a descriptor for it the next time.
                    return Self { pid, reserved: 0, started: 0 };
                };
                let identity = Self { pid, reserved: 0, started };
                CACHED.set(Some(identity));
                identity
            }
        }
    }

    /// Whether both are the same process. Where one start time is not known,
    /// the ids decide.
    pub(crate) fn is(self, other: Self) -> bool {
        let differ = self.started != other.started && self.started != 0 && other.started != 0;
        self.pid == other.pid && !differ
    }

    /// Whether the process still runs; a zombie does not. One that cannot be
    /// looked at, for want of a descriptor or of memory, does: whoever holds
    /// something may be robbed of it late, but not while it lives.
    pub(crate) fn is_alive(self) -> bool {
        if self.pid == this_process() {
            return true;
        }
        match open_pidfd(self.pid as libc::pid_t) {
            Ok(pidfd) => {
                let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
                let polled = nix::poll::poll(&mut fds, PollTimeout::ZERO);
                let has_ended = polled.is_ok_and(|ready| ready > 0);
                let now = started(self.pid).unwrap_or(0);
                !has_ended && self.is(Self { started: now, ..self })
            }
            Err(error) => !is_gone(self.pid, &error),
        }
    }
}

/// Whether there is no process `pid`, of which `error` says that there cannot
/// be a pidfd.
fn is_gone(pid: u32, error: &io::Error) -> bool {
    match error.raw_os_error() {
        // The last two: the number is now that of a thread.
        Some(libc::ESRCH | libc::EINVAL | libc::ENOENT) => true,
        // What can be asked without a descriptor.
        _ => kill(Pid::from_raw(pid as i32), None) == Err(Errno::ESRCH),
    }
}

/// When a process started: field 22 of `/proc/PID/stat` (proc(5)).
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, field 2, may hold anything, but it ends at the last parenthesis.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "needs /proc")]
    fn this_process_is_alive_and_itself() {
        assert_eq!(this_process(), std::process::id());
        assert!(Identity::this().is_alive());
        assert!(started(this_process()).unwrap() > 0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs /proc")]
    fn another_process_with_the_same_id_is_another() {
        let parent = nix::unistd::getppid().as_raw() as u32;
        let real = Identity { pid: parent, reserved: 0, started: started(parent).unwrap() };
        assert!(real.is_alive());
        let other = Identity { started: real.started + 1, ..real };
        assert!(!other.is_alive() && !other.is(real));
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs /proc")]
    fn an_unknown_start_time_is_no_sign_of_another_process() {
        let parent = nix::unistd::getppid().as_raw() as u32;
        let unknown = Identity { pid: parent, reserved: 0, started: 0 };
        assert!(unknown.is_alive());
        assert!(unknown.is(Identity { started: started(parent).unwrap(), ..unknown }));
        assert!(!unknown.is(Identity { pid: parent + 1, ..unknown }));
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs /proc")]
    fn a_process_that_cannot_be_looked_at_is_alive_and_one_that_is_gone_is_not() {
        let too_many = io::Error::from_raw_os_error(libc::EMFILE);
        assert!(!is_gone(nix::unistd::getppid().as_raw() as u32, &too_many));
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        assert!(is_gone(ended.id(), &too_many));
    }
}
