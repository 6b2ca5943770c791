//! A value that processes share, behind a lock.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    time::Duration,
};

use bytemuck::Pod;
use serde::{Deserialize, Serialize};

use super::{
    Kind,
    guarded::{Guarded, Held},
};
use crate::{AcquireError, OwnerDied, Result};

enum Value {}

impl Kind for Value {
    const NAME: &'static str = "SharedValue";
}

/// A plain value in shared memory behind a lock.
///
/// Python's `Value`. Clones, and what other processes decode, are the same
/// value. The lock belongs to the thread that has taken it; if its owner dies,
/// the next taker gets it and is told, since the value may be half-changed.
///
/// ```
/// use multiproc::{Process, SharedValue};
///
/// let total = SharedValue::new(0.0f64)?;
/// let add = |(total, x): (SharedValue<f64>, f64)| total.update(|total| *total += x).unwrap();
/// let mut processes: Vec<_> = [1.5, 2.5, 38.0]
///     .into_iter()
///     .map(|x| Process::new(add, (total.clone(), x)))
///     .collect();
/// for process in &mut processes {
///     process.start()?;
/// }
/// for process in &mut processes {
///     process.join()?;
/// }
/// assert_eq!(total.get()?, 42.0);
/// # Ok::<(), multiproc::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct SharedValue<T: Pod> {
    guarded: Guarded<Value, T>,
}

impl<T: Pod> SharedValue<T> {
    /// Shares `value`.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](crate::Error::Memory) if there is no room for it.
    pub fn new(value: T) -> Result<Self> {
        let guarded = Guarded::new(1)?;
        guarded.lock()?[0] = value;
        Ok(Self { guarded })
    }

    /// Waits until nobody else has the lock, and takes it.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`], which holds the guard, if its last owner ended without
    /// giving it back; the value may be half-changed.
    ///
    /// # Panics
    ///
    /// If it would wait for itself for ever: this thread has the lock already, or
    /// a thread of this process has leaked its guard and ended. A reference to
    /// what the lock protects may still be in use then, so the lock stays taken,
    /// for all processes, until this one has ended.
    #[inline]
    pub fn lock(&self) -> Result<SharedValueGuard<'_, T>, OwnerDied<SharedValueGuard<'_, T>>> {
        self.guarded.lock().map(guard).map_err(|died| died.map(guard))
    }

    /// Takes the lock if nobody else has it.
    ///
    /// # Errors
    ///
    /// [`AcquireError::WouldBlock`] if somebody has it, and
    /// [`AcquireError::OwnerDied`], which holds the guard.
    ///
    /// # Panics
    ///
    /// If this thread has the lock already.
    pub fn try_lock(
        &self,
    ) -> Result<SharedValueGuard<'_, T>, AcquireError<SharedValueGuard<'_, T>>> {
        self.guarded.try_lock().map(guard).map_err(|error| error.map(guard))
    }

    /// Waits until nobody else has the lock, but not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`AcquireError::TimedOut`], and [`AcquireError::OwnerDied`], which
    /// holds the guard.
    ///
    /// # Panics
    ///
    /// If this thread has the lock already.
    pub fn lock_timeout(
        &self,
        timeout: Duration,
    ) -> Result<SharedValueGuard<'_, T>, AcquireError<SharedValueGuard<'_, T>>> {
        self.guarded.lock_timeout(timeout).map(guard).map_err(|error| error.map(guard))
    }

    /// A copy of the value.
    ///
    /// # Errors
    ///
    /// [`Error::OwnerDied`](crate::Error::OwnerDied), once, if the last owner
    /// of the lock ended without giving it back.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    #[inline]
    pub fn get(&self) -> Result<T> {
        self.update(|value| *value)
    }

    /// Replaces the value.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get); then the value stays as it is.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    #[inline]
    pub fn set(&self, value: T) -> Result<()> {
        self.update(|old| *old = value)
    }

    /// Has `change` work on the value while nobody else does; what it returns.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get); then `change` is not called.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    #[inline]
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R> {
        Ok(change(&mut *self.lock()?))
    }
}

impl<T: Pod> fmt::Debug for SharedValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.guarded.fmt(f)
    }
}

/// Has the lock of a [`SharedValue`], and the value, until it is dropped.
#[must_use = "the lock is given back when this is dropped"]
pub struct SharedValueGuard<'a, T: Pod> {
    held: Held<'a, T>,
}

#[inline]
fn guard<T: Pod>(held: Held<'_, T>) -> SharedValueGuard<'_, T> {
    SharedValueGuard { held }
}

impl<T: Pod> Deref for SharedValueGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.held[0]
    }
}

impl<T: Pod> DerefMut for SharedValueGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.held[0]
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for SharedValueGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
