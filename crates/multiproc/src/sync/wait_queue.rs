//! Sleeping until somebody in another process has changed something.
//!
//! An event count (Reed and Kanodia, "Synchronization with eventcounts and
//! sequencers", 1979) on a futex: a waiter notes the count, looks once more
//! whether it must wait at all, and sleeps only while the count is unchanged.
//! A notifier makes no system call when nobody sleeps.
//!
//! A waiter can be killed at any moment, after it was woken too. Then its
//! wake-up is lost to the others. So nobody sleeps longer than
//! [`LONGEST_SLEEP`] without looking.

use std::{
    sync::atomic::{
        AtomicU32,
        Ordering::{Relaxed, SeqCst},
        fence,
    },
    time::{Duration, Instant},
};

use crate::futex;

/// What a death in the wrong moment can cost the others; twenty looks a
/// second cost a sleeper less than a thousandth of a core.
pub(crate) const LONGEST_SLEEP: Duration = Duration::from_millis(50);

/// A place in shared memory to sleep at. All zero bytes: nobody sleeps.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct WaitQueue {
    count: AtomicU32,
    /// Whether somebody may sleep; set by waiters, cleared by notifiers, so
    /// that a dead waiter's trace goes away.
    sleepers: AtomicU32,
}

impl WaitQueue {
    /// Returns what `attempt` gives as soon as it gives something, having
    /// looked at least once; `None` when `deadline` has passed. Everything
    /// that can make it succeed must be followed by a notification.
    pub(crate) fn wait_until<T>(
        &self,
        deadline: Option<Instant>,
        mut attempt: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        if let Some(value) = attempt() {
            return Some(value);
        }
        loop {
            let count = self.announce();
            if let Some(value) = attempt() {
                return Some(value);
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return None;
            }
            futex::wait(&self.count, count, Some(left.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP)));
        }
    }

    fn announce(&self) -> u32 {
        // Before the flag is set: a notifier that clears the flag later adds
        // to the count later too, so the futex will not let us sleep.
        let count = self.count.load(SeqCst);
        self.sleepers.store(1, SeqCst);
        // Pairs with the fence in `notify`: either the notifier sees the flag,
        // or the attempt that follows sees what the notifier has done.
        fence(SeqCst);
        count
    }

    /// Wakes one sleeper, if there is one.
    pub(crate) fn notify_one(&self) {
        self.notify(1);
    }

    /// Wakes all sleepers.
    pub(crate) fn notify_all(&self) {
        self.notify(u32::MAX);
    }

    fn notify(&self, most: u32) {
        fence(SeqCst);
        if self.sleepers.load(Relaxed) == 0 {
            return;
        }
        // Cleared before anybody is woken; set again if others may still sleep.
        self.sleepers.store(0, SeqCst);
        self.count.fetch_add(1, SeqCst);
        if futex::wake(&self.count, most) > 0 && most != u32::MAX {
            self.sleepers.store(1, SeqCst);
        }
    }
}
