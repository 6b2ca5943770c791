//! How a worker wakes its parent, which sleeps in `poll` and thus on a
//! descriptor.

use crate::atomic::{
    AtomicU32,
    Ordering::{Relaxed, SeqCst},
    fence,
};

/// The parent wants to be woken when there is something to read.
pub(super) const NEWS: u32 = 1;

/// The parent wants to be woken when there is room to write.
pub(super) const ROOM: u32 = 2;

/// What the parent wants to be woken for: [`NEWS`], [`ROOM`], both or, as long
/// as it is awake, nothing.
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct Bell(AtomicU32);

impl Bell {
    #[cfg(all(test, loom))]
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// From now on the worker rings. For the parent, which looks once more
    /// before it sleeps.
    pub(super) fn arm(&self, wanted: u32) {
        self.0.store(wanted, Relaxed);
        // Pairs with the fence in `is_to_ring`: either the parent finds what
        // the worker did before that, or the worker sees this.
        fence(SeqCst);
    }

    /// The worker need not ring any more. For the parent; the worker may be
    /// about to, all the same.
    pub(super) fn disarm(&self) {
        self.0.store(0, Relaxed);
    }

    /// Whether the worker is to ring, after it has done something of `kinds`.
    /// If so it must, for nobody is told twice.
    pub(super) fn is_to_ring(&self, kinds: u32) -> bool {
        // Pairs with the fence in `arm`.
        fence(SeqCst);
        let wanted = self.0.load(Relaxed);
        // If it has changed the parent has been awake since then, so it finds
        // what was done before the fence.
        wanted & kinds != 0 && self.0.compare_exchange(wanted, 0, Relaxed, Relaxed).is_ok()
    }
}
