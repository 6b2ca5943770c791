//! Waiting, with a lock given back, for others to say that something changed.

use std::{
    fmt,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    AcquireError, Lock, LockGuard, OwnerDied, RLock, RLockGuard,
    lock_id::LockId,
    monitor::{Inside, Monitor},
    mutex::{Acquired, RobustMutex},
    suspend::{Suspend, Suspended},
    wait_queue::LONGEST_SLEEP,
    waiters::{self, Waiters},
};
use crate::{Error, Result};

/// A lock, and a place to wait with the lock given back until another process
/// says that something has changed.
///
/// Clones are the same condition, and so is what another process gets that a
/// handle is given to or sent to. `L` is [`Lock`] or [`RLock`].
///
/// Waiters are woken in the order in which they came, each notification wakes
/// one that waits at the time, and none wakes for no reason.
///
/// ```
/// use multiproc::{Condition, Event, Process};
///
/// let (condition, ready) = (Condition::new()?, Event::new()?);
/// let mut process = Process::new(
///     |(condition, ready): (Condition, Event)| {
///         let _guard = condition.acquire().unwrap();
///         ready.set();
///         condition.notify_one();
///     },
///     (condition.clone(), ready.clone()),
/// );
/// process.start()?;
/// let guard = condition.acquire()?;
/// let guard = condition.wait_for(guard, || ready.is_set())?;
/// drop(guard);
/// process.join()?;
/// # Ok::<(), multiproc::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct Condition<L = Lock> {
    lock: L,
    monitor: Monitor<Waiters>,
}

/// A lock that a [`Condition`] can be made with: [`Lock`] or [`RLock`].
pub trait ConditionLock: sealed::Sealed {
    /// What has the lock.
    type Guard<'a>: ConditionGuard
    where
        Self: 'a;

    #[doc(hidden)]
    fn acquire_for_condition(&self) -> Result<Self::Guard<'_>, OwnerDied<Self::Guard<'_>>>;

    #[doc(hidden)]
    fn id(&self) -> LockId;
}

/// A guard that [`Condition::wait`] can give back for a while.
#[expect(private_bounds, reason = "how it is given back is nobody else's business")]
pub trait ConditionGuard: Suspend {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Lock {}
    impl Sealed for super::RLock {}
}

impl ConditionLock for Lock {
    type Guard<'a> = LockGuard<'a>;

    fn acquire_for_condition(&self) -> Result<LockGuard<'_>, OwnerDied<LockGuard<'_>>> {
        self.acquire()
    }

    fn id(&self) -> LockId {
        Lock::id(self)
    }
}

impl ConditionLock for RLock {
    type Guard<'a> = RLockGuard<'a>;

    fn acquire_for_condition(&self) -> Result<RLockGuard<'_>, OwnerDied<RLockGuard<'_>>> {
        self.acquire()
    }

    fn id(&self) -> LockId {
        RLock::id(self)
    }
}

impl ConditionGuard for LockGuard<'_> {}
impl ConditionGuard for RLockGuard<'_> {}

impl Condition {
    /// A condition with a lock of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](crate::Error::Memory) if there is no memory or no descriptor for it.
    pub fn new() -> Result<Self> {
        Self::with_lock(Lock::new()?)
    }
}

impl<L: ConditionLock> Condition<L> {
    /// A condition with a lock that may be that of others too.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](crate::Error::Memory) if there is no memory or no descriptor for it.
    pub fn with_lock(lock: L) -> Result<Self> {
        Ok(Self { lock, monitor: Monitor::new(|_| ())? })
    }

    /// The lock.
    pub fn lock(&self) -> &L {
        &self.lock
    }

    /// Waits until nobody else has the lock, and takes it.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`], which holds the guard.
    pub fn acquire(&self) -> Result<L::Guard<'_>, OwnerDied<L::Guard<'_>>> {
        self.lock.acquire_for_condition()
    }

