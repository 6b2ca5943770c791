//! An array that processes share, behind a lock.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    time::Duration,
};

use bytemuck::Pod;
use serde::{Deserialize, Serialize};

use super::{
    Kind, check,
    guarded::{Guarded, Held},
};
use crate::{AcquireError, OwnerDied, Result};

enum Array {}

impl Kind for Array {
    const NAME: &'static str = "SharedArray";
}

/// A fixed number of plain values in shared memory behind one lock.
///
/// Python's `Array`. Clones, and what other processes decode, are the same
/// array. The lock belongs to the thread that has taken it; if its owner dies,
/// the next taker gets it and is told, since the elements may be half-changed.
///
/// ```
/// use multiproc::{Process, SharedArray};
///
/// let array = SharedArray::from_slice(&[1u64, 2, 3])?;
/// let square = |array: SharedArray<u64>| {
///     array.lock().expect("nobody died").iter_mut().for_each(|x| *x *= *x);
/// };
/// let mut process = Process::new(square, array.clone());
/// process.start()?;
/// process.join()?;
/// assert_eq!(array.to_vec()?, [1, 4, 9]);
/// # Ok::<(), multiproc::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct SharedArray<T: Pod> {
    guarded: Guarded<Array, T>,
}

impl<T: Pod> SharedArray<T> {
    /// `len` elements of zero bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](crate::Error::Memory) if they cannot be had.
    pub fn new(len: usize) -> Result<Self> {
        Ok(Self { guarded: Guarded::new(len)? })
    }

    /// A shared copy of `elements`.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn from_slice(elements: &[T]) -> Result<Self> {
        let array = Self::new(elements.len())?;
        array.lock()?.copy_from_slice(elements);
        Ok(array)
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.guarded.len()
    }

    /// Whether it has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until nobody else has the lock, and takes it.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`], which holds the guard, if its last owner ended without
    /// giving it back; the elements may be half-changed.
    ///
    /// # Panics
    ///
    /// If it would wait for itself for ever: this thread has the lock already, or
    /// a thread of this process has leaked its guard and ended. A reference to
    /// what the lock protects may still be in use then, so the lock stays taken,
    /// for all processes, until this one has ended.
    #[inline]
    pub fn lock(&self) -> Result<SharedArrayGuard<'_, T>, OwnerDied<SharedArrayGuard<'_, T>>> {
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
    ) -> Result<SharedArrayGuard<'_, T>, AcquireError<SharedArrayGuard<'_, T>>> {
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
    ) -> Result<SharedArrayGuard<'_, T>, AcquireError<SharedArrayGuard<'_, T>>> {
        self.guarded.lock_timeout(timeout).map(guard).map_err(|error| error.map(guard))
    }

    /// A copy of element number `index`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) if there is none, or
    /// [`Error::OwnerDied`](crate::Error::OwnerDied), once, if the last owner
    /// of the lock ended without giving it back.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    pub fn get(&self, index: usize) -> Result<T> {
        check(index, self.len())?;
        Ok(self.lock()?[index])
    }

    /// Replaces element number `index`.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get); then nothing is replaced.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    pub fn set(&self, index: usize, value: T) -> Result<()> {
        check(index, self.len())?;
        self.lock()?[index] = value;
        Ok(())
    }

    /// A copy of all elements at one moment.
    ///
    /// # Errors
    ///
    /// [`Error::OwnerDied`](crate::Error::OwnerDied), as for
    /// [`get`](Self::get).
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    pub fn to_vec(&self) -> Result<Vec<T>> {
        Ok(self.lock()?.to_vec())
    }
}

impl<T: Pod> fmt::Debug for SharedArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.guarded.fmt(f)
    }
}

/// Has the lock of a [`SharedArray`], and its elements, until it is dropped.
#[must_use = "the lock is given back when this is dropped"]
pub struct SharedArrayGuard<'a, T: Pod> {
    held: Held<'a, T>,
}

#[inline]
fn guard<T: Pod>(held: Held<'_, T>) -> SharedArrayGuard<'_, T> {
    SharedArrayGuard { held }
}

impl<T: Pod> Deref for SharedArrayGuard<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.held
    }
}

impl<T: Pod> DerefMut for SharedArrayGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.held
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for SharedArrayGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
