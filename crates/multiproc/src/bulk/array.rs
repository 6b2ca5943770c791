//! Arrays that live in shared memory.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    slice,
    sync::Arc,
};

use bytemuck::Pod;

use super::region::Region;
use crate::Result;

/// A fixed number of plain values in memory that the workers of a pool share,
/// used like a slice. Any shared-memory pool of this process can work on it.
///
/// Workers touch it only during a call that borrows it, so ordinary references
/// are sound in between.
pub struct PoolArray<E> {
    region: Arc<Region>,
    len: usize,
    elements: PhantomData<E>,
}

impl<E: Pod> PoolArray<E> {
    /// An array of `len` zeros.
    pub(super) fn new(len: usize) -> Result<Self> {
        const { assert!(align_of::<E>() <= 4096, "a page is aligned for every element") };
        let region = Region::new(len.saturating_mul(size_of::<E>()))?;
        Ok(Self { region, len, elements: PhantomData })
    }

    pub(super) fn region(&self) -> &Arc<Region> {
        &self.region
    }
}

impl<E: Pod> Deref for PoolArray<E> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        // SAFETY: the region holds `len` elements (`new`), is aligned to a page
        // and mapped as long as `self`; shared memory begins as zeros and any
        // bytes are an `E` (`Pod`). Workers write to it only during calls that
        // have it borrowed exclusively.
        unsafe { slice::from_raw_parts(self.region.memory.base().as_ptr().cast(), self.len) }
    }
}

impl<E: Pod> DerefMut for PoolArray<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        // SAFETY: as in `deref`, and workers read it only during calls that
        // have it borrowed.
        unsafe { slice::from_raw_parts_mut(self.region.memory.base().as_ptr().cast(), self.len) }
    }
}

impl<E: Pod + fmt::Debug> fmt::Debug for PoolArray<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
