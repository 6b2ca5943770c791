//! Permits that processes take and give back, or pass to each other.

use std::{
    fmt,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    AcquireError, OwnerDied,
    monitor::{Inside, Monitor, Record},
    permits::Permits,
    spin::spin,
    wait_queue::LONGEST_SLEEP,
};
use crate::{Result, process::Identity};

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

impl Semaphore {
    /// A semaphore with `permits` permits.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](crate::Error::Memory) if there is no memory or no descriptor for it.
    pub fn new(permits: u32) -> Result<Self> {
        Self::bounded(permits, u32::MAX)
    }

    pub(super) fn bounded(permits: u32, bound: u32) -> Result<Self> {
        let monitor = Monitor::new(|state: &Permits| state.initialise(permits, bound))?;
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
    /// Like giving a permit back or [forgetting](Permit::forget) it, this waits
    /// for nobody, so it has no form with a timeout.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`](crate::Error::TooLarge) if that were more than 2³² - 1.
    pub fn release(&self) -> Result<()> {
        self.monitor.state.add()?;
        self.monitor.sleepers.notify_one();
        Ok(())
    }

    /// Permits that nobody has, at this moment.
    #[must_use]
    pub fn value(&self) -> u32 {
        self.monitor.state.available(self.monitor.records())
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
        // Not worth going in.
        if self.value() == 0 {
            return None;
        }
        let inside = self.monitor.enter_until(deadline)?;
        self.take(&inside).map(|taken| taken.map_err(AcquireError::Failed))
    }

    fn take(&self, inside: &Inside<'_, Permits>) -> Option<Result<Permit<'_>>> {
        if self.value() == 0 {
            return None;
        }
        let this = Identity::this();
        let mut mine = inside.records().filter(|(_, record)| record.owner() == this);
        let (index, record) = match mine.next().map_or_else(|| inside.claim(), Ok) {
            Ok(found) => found,
            Err(error) => return Some(Err(error)),
        };
        Permits::take(record);
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
            let taken = self.take(&inside);
            drop(inside);
            self.monitor.sleepers.notify_all();
            tracing::warn!(target: "multiproc", pid = owner.pid, permits, "permits reclaimed");
            return taken.map(|taken| match taken {
                Ok(permit) => Err(OwnerDied::new(owner.pid, permit).into()),
                Err(error) => Err(AcquireError::Failed(error)),
            });
        }
        // Somebody else may have been faster, and left some.
        self.attempt(deadline)
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
    ///
    /// Waits for nobody.
    pub fn forget(self) {
        let permit = std::mem::ManuallyDrop::new(self);
        let Some(record) = permit.record() else { return };
        let monitor = &permit.semaphore.monitor;
        if monitor.state.forget(record, monitor.records()) {
            monitor.sleepers.notify_one();
        }
    }

    /// Where the permit is noted, if it is this process's, which it is not in
    /// the copy of a process that somebody has forked by hand. The record
    /// stays this process's as long as the permit does.
    fn record(&self) -> Option<&Record> {
        let record = self.semaphore.monitor.record(self.record);
        (!record.is_free() && record.owner().is(Identity::this())).then_some(record)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(record) = self.record() {
            Permits::give_back(record);
            self.semaphore.monitor.sleepers.notify_one();
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
    use crate::sync::stopped::stopped_after;

    #[test]
    #[cfg_attr(miri, ignore = "needs processes")]
    fn a_process_stopped_inside_keeps_nobody_from_giving_permits_back_and_adding_some() {
        let semaphore = Semaphore::new(3).unwrap();
        let permits = [(); 3].map(|()| semaphore.acquire().unwrap());
        let stopped = stopped_after(semaphore.clone(), |semaphore: &Semaphore| {
            std::mem::forget(semaphore.monitor.enter());
        });
        let [dropped, forgotten, _kept] = permits;
        drop(dropped);
        assert_eq!(semaphore.value(), 1);
        forgotten.forget();
        assert_eq!(semaphore.value(), 1);
        semaphore.release().unwrap();
        assert_eq!(semaphore.value(), 2);
        // To take one has to wait.
        let soon = Duration::from_millis(20);
        assert!(matches!(semaphore.acquire_timeout(soon), Err(AcquireError::TimedOut)));
        assert!(matches!(semaphore.try_acquire(), Err(AcquireError::WouldBlock)));
        drop(stopped);
        drop(semaphore.acquire().unwrap());
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs processes")]
    fn a_permit_that_was_half_forgotten_by_who_died_is_forgotten() {
        let semaphore = Semaphore::new(2).unwrap();
        drop(stopped_after(semaphore.clone(), |semaphore: &Semaphore| {
            std::mem::forget(semaphore.acquire().unwrap());
            semaphore.monitor.state.lower();
        }));
        let Err(AcquireError::OwnerDied(died)) = semaphore.acquire() else { panic!("not told") };
        let permit = died.into_guard();
        let patience = LONGEST_SLEEP * 4;
        assert!(matches!(semaphore.acquire_timeout(patience), Err(AcquireError::TimedOut)));
        drop(permit);
        assert_eq!(semaphore.value(), 1);
    }
}
