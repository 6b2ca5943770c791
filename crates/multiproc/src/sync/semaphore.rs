//! Permits that processes take and give back, or pass to each other.

use std::{
    fmt,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    AcquireError, OwnerDied,
    monitor::{Inside, Monitor, MonitorState, Records},
    spin::spin,
    wait_queue::LONGEST_SLEEP,
};
use crate::{
    Error, Result,
    atomic::{
        AtomicU32,
        Ordering::{Acquire, Relaxed},
    },
    process::Identity,
};

/// A number of permits, of which any process can take one as long as there
/// are any.
///
/// Clones are the same semaphore, and so is what another process gets that a
/// handle is given to or sent to. It serves two purposes:
///
/// - *Limiting* how many do something at once: [`acquire`](Self::acquire)
///   returns a [`Permit`], which goes back when it is dropped. The permits of a
///   process that dies go back too, and who gets the first is told.
/// - *Signalling*: one process adds permits by [`release`](Self::release),
///   another takes them for good by [`Permit::forget`].
///
/// ```
/// use multiproc::{Process, Semaphore};
///
/// let done = Semaphore::new(0)?;
/// let mut process = Process::new(|done: Semaphore| done.release().unwrap(), done.clone());
/// process.start()?;
/// done.acquire()?.forget();
/// assert_eq!(done.value(), 0);
/// process.join()?;
/// # Ok::<(), multiproc::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct Semaphore {
    monitor: Monitor<Permits>,
}

/// `total` and each record's word, which is the number of permits that its
/// process has, are authoritative; what is available follows from them.
#[repr(C)]
struct Permits {
    total: AtomicU32,
    available: AtomicU32,
    /// What `total` must not exceed.
    bound: AtomicU32,
}

// SAFETY: atomic words, for which all values are valid.
unsafe impl MonitorState for Permits {
    const KIND: &'static str = "semaphore";

    fn repair(&self, records: Records<'_>) {
        let held = records.map(|(_, record)| record.word.load(Relaxed)).fold(0, u32::wrapping_add);
        self.available.store(self.total.load(Relaxed).saturating_sub(held), Relaxed);
    }
}

impl Semaphore {
    /// A semaphore with `permits` permits.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`] if there is no memory or no descriptor for it.
    pub fn new(permits: u32) -> Result<Self> {
        Self::bounded(permits, u32::MAX)
    }

    pub(super) fn bounded(permits: u32, bound: u32) -> Result<Self> {
        let monitor = Monitor::new(|state: &Permits| {
            state.total.store(permits, Relaxed);
            state.available.store(permits, Relaxed);
            state.bound.store(bound, Relaxed);
        })?;
        Ok(Self { monitor })
    }

    /// Waits for a permit and takes it.
    ///
    /// # Errors
    ///
    /// [`AcquireError::OwnerDied`], which holds the permit, if that belonged to
    /// a process that died; this is noticed when there are no other permits
    /// left, after 50 ms at most. [`AcquireError::Failed`] if more than 65 536
    /// processes have permits.
    pub fn acquire(&self) -> Result<Permit<'_>, AcquireError<Permit<'_>>> {
        self.acquire_until(None)
    }

    /// Takes a permit if there is one.
    ///
    /// # Errors
    ///
    /// [`AcquireError::WouldBlock`] if there is none, and those of
    /// [`acquire`](Self::acquire).
    pub fn try_acquire(&self) -> Result<Permit<'_>, AcquireError<Permit<'_>>> {
        // Others are inside for some nanoseconds, or for longer if they are
        // interrupted there, which does not mean that there is no permit.
        let patience = Some(Instant::now() + LONGEST_SLEEP);
        self.attempt(patience)
            .or_else(|| self.reclaim(patience))
            .unwrap_or(Err(AcquireError::WouldBlock))
    }

    /// Waits for a permit for at most `timeout`, and takes it.
    ///
    /// # Errors
    ///
    /// [`AcquireError::TimedOut`], and those of [`acquire`](Self::acquire).
    pub fn acquire_timeout(
        &self,
        timeout: Duration,
    ) -> Result<Permit<'_>, AcquireError<Permit<'_>>> {
        self.acquire_until(Instant::now().checked_add(timeout))
    }

    /// Adds a permit, for whoever waits for one.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if that were more than 2³² - 1.
    pub fn release(&self) -> Result<()> {
        let inside = self.monitor.enter();
        let state = &inside.state;
        let total = state.total.load(Relaxed);
        let bound = state.bound.load(Relaxed);
        if total >= bound {
            return Err(match bound {
                u32::MAX => {
                    let most = bound as usize;
                    Error::TooLarge { what: "permits", got: most + 1, most }
                }
                bound => Error::ReleasedTooOften { bound },
            });
        }
        state.total.store(total + 1, Relaxed);
        self.add_available(inside, 1);
        Ok(())
    }

    /// Permits that nobody has, at this moment.
    #[must_use]
    pub fn value(&self) -> u32 {
        self.monitor.state.available.load(Acquire)
    }

    fn acquire_until(
        &self,
        deadline: Option<Instant>,
    ) -> Result<Permit<'_>, AcquireError<Permit<'_>>> {
        self.attempt(deadline)
            .or_else(|| spin(|| self.attempt(deadline)))
            .or_else(|| {
                self.monitor.sleepers.wait_until(deadline, || {
                    self.attempt(deadline).or_else(|| self.reclaim(deadline))
                })
            })
            .unwrap_or(Err(AcquireError::TimedOut))
    }

