//! A value that processes share, without a lock.

use std::fmt;

use bytemuck::Pod;
use serde::{Deserialize, Serialize};

use super::{Kind, raw::Raw};
use crate::Result;

enum Value {}

impl Kind for Value {
    const NAME: &'static str = "RawValue";
}

/// A plain value that processes read and write without a lock.
///
/// Python's `RawValue`, and more: what changes it depending on what it was
/// happens at once, which Python needs a lock for. Clones, and what other
/// processes decode, are the same value.
///
/// A value of 1, 2, 4 or 8 bytes is read and written at once. A larger one is
/// read and written in pieces, and can be seen half old and half new: use a
/// [`SharedValue`](crate::SharedValue) if that matters. Whoever sees a value also sees
/// everything that its writer had done before.
///
/// ```
/// use multiproc::{Process, RawValue};
///
/// let counter = RawValue::new(0u32)?;
/// let mut processes: Vec<_> = (0..4)
///     .map(|_| {
///         let count = |counter: RawValue<u32>| {
///             for _ in 0..1000 {
///                 counter.fetch_add(1);
///             }
///         };
///         Process::new(count, counter.clone())
///     })
///     .collect();
/// for process in &mut processes {
///     process.start()?;
/// }
/// for process in &mut processes {
///     process.join()?;
/// }
/// assert_eq!(counter.load(), 4000);
/// # Ok::<(), multiproc::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct RawValue<T: Pod> {
    raw: Raw<Value, T>,
}

impl<T: Pod> RawValue<T> {
    /// Shares `value`.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](crate::Error::Memory) if there is no room for it.
    pub fn new(value: T) -> Result<Self> {
        let raw = Raw::new(1)?;
        raw.cells().store(0, value);
        Ok(Self { raw })
    }

    /// What it is now.
    #[must_use]
    #[inline]
    pub fn load(&self) -> T {
        self.raw.cells().load(0)
    }

    /// Replaces it.
    #[inline]
    pub fn store(&self, value: T) {
        self.raw.cells().store(0, value);
    }

    /// Replaces a value of 1, 2, 4 or 8 bytes and returns what it was, both
    /// at once.
    ///
    /// A value of another size is a compile error:
    ///
    /// ```compile_fail
    /// multiproc::RawValue::new([0u8; 3]).unwrap().swap([1, 2, 3]);
    /// ```
    #[inline]
    pub fn swap(&self, value: T) -> T {
        self.raw.cells().swap(0, value)
    }

    /// Replaces a value of 1, 2, 4 or 8 bytes by `new` if it is `current`, byte
    /// for byte; returns what it was.
    ///
    /// # Errors
    ///
    /// What it is if that is not `current`; then it stays so.
    #[inline]
    pub fn compare_exchange(&self, current: T, new: T) -> Result<T, T> {
        self.raw.cells().compare_exchange(0, current, new)
    }

    /// Replaces a value of 1, 2, 4 or 8 bytes by what `change` makes of it,
    /// nothing coming in between; returns what it was.
    ///
    /// `change` is called again if another process was quicker.
    ///
    /// ```
    /// let highest = multiproc::RawValue::new(2.5f64)?;
    /// highest.fetch_update(|highest| highest.max(3.5));
    /// assert_eq!(highest.load(), 3.5);
    /// # Ok::<(), multiproc::Error>(())
    /// ```
    pub fn fetch_update(&self, mut change: impl FnMut(T) -> T) -> T {
        let mut current = self.load();
        loop {
            match self.compare_exchange(current, change(current)) {
                Ok(old) => return old,
                Err(quicker) => current = quicker,
            }
        }
    }
}

impl<T: Integer> RawValue<T> {
    /// Adds to it, wrapping around, and returns what it was; nothing comes in
    /// between.
    #[inline]
    pub fn fetch_add(&self, value: T) -> T {
        self.raw.cells().add(0, value)
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for RawValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(Value::NAME).field(&self.load()).finish()
    }
}

/// An integer that can be added to in shared memory without a lock.
///
/// Implemented for the integers of 8 to 64 bits, signed and unsigned.
pub trait Integer: Pod + sealed::Sealed {}

mod sealed {
    pub trait Sealed {}
}

macro_rules! integers {
    ($($integer:ty)*) => {
        $(
            impl sealed::Sealed for $integer {}
            impl Integer for $integer {}
        )*
    };
}

integers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);
