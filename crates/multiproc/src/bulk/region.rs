//! Pieces of shared memory on the parent's side, and which of them a pool's
//! workers are to have.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use super::halls::forget_jobs_about;
use crate::{Result, SharedMemory};

/// Names a region among all that this process has made, and so to its workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RegionId(pub(crate) u64);

/// Changes whenever some worker may have a region too few or too many.
static VERSION: AtomicU64 = AtomicU64::new(1);

/// The current version of what is [wanted](Wanted).
pub(crate) fn version() -> u64 {
    // Pairs with `change`: whoever sees it sees what has changed.
    VERSION.load(Acquire)
}

fn change() {
    VERSION.fetch_add(1, Release);
}

/// Memory that workers share with this process. When it is dropped its pages
/// are given back at once, and so is what jobs about it have kept for the next;
/// workers unmap it when they are next spoken to.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) id: RegionId,
    pub(crate) memory: SharedMemory,
}

impl Region {
    /// `len` zero bytes.
    pub(crate) fn new(len: usize) -> Result<Arc<Self>> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let memory = SharedMemory::new(len)?;
        Ok(Arc::new(Self { id: RegionId(NEXT.fetch_add(1, Relaxed)), memory }))
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.memory.release(0..self.memory.len());
        change();
        // A forked child keeps nothing of jobs, and its copies of locks may be locked.
        if self.memory.is_of_this_process() {
            forget_jobs_about(self.id);
        }
    }
}

/// The regions that the workers of one pool are to have, as long as they exist.
#[derive(Debug, Default)]
pub(crate) struct Wanted(Mutex<Vec<Weak<Region>>>);

impl Wanted {
    /// From now on these too.
    pub(crate) fn add<'a>(&self, regions: impl Iterator<Item = &'a Arc<Region>>) {
        let mut wanted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for region in regions {
            let same = |known: &Weak<Region>| std::ptr::eq(known.as_ptr(), Arc::as_ptr(region));
            if !wanted.iter().any(same) {
                wanted.push(Arc::downgrade(region));
                change();
            }
        }
    }

    /// Those that exist.
    pub(crate) fn existing(&self) -> Vec<Arc<Region>> {
        let mut wanted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.retain(|region| region.strong_count() > 0);
        wanted.iter().filter_map(Weak::upgrade).collect()
    }
}
