//! A semaphore that never has more permits than at first.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{AcquireError, Permit, Semaphore};
use crate::Result;

/// A [`Semaphore`] to which no more permits can be released than were taken
/// from it.
///
/// A permit that is dropped cannot be released a second time; what can is one
/// that was [forgotten](Permit::forget).
///
/// ```
/// use multiproc::{BoundedSemaphore, Error};
///
/// let places = BoundedSemaphore::new(2)?;
/// let place = places.acquire()?;
/// assert!(matches!(places.release(), Err(Error::ReleasedTooOften { bound: 2 })));
/// place.forget();
/// places.release()?;
/// assert_eq!(places.value(), 2);
/// # Ok::<(), multiproc::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BoundedSemaphore {
    semaphore: Semaphore,
}

impl BoundedSemaphore {
    /// A semaphore with `permits` permits, and never more.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](crate::Error::Memory) if there is no memory or no descriptor for it.
    pub fn new(permits: u32) -> Result<Self> {
        Ok(Self { semaphore: Semaphore::bounded(permits, permits)? })
    }

    /// As [`Semaphore::acquire`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn acquire(&self) -> Result<Permit<'_>, AcquireError<Permit<'_>>> {
        self.semaphore.acquire()
    }

    /// As [`Semaphore::try_acquire`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_acquire(&self) -> Result<Permit<'_>, AcquireError<Permit<'_>>> {
        self.semaphore.try_acquire()
    }

    /// As [`Semaphore::acquire_timeout`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn acquire_timeout(
        &self,
        timeout: Duration,
    ) -> Result<Permit<'_>, AcquireError<Permit<'_>>> {
        self.semaphore.acquire_timeout(timeout)
    }

    /// Gives a permit back that was taken and [forgotten](Permit::forget), by
    /// this or another process.
    ///
    /// # Errors
    ///
    /// [`Error::ReleasedTooOften`](crate::Error::ReleasedTooOften) if there is none.
    pub fn release(&self) -> Result<()> {
        self.semaphore.release()
    }

    /// Permits that nobody has, at this moment.
    #[must_use]
    pub fn value(&self) -> u32 {
        self.semaphore.value()
    }
}

impl fmt::Debug for BoundedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedSemaphore").field("value", &self.value()).finish()
    }
}
