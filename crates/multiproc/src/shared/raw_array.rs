//! An array that processes share, without a lock.

use std::fmt;

use bytemuck::Pod;
use serde::{Deserialize, Serialize};

use super::{Integer, Kind, raw::Raw};
use crate::Result;

enum Array {}

impl Kind for Array {
    const NAME: &'static str = "RawArray";
}

/// A fixed number of plain values that processes read and write without a
/// lock.
///
/// Python's `RawArray`. Clones, and what other processes decode, are the same
/// array. An element whose size is 1, 2, 4 or 8 bytes is read and written at
/// once; a larger one can be seen half old and half new, so use a
/// [`SharedArray`](crate::SharedArray) if that matters. Whoever sees an element also
/// sees everything that its writer had done before. For bytes by the megabyte,
/// [`SharedMemory`](crate::SharedMemory) is several times as quick.
///
/// ```
/// use multiproc::{Process, RawArray};
///
/// let histogram = RawArray::<u64>::new(3)?;
/// let count = |histogram: RawArray<u64>| {
///     for n in 0..300 {
///         histogram.fetch_add(n % 3, 1);
///     }
/// };
/// let mut process = Process::new(count, histogram.clone());
/// process.start()?;
/// count(histogram.clone());
/// process.join()?;
/// assert_eq!(histogram.to_vec(), [200, 200, 200]);
/// # Ok::<(), multiproc::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct RawArray<T: Pod> {
    raw: Raw<Array, T>,
}

impl<T: Pod> RawArray<T> {
    /// `len` elements of zero bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](crate::Error::Memory) if they cannot be had.
    pub fn new(len: usize) -> Result<Self> {
        Ok(Self { raw: Raw::new(len)? })
    }

    /// A shared copy of `elements`.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn from_slice(elements: &[T]) -> Result<Self> {
        let array = Self::new(elements.len())?;
        array.copy_from_slice(0, elements);
        Ok(array)
    }

    /// The number of elements.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether it has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element number `index`.
    ///
    /// # Panics
    ///
    /// If there is none, as with a slice.
    #[must_use]
    #[inline]
    pub fn load(&self, index: usize) -> T {
        self.raw.cells().load(index)
    }

    /// Replaces element number `index`.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[inline]
    pub fn store(&self, index: usize, value: T) {
        self.raw.cells().store(index, value);
    }

    /// Replaces element number `index`, of 1, 2, 4 or 8 bytes, and returns
    /// what it was, both at once.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[inline]
    pub fn swap(&self, index: usize, value: T) -> T {
        self.raw.cells().swap(index, value)
    }

    /// Copies the elements from number `index` on into `into`.
    ///
    /// # Panics
    ///
    /// If they are not all there.
    pub fn copy_to_slice(&self, index: usize, into: &mut [T]) {
        self.raw.cells().copy_to(index, into);
    }

    /// Replaces the elements from number `index` on by those of `from`.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn copy_from_slice(&self, index: usize, from: &[T]) {
        self.raw.cells().copy_from(index, from);
    }

    /// A copy of all elements.
    #[must_use]
    pub fn to_vec(&self) -> Vec<T> {
        let mut elements = vec![T::zeroed(); self.len()];
        self.copy_to_slice(0, &mut elements);
        elements
    }

    /// The elements, each as it is when its turn comes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = T> + '_ {
        (0..self.len()).map(|index| self.load(index))
    }
}

impl<T: Integer> RawArray<T> {
    /// Adds to element number `index`, wrapping around, and returns what it
    /// was; nothing comes in between.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[inline]
    pub fn fetch_add(&self, index: usize, value: T) -> T {
        self.raw.cells().add(index, value)
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for RawArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.raw.fmt(f)
    }
}
