//! Sleeping on a word of shared memory, and waking its sleepers.
//!
//! The shared (not process-private) variants, since the word may lie in
//! memory that several processes map.

#[cfg(not(loom))]
pub(crate) use kernel::{wait, wake};
#[cfg(loom)]
pub(crate) use model::{wait, wake};

use crate::atomic::AtomicU32;

/// Wakes everybody who sleeps on the word.
pub(crate) fn wake_all(word: &AtomicU32) {
    wake(word, u32::MAX);
}

#[cfg(not(loom))]
mod kernel {
    use std::time::Duration;

    use super::AtomicU32;

    /// Sleeps until the word is no longer `expected`, somebody wakes it, the
    /// timeout passes, or for no reason at all: callers loop.
    pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
        let timeout = timeout.map(|timeout| libc::timespec {
            tv_sec: timeout.as_secs() as libc::time_t,
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let timeout_ptr = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: FUTEX_WAIT reads the aligned word, which lives as long as the
        // borrow, and the timespec, which lives to the end of this function. All
        // its errors (value changed, signal, time-out) mean "look again".
        unsafe {
            libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, expected, timeout_ptr)
        };
    }

    /// Wakes at most `most` of those who sleep on the word; returns how many it were.
    pub(crate) fn wake(word: &AtomicU32, most: u32) -> u32 {
        let most = most.min(i32::MAX as u32);
        // SAFETY: FUTEX_WAKE uses the address as a key only.
        let woken =
            unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, most) };
        u32::try_from(woken).unwrap_or(0)
    }
}

/// The kernel's part in a model: first come, first woken. Nobody is
/// woken for any other reason and no timeout passes, so that a wake-up that is
/// lost is a deadlock, which loom reports.
#[cfg(loom)]
mod model {
    use std::{collections::VecDeque, time::Duration};

    use loom::sync::{Condvar, Mutex};

    use super::AtomicU32;
    use crate::atomic::Ordering::SeqCst;

    #[derive(Default)]
    struct Sleepers {
        next: usize,
        /// Who sleeps, and the address of the word that it sleeps on.
        asleep: VecDeque<(usize, usize)>,
    }

    loom::lazy_static! {
        static ref SLEEPERS: Mutex<Sleepers> = Mutex::new(Sleepers::default());
        static ref WOKEN: Condvar = Condvar::new();
    }

    pub(crate) fn wait(word: &AtomicU32, expected: u32, _: Option<Duration>) {
        let mut sleepers = SLEEPERS.lock().unwrap();
        // The kernel sees the latest value; so does a read-modify-write.
        if word.fetch_add(0, SeqCst) != expected {
            return;
        }
        let me = (sleepers.next, address(word));
        sleepers.next += 1;
        sleepers.asleep.push_back(me);
        while sleepers.asleep.contains(&me) {
            sleepers = WOKEN.wait(sleepers).unwrap();
        }
    }

    pub(crate) fn wake(word: &AtomicU32, most: u32) -> u32 {
        let mut sleepers = SLEEPERS.lock().unwrap();
        let mut woken = 0;
        sleepers.asleep.retain(|&(_, on)| {
            let is_woken = on == address(word) && woken < most;
            woken += u32::from(is_woken);
            !is_woken
        });
        WOKEN.notify_all();
        woken
    }

    fn address(word: &AtomicU32) -> usize {
        std::ptr::from_ref(word).addr()
    }
}
