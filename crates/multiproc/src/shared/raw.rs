//! Elements in shared memory without a lock.

use std::{fmt, marker::PhantomData};

use bytemuck::Pod;
use serde::{Deserialize, Serialize};

use super::{Kind, cells::Cells};
use crate::{
    Result,
    memory::{Placed, SharedLayout, SharedMemory},
};

/// Nothing but a type: the elements are the room behind it.
#[repr(C)]
struct Header<K, T> {
    what: PhantomData<fn() -> (K, T)>,
}

// SAFETY: it has no bytes.
unsafe impl<K: Kind, T: Pod> SharedLayout for Header<K, T> {
    const KIND: &'static str = K::NAME;
}

/// Elements that every process reads and writes as it likes.
///
/// Invariant: the room behind the header holds elements only, as many as fit,
/// and all processes access them through `cells`.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub(super) struct Raw<K: Kind, T: Pod> {
    placed: Placed<Header<K, T>>,
}

impl<K: Kind, T: Pod> Raw<K, T> {
    /// `len` elements of zero bytes.
    pub(super) fn new(len: usize) -> Result<Self> {
        let room = super::room_for::<T>(len)?;
        Ok(Self { placed: Placed::new(room, |_| Ok(()))? })
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        (self.memory().len() - Placed::<Header<K, T>>::ROOM_OFFSET) / size_of::<T>()
    }

    #[inline]
    pub(super) fn cells(&self) -> Cells<'_, T> {
        // SAFETY: so many elements fit into the room, which is mapped as long
        // as `self` lives and aligned to a cache line; all accesses go
        // through here (invariant). A process that decodes the memory as
        // another type is refused (`Placed`).
        unsafe { Cells::new(self.placed.room(), self.len()) }
    }

    fn memory(&self) -> &SharedMemory {
        self.placed.memory()
    }
}

impl<K: Kind, T: Pod> Clone for Raw<K, T> {
    fn clone(&self) -> Self {
        Self { placed: self.placed.clone() }
    }
}

impl<K: Kind, T: Pod + fmt::Debug> fmt::Debug for Raw<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = self.cells();
        f.write_str(K::NAME)?;
        f.debug_list().entries((0..self.len()).map(|index| cells.load(index))).finish()
    }
}
