//! Sleeping until somebody in another process has changed something.
//!
//! An event count (Reed and Kanodia, "Synchronization with eventcounts and
//! sequencers", 1979) on a futex: a waiter announces itself, looks once more
//! whether it must wait at all, and sleeps only while the word is as it was
//! then. A notifier makes no system call when nobody sleeps.
//!
//! A waiter can be killed at any moment, after it was woken too. Then its
//! wake-up is lost to the others. So nobody sleeps longer than
//! [`LONGEST_SLEEP`] without looking.

use std::time::{Duration, Instant};

use crate::{
    atomic::{
        AtomicU32,
        Ordering::{Relaxed, SeqCst},
        fence,
    },
    futex,
};

/// What a death in the wrong moment can cost the others; twenty looks a
/// second cost a sleeper less than a thousandth of a core.
pub(crate) const LONGEST_SLEEP: Duration = Duration::from_millis(50);

/// A place in shared memory to sleep at. All zero bytes: nobody sleeps.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct WaitQueue {
    /// Above [`SLEEPERS`] the count of notifications.
    word: AtomicU32,
}

/// Somebody may sleep. Set by waiters and cleared by notifiers, so that a dead
/// waiter's trace goes away.
const SLEEPERS: u32 = 1;
const ONE_NOTIFICATION: u32 = 2;

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
            let announced = self.announce();
            if let Some(value) = attempt() {
                return Some(value);
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return None;
            }
            let nap = left.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
            futex::wait(&self.word, announced, Some(nap));
        }
    }

    fn announce(&self) -> u32 {
        let announced = self.word.fetch_or(SLEEPERS, SeqCst) | SLEEPERS;
        // Pairs with the fence in `has_sleepers`: either the notifier sees the
        // flag, or the attempt that follows sees what the notifier has done.
        fence(SeqCst);
        announced
    }

    fn has_sleepers(&self) -> bool {
        // Pairs with the fence in `announce`.
        fence(SeqCst);
        self.word.load(Relaxed) & SLEEPERS != 0
    }

    /// Wakes one sleeper, if there is one.
    pub(crate) fn notify_one(&self) {
        if !self.has_sleepers() {
            return;
        }
        let word = self.word.fetch_add(ONE_NOTIFICATION, SeqCst).wrapping_add(ONE_NOTIFICATION);
        if futex::wake(&self.word, 1) > 0 {
            // Others may still sleep: the flag stays.
            return;
        }
        if self.word.compare_exchange(word, without_sleepers(word), SeqCst, Relaxed).is_ok() {
            // Who has fallen asleep since is not announced any more.
            futex::wake_all(&self.word);
        }
    }

    /// Wakes all sleepers.
    pub(crate) fn notify_all(&self) {
        if !self.has_sleepers() {
            return;
        }
        // Cleared before anybody is woken. Who has announced itself before and
        // goes to sleep after this does not: the word has changed.
        let mut word = self.word.load(Relaxed);
        while let Err(now) =
            self.word.compare_exchange(word, without_sleepers(word), SeqCst, Relaxed)
        {
            word = now;
        }
        futex::wake_all(&self.word);
    }
}

/// Counts too, or the next announcement would bring the word back that
/// somebody is about to sleep on.
const fn without_sleepers(word: u32) -> u32 {
    word.wrapping_add(ONE_NOTIFICATION) & !SLEEPERS
}