    /// Gives the lock back, waits for a notification, and takes the lock
    /// again. A recursive one is given back altogether.
    ///
    /// The guard is one of this condition's lock, through whichever handle.
    ///
    /// # Errors
    ///
    /// [`AcquireError::OwnerDied`], which holds the guard, if the owner of the
    /// lock died, also if it did so instead of notifying.
    /// [`AcquireError::Failed`] if the guard is another lock's
    /// ([`Error::ForeignGuard`]), if more than 65 536 wait, or if there is no
    /// memory for one more; then the guard is dropped.
    pub fn wait<G: ConditionGuard>(&self, guard: G) -> Result<G, AcquireError<G>> {
        only_the_guard(self.wait_until(guard, None))
    }

    /// The same, but waits for a notification not longer than `timeout`. Says
    /// whether there was one.
    ///
    /// The lock is taken again however long that takes.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait).
    pub fn wait_timeout<G: ConditionGuard>(
        &self,
        guard: G,
        timeout: Duration,
    ) -> Result<(G, bool), AcquireError<(G, bool)>> {
        self.wait_until(guard, Instant::now().checked_add(timeout))
    }

    /// Waits until `predicate`, asked with the lock taken, says yes. It is asked
    /// first thing, after each notification, and every 50 ms: a process that
    /// died between a change and its notification strands nobody.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait).
    pub fn wait_for<G: ConditionGuard>(
        &self,
        guard: G,
        predicate: impl FnMut() -> bool,
    ) -> Result<G, AcquireError<G>> {
        only_the_guard(self.wait_for_until(guard, None, predicate))
    }

    /// The same, but not longer than `timeout`. Says what the predicate said
    /// last.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait).
    pub fn wait_for_timeout<G: ConditionGuard>(
        &self,
        guard: G,
        timeout: Duration,
        predicate: impl FnMut() -> bool,
    ) -> Result<(G, bool), AcquireError<(G, bool)>> {
        self.wait_for_until(guard, Instant::now().checked_add(timeout), predicate)
    }

    /// Wakes the one that has waited longest, if any does.
    ///
    /// The caller should have the lock, or a waiter may just have looked at
    /// what is about to change and not wait yet.
    pub fn notify_one(&self) {
        self.notify(1);
    }

    /// Wakes the `n` that have waited longest, or all if there are fewer.
    pub fn notify(&self, n: usize) {
        self.notify_inside(self.monitor.enter(), n);
    }

    /// Wakes all that wait.
    pub fn notify_all(&self) {
        self.notify(usize::MAX);
    }

    /// As [`notify_one`](Self::notify_one), but waits not longer than `timeout`
    /// for a process that was stopped (`SIGSTOP`) in the middle of a call of
    /// this condition's.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`]; then nobody is notified.
    pub fn notify_one_timeout(&self, timeout: Duration) -> Result<()> {
        self.notify_timeout(1, timeout)
    }

    /// The same for [`notify`](Self::notify).
    ///
    /// # Errors
    ///
    /// As for [`notify_one_timeout`](Self::notify_one_timeout).
    pub fn notify_timeout(&self, n: usize, timeout: Duration) -> Result<()> {
        let deadline = Instant::now().checked_add(timeout);
        let inside = self.monitor.enter_until(deadline).ok_or(Error::TimedOut)?;
        self.notify_inside(inside, n);
        Ok(())
    }

    /// The same for [`notify_all`](Self::notify_all).
    ///
    /// # Errors
    ///
    /// As for [`notify_one_timeout`](Self::notify_one_timeout).
    pub fn notify_all_timeout(&self, timeout: Duration) -> Result<()> {
        self.notify_timeout(usize::MAX, timeout)
    }

    fn notify_inside(&self, inside: Inside<'_, Waiters>, n: usize) {
        let now = inside.state.now();
        let to_be_woken = waiters::notify(self.monitor.records(), n, now);
        drop(inside);
        waiters::wake(to_be_woken);
    }

