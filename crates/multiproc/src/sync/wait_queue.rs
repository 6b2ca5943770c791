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

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::{sync::Arc, thread};

    use super::*;
    use crate::atomic::Ordering::AcqRel;

    /// Permits that waiters take one at a time.
    #[derive(Default)]
    struct Permits {
        number: AtomicU32,
        sleepers: WaitQueue,
    }

    impl Permits {
        fn take(&self) {
            self.sleepers
                .wait_until(None, || {
                    let less = |number: u32| number.checked_sub(1);
                    self.number.fetch_update(AcqRel, Relaxed, less).ok()
                })
                .expect("no deadline");
        }

        fn add(&self) {
            self.number.fetch_add(1, Relaxed);
            self.sleepers.notify_one();
        }
    }

    fn model(preemptions: usize, check: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(preemptions);
        builder.check(check);
    }

    #[test]
    fn loom_a_waiter_is_not_left_asleep() {
        model(4, || {
            let permits = Arc::new(Permits::default());
            let waiter = thread::spawn({
                let permits = Arc::clone(&permits);
                move || permits.take()
            });
            permits.add();
            waiter.join().unwrap();
        });
    }

    #[test]
    fn loom_each_of_two_notifications_wakes_a_waiter() {
        model(3, || {
            let permits = Arc::new(Permits::default());
            let waiters = [(); 2].map(|()| {
                let permits = Arc::clone(&permits);
                thread::spawn(move || permits.take())
            });
            permits.add();
            permits.add();
            waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        });
    }

    #[test]
    fn loom_notifiers_do_not_lose_each_others_sleepers() {
        model(3, || {
            let permits = Arc::new(Permits::default());
            let notifier = thread::spawn({
                let permits = Arc::clone(&permits);
                move || permits.add()
            });
            let waiter = thread::spawn({
                let permits = Arc::clone(&permits);
                move || permits.take()
            });
            permits.add();
            permits.take();
            waiter.join().unwrap();
            notifier.join().unwrap();
        });
    }

    #[test]
    fn loom_notify_all_leaves_nobody_asleep() {
        model(3, || {
            let shared = Arc::new(Permits::default());
            let waiters = [(); 2].map(|()| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let is_open = || (shared.number.load(Relaxed) > 0).then_some(());
                    shared.sleepers.wait_until(None, is_open)
                })
            });
            shared.number.store(1, Relaxed);
            shared.sleepers.notify_all();
            for waiter in waiters {
                assert_eq!(waiter.join().unwrap(), Some(()));
            }
        });
    }
}
