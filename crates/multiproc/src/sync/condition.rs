//! Waiting, with a lock given back, for others to say that something changed.

use std::{
    fmt,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    AcquireError, Lock, LockGuard, OwnerDied, RLock, RLockGuard,
    monitor::{Inside, Monitor, MonitorState, Record, Records},
    mutex::{Acquired, RobustMutex},
    spin::spin,
    suspend::{Suspend, Suspended},
    wait_queue::LONGEST_SLEEP,
};
use crate::{
    Result,
    atomic::{
        AtomicU32,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
    futex,
};

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

/// Each record's word, which is one of the three below, is authoritative for
/// one waiter. Its note is the waiter's number, or, once it is notified, the
/// number from which on waiters came later than the notification.
#[repr(C)]
struct Waiters {
    /// The number of the next waiter.
    next: AtomicU32,
}

/// On its way to sleep.
const WAITING: u32 = 1;
/// To be woken by a system call.
const SLEEPING: u32 = 2;
const NOTIFIED: u32 = 3;

// SAFETY: an atomic word, for which all values are valid.
unsafe impl MonitorState for Waiters {
    const KIND: &'static str = "condition";

    fn repair(&self, _: Records<'_>) {
        // Nothing follows from anything else here.
    }
}

/// A lock that a [`Condition`] can be made with: [`Lock`] or [`RLock`].
pub trait ConditionLock: sealed::Sealed {
    /// What has the lock.
    type Guard<'a>: ConditionGuard
    where
        Self: 'a;

    #[doc(hidden)]
    fn acquire_for_condition(&self) -> Result<Self::Guard<'_>, OwnerDied<Self::Guard<'_>>>;
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
}

impl ConditionLock for RLock {
    type Guard<'a> = RLockGuard<'a>;

    fn acquire_for_condition(&self) -> Result<RLockGuard<'_>, OwnerDied<RLockGuard<'_>>> {
        self.acquire()
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
    /// The guard must be one of this condition's lock, through whichever
    /// handle: with another lock's, a notification could come between the look
    /// at what is waited for and the wait.
    ///
    /// # Errors
    ///
    /// [`AcquireError::OwnerDied`], which holds the guard, if the owner of the
    /// lock died, also if it did so instead of notifying.
    /// [`AcquireError::Failed`] if more than 65 536 wait, or if there is no
    /// memory for one more; then the lock is given back.
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
        let inside = self.monitor.enter();
        let now = inside.state.next.load(Relaxed);
        wake(inside, n, now);
    }

    /// Wakes all that wait.
    pub fn notify_all(&self) {
        self.notify(usize::MAX);
    }

    fn wait_for_until<G: ConditionGuard>(
        &self,
        mut guard: G,
        deadline: Option<Instant>,
        mut predicate: impl FnMut() -> bool,
    ) -> Result<(G, bool), AcquireError<(G, bool)>> {
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
        let record = self.enlist().map_err(AcquireError::Failed)?;
        let suspended = guard.suspend();
        let from_dead = self.sleep(record, deadline, suspended.mutex());
        // Gives the record back and sees in the same step whether somebody has
        // notified it. Pairs with the Release in `wake`.
        let notified = record.word.swap(0, AcqRel) == NOTIFIED;
        match suspended.resume(from_dead) {
            Ok(guard) => Ok((guard, notified)),
            Err(died) => Err(died.map(|guard| (guard, notified)).into()),
        }
    }

    fn enlist(&self) -> Result<&Record> {
        let inside = self.monitor.enter();
        let (_, record) = inside.claim()?;
        let number = inside.state.next.load(Relaxed);
        inside.state.next.store(number.wrapping_add(1), Relaxed);
        record.note.store(number, Relaxed);
        record.word.store(WAITING, Relaxed);
        Ok(record)
    }

    /// Sleeps until the record is notified, or for its own reasons. If the
    /// owner of `mutex` has died it is taken.
    fn sleep(
        &self,
        record: &Record,
        deadline: Option<Instant>,
        mutex: &RobustMutex,
    ) -> Option<Acquired> {
        let is_notified = || record.word.load(Acquire) == NOTIFIED;
        if spin(|| is_notified().then_some(())).is_some() {
            return None;
        }
        // Whoever notifies it later makes the system call.
        let _ = record.word.compare_exchange(WAITING, SLEEPING, Relaxed, Relaxed);
        while !is_notified() {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return None;
            }
            let nap = left.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
            futex::wait(&record.word, SLEEPING, Some(nap));
            if !is_notified() {
                self.pass_on_from_the_dead(deadline);
                if let Some(acquired) = taken_from_the_dead(mutex) {
                    return Some(acquired);
                }
            }
        }
        None
    }

    /// Gives the records of dead waiters back. If one was notified, another
    /// that waited at that time is notified instead.
    fn pass_on_from_the_dead(&self, deadline: Option<Instant>) {
        for (index, owner) in self.monitor.find_dead(deadline) {
            let Some(inside) = self.monitor.enter_until(deadline) else { return };
            let before = inside.record(index).note.load(Relaxed);
            if inside.bury((index, owner)) == Some(NOTIFIED) {
                wake(inside, 1, before);
            }
        }
    }
}

/// Notifies the `n` that have waited longest of those that came before the
/// number `before`, then wakes those that sleep.
fn wake(inside: Inside<'_, Waiters>, n: usize, before: u32) {
    let mut waiting: Vec<(u32, &Record)> = inside
        .monitor()
        .records()
        .filter(|(_, record)| matches!(record.word.load(Relaxed), WAITING | SLEEPING))
        .map(|(_, record)| (before.wrapping_sub(record.note.load(Relaxed)), record))
        // Numbers wrap: half of them are before.
        .filter(|&(age, _)| age != 0 && age <= u32::MAX / 2)
        .collect();
    waiting.sort_unstable_by_key(|&(age, _)| std::cmp::Reverse(age));
    let mut notified = 0;
    let mut to_be_woken = Vec::new();
    for (_, record) in waiting {
        if notified == n {
            break;
        }
        record.note.store(before, Relaxed);
        let was = become_notified(record);
        notified += usize::from(was.is_some());
        if was == Some(SLEEPING) {
            to_be_woken.push(record);
        }
    }
    // Others need not wait inside for these system calls.
    drop(inside);
    for record in to_be_woken {
        futex::wake(&record.word, 1);
    }
}

/// What the record was before; `None` if its waiter waits no more.
fn become_notified(record: &Record) -> Option<u32> {
    let mut was = record.word.load(Relaxed);
    while matches!(was, WAITING | SLEEPING) {
        // Pairs with the Acquire in `is_notified` and `wait_until`.
        match record.word.compare_exchange(was, NOTIFIED, AcqRel, Relaxed) {
            Ok(_) => return Some(was),
            Err(now) => was = now,
        }
    }
    None
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
