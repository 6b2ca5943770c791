//! Arrays that live in shared memory.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    slice,
    sync::{Arc, Mutex, PoisonError},
};

use bytemuck::Pod;

use super::Stretch;
use crate::SharedMemory;

/// Names a piece of shared memory among the processes of one board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegionId(pub(crate) u32);

/// Regions whose arrays are gone, to be unmapped by the workers too.
pub(crate) type Detached = Arc<Mutex<Vec<RegionId>>>;

/// A fixed number of plain values in memory that a board's workers share.
///
/// Used like a slice. Workers touch it only during a call that borrows it, so
/// ordinary references are sound in between.
pub struct BoardArray<T: Pod> {
    memory: SharedMemory,
    len: usize,
    region: RegionId,
    detached: Detached,
    elements: PhantomData<T>,
}

impl<T: Pod> BoardArray<T> {
    /// `memory` must be new: nobody else may have a reference into it.
    pub(crate) fn new(
        memory: SharedMemory,
        len: usize,
        region: RegionId,
        detached: Detached,
    ) -> Self {
        assert!(memory.len() / size_of::<T>().max(1) >= len, "the memory holds all elements");
        assert!(align_of::<T>() <= 4096, "a page is aligned for every element");
        Self { memory, len, region, detached, elements: PhantomData }
    }

    /// The array as input of a job: task i reads `elements` values from
    /// i · `elements` on.
    pub fn stretches(&self, elements: usize) -> Stretch<'_> {
        Stretch::new(self.region, &self.detached, elements * size_of::<T>(), size_of_val(&**self))
    }

    /// The array as output of a job, or as what it changes in place.
    pub fn stretches_mut(&mut self, elements: usize) -> Stretch<'_> {
        self.stretches(elements).exclusive()
    }
}

impl<T: Pod> Deref for BoardArray<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `new` has checked length and alignment; the mapping lives as
        // long as `self`; shared memory begins as zeros and any bytes are a
        // `T` (`Pod`). Workers write to it only while `stretches_mut` has it
        // borrowed exclusively.
        unsafe { slice::from_raw_parts(self.memory.base().as_ptr().cast(), self.len) }
    }
}

impl<T: Pod> DerefMut for BoardArray<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and workers read it only while `stretches`
        // has it borrowed.
        unsafe { slice::from_raw_parts_mut(self.memory.base().as_ptr().cast(), self.len) }
    }
}

impl<T: Pod> Drop for BoardArray<T> {
    fn drop(&mut self) {
        self.detached.lock().unwrap_or_else(PoisonError::into_inner).push(self.region);
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for BoardArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