    fn wait_for_until<G: ConditionGuard>(
        &self,
        mut guard: G,
        deadline: Option<Instant>,
        mut predicate: impl FnMut() -> bool,
    ) -> Result<(G, bool), AcquireError<(G, bool)>> {
        self.check(&guard).map_err(AcquireError::Failed)?;
        loop {
            if predicate() {
                return Ok((guard, true));
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Ok((guard, false));
            }
            let look = now + LONGEST_SLEEP;
            let until = deadline.map_or(look, |deadline| deadline.min(look));
            guard = only_the_guard(self.wait_until(guard, Some(until)))
                .map_err(|error| error.map(|guard| (guard, false)))?;
        }
    }

    fn wait_until<G: ConditionGuard>(
        &self,
        guard: G,
        deadline: Option<Instant>,
    ) -> Result<(G, bool), AcquireError<(G, bool)>> {
        self.check(&guard).map_err(AcquireError::Failed)?;
        let Some(inside) = self.monitor.enter_until(deadline) else { return Ok((guard, false)) };
        let record = waiters::enlist(&inside).map_err(AcquireError::Failed)?;
        drop(inside);
        let suspended = guard.suspend();
        let from_dead = waiters::sleep(record, deadline, || {
            self.pass_on_from_the_dead(deadline);
            taken_from_the_dead(suspended.mutex())
        });
        let notified = waiters::leave(record);
        match suspended.resume(from_dead) {
            Ok(guard) => Ok((guard, notified)),
            Err(died) => Err(died.map(|guard| (guard, notified)).into()),
        }
    }

    /// Whether the guard is one of this condition's lock: with another's, a
    /// notification could come between the look at what is waited for and the wait.
    fn check(&self, guard: &impl ConditionGuard) -> Result<()> {
        if guard.lock_id() == self.lock.id() { Ok(()) } else { Err(Error::ForeignGuard) }
    }

    /// Gives the records of dead waiters back. If one was notified, another
    /// that waited at that time is notified instead.
    fn pass_on_from_the_dead(&self, deadline: Option<Instant>) {
        for dead in self.monitor.find_dead(deadline) {
            let Some(inside) = self.monitor.enter_until(deadline) else { return };
            let to_be_woken = waiters::bury(&inside, dead);
            drop(inside);
            waiters::wake(to_be_woken);
        }
    }
}

/// Takes the mutex if its owner has died.
fn taken_from_the_dead(mutex: &RobustMutex) -> Option<Acquired> {
    // Nobody has it: not worth an attempt.
    mutex.holder()?;
    match mutex.try_lock()? {
        Acquired::Cleanly => {
            // SAFETY: just taken.
            unsafe { mutex.unlock() };
            None
        }
        died => Some(died),
    }
}

fn only_the_guard<G>(
    outcome: Result<(G, bool), AcquireError<(G, bool)>>,
) -> Result<G, AcquireError<G>> {
    outcome.map(|(guard, _)| guard).map_err(|error| error.map(|(guard, _)| guard))
}

impl<L: fmt::Debug> fmt::Debug for Condition<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition").field("lock", &self.lock).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::stopped::stopped_after;

    #[test]
    #[cfg_attr(miri, ignore = "needs processes")]
    fn a_process_stopped_inside_delays_timed_calls_only_as_long_as_they_like() {
        let condition = Condition::new().unwrap();
        let stopped = stopped_after(condition.clone(), |condition: &Condition| {
            std::mem::forget(condition.monitor.enter());
        });
        let soon = Duration::from_millis(20);
        let outcomes = [
            condition.notify_one_timeout(soon),
            condition.notify_timeout(3, soon),
            condition.notify_all_timeout(soon),
        ];
        for outcome in outcomes {
            assert!(matches!(outcome, Err(Error::TimedOut)), "{outcome:?}");
        }
        let guard = condition.acquire().unwrap();
        let (guard, notified) = condition.wait_timeout(guard, soon).unwrap();
        assert!(!notified);
        let (guard, reached) = condition.wait_for_timeout(guard, soon, || false).unwrap();
        assert!(!reached);
        drop((guard, stopped));
        condition.notify_one_timeout(soon).unwrap();
    }
}
