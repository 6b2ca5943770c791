//! Which process is which.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use bytemuck::{Pod, Zeroable};
use nix::poll::{PollFd, PollFlags, PollTimeout};

/// Cached, since asking the kernel takes longer than a lock does. 0: not
/// asked yet.
static THIS_PROCESS: AtomicU32 = AtomicU32::new(0);

/// The id of this process.
#[inline]
pub(crate) fn this_process() -> u32 {
    match THIS_PROCESS.load(Relaxed) {
        0 => {
            let pid = std::process::id();
            THIS_PROCESS.store(pid, Relaxed);
            pid
        }
        pid => pid,
    }
}

/// For a child that was just forked.
pub(crate) fn forget_this_process() {
    THIS_PROCESS.store(0, Relaxed);
}

/// A process for all time: its id can be another's once it has ended, but
/// never with the same start time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    reserved: u32,
    /// In clock ticks since the system started.
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
                let identity = Self { pid, reserved: 0, started: started(pid).unwrap_or(0) };
                CACHED.set(Some(identity));
                identity
            }
        }
    }

    /// Whether the process still runs; a zombie does not.
    pub(crate) fn is_alive(self) -> bool {
        if self.pid == this_process() {
            return true;
        }
        let Ok(pidfd) = super::supervised::open_pidfd(self.pid as libc::pid_t) else {
            return false;
        };
        let mut fds = [PollFd::new(std::os::fd::AsFd::as_fd(&pidfd), PollFlags::POLLIN)];
        let ended = nix::poll::poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0);
        !ended && started(self.pid) == Some(self.started)
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
        assert!(!Identity { started: real.started + 1, ..real }.is_alive());
    }
}