    /// Takes a permit if there is one.
    fn attempt(
        &self,
        deadline: Option<Instant>,
    ) -> Option<Result<Permit<'_>, AcquireError<Permit<'_>>>> {
        // Not worth going in. If somebody has died inside and left a wrong
        // number here, `reclaim` goes in and puts it right.
        if self.monitor.state.available.load(Relaxed) == 0 {
            return None;
        }
        let inside = self.monitor.enter_until(deadline)?;
        self.take(&inside).map(|taken| taken.map_err(AcquireError::Failed))
    }

    fn take(&self, inside: &Inside<'_, Permits>) -> Option<Result<Permit<'_>>> {
        let available = inside.state.available.load(Relaxed);
        if available == 0 {
            return None;
        }
        let this = Identity::this();
        let mut mine = inside.records().filter(|(_, record)| record.owner() == this);
        let (index, record) = match mine.next().map_or_else(|| inside.claim(), Ok) {
            Ok(found) => found,
            Err(error) => return Some(Err(error)),
        };
        // Its owner dies before this: nothing has happened.
        record.word.fetch_add(1, Relaxed);
        inside.state.available.store(available - 1, Relaxed);
        Some(Ok(Permit { semaphore: self, record: index }))
    }

    /// Gives back what a dead process had and takes a permit of it. One such
    /// process at a time, so that somebody is told of each.
    fn reclaim(
        &self,
        deadline: Option<Instant>,
    ) -> Option<Result<Permit<'_>, AcquireError<Permit<'_>>>> {
        let dead = self.monitor.find_dead(deadline);
        if dead.len() > 1 {
            self.monitor.look_again();
        }
        for (index, owner) in dead {
            let inside = self.monitor.enter_until(deadline)?;
            let Some(permits) = inside.bury((index, owner)) else { continue };
            inside.state.available.fetch_add(permits, Relaxed);
            let taken = self.take(&inside);
            drop(inside);
            self.monitor.sleepers.notify_all();
            return taken.map(|taken| match taken {
                Ok(permit) => Err(OwnerDied::new(owner.pid, permit).into()),
                Err(error) => Err(AcquireError::Failed(error)),
            });
        }
        // To look was to go in, which has repaired what there was to repair.
        self.attempt(deadline)
    }

    fn add_available(&self, inside: Inside<'_, Permits>, permits: u32) {
        inside.state.available.fetch_add(permits, Relaxed);
        drop(inside);
        self.monitor.sleepers.notify_one();
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("value", &self.value()).finish()
    }
}

/// A permit of a [`Semaphore`] or a [`BoundedSemaphore`](crate::BoundedSemaphore),
/// which goes back when it is dropped.
///
/// It belongs to the process, so one thread may take it and another drop it.
#[must_use = "the permit goes back when this is dropped"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    record: u32,
}

impl Permit<'_> {
    /// Takes the permit for good: the semaphore has one less, until somebody
    /// [releases](Semaphore::release) one.
    pub fn forget(self) {
        let permit = std::mem::ManuallyDrop::new(self);
        let inside = permit.semaphore.monitor.enter();
        if permit.leave_record(&inside) {
            // Dies its owner before this, then the permit went back.
            inside.state.total.fetch_sub(1, Relaxed);
        }
    }

    /// Whether the permit was this process's, which it is not in the copy of
    /// a process that somebody has forked by hand.
    fn leave_record(&self, inside: &Inside<'_, Permits>) -> bool {
        let record = inside.record(self.record);
        let is_mine = !record.is_free() && record.owner().is(Identity::this());
        if is_mine {
            record.word.fetch_sub(1, Relaxed);
        }
        is_mine
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let inside = self.semaphore.monitor.enter();
        if self.leave_record(&inside) {
            self.semaphore.add_available(inside, 1);
        }
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody goes inside, does `half` of something, and dies.
    fn dies_inside(semaphore: &Semaphore, half: impl FnOnce(&Inside<'_, Permits>) + Send) {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let inside = semaphore.monitor.enter();
                half(&inside);
                std::mem::forget(inside);
            });
        });
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn what_was_half_taken_by_who_died_is_not_taken() {
        let semaphore = Semaphore::new(2).unwrap();
        dies_inside(&semaphore, |inside| {
            inside.state.available.fetch_sub(1, Relaxed);
        });
        let permits = [(); 2].map(|()| semaphore.try_acquire().unwrap());
        assert!(matches!(semaphore.try_acquire(), Err(AcquireError::WouldBlock)));
        drop(permits);
        assert_eq!(semaphore.value(), 2);
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn what_was_half_released_by_who_died_is_released() {
        let semaphore = Semaphore::new(0).unwrap();
        dies_inside(&semaphore, |inside| {
            inside.state.total.fetch_add(1, Relaxed);
        });
        // Nothing is available yet: it takes a look inside.
        semaphore.acquire().unwrap().forget();
        assert_eq!(semaphore.value(), 0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn a_permit_that_was_half_given_back_by_who_died_is_back() {
        let semaphore = Semaphore::new(1).unwrap();
        let permit = std::mem::ManuallyDrop::new(semaphore.acquire().unwrap());
        dies_inside(&semaphore, |inside| assert!(permit.leave_record(inside)));
        drop(semaphore.acquire().unwrap());
        assert_eq!(semaphore.value(), 1);
    }
}
