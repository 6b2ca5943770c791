//! A value that lies in shared memory and is used by several processes at once.

use std::{fmt, marker::PhantomData, ops::Deref, ptr::NonNull};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::SharedMemory;
use crate::{Result, codec};

/// A type that several processes can use at the same place of memory.
///
/// # Safety
///
/// - It is `repr(C)` and holds no pointer, reference or `Drop` type: another
///   process has it at another address, and nobody knows who is the last.
/// - All bytes zero is a valid value.
/// - What changes after [`Placed::new`] changes through atomics or behind a
///   lock that holds between processes (hence `Sync`).
pub(crate) unsafe trait SharedLayout: Send + Sync {
    /// What it is, in the words of an error message.
    const KIND: &'static str;

    /// Whether the memory must stay mapped although nobody has a handle any
    /// more: a thread of this process has a mutex in it and has forgotten its
    /// guard.
    fn is_held_here(&self) -> bool {
        false
    }
}

/// The number that says what lies in a piece of memory.
///
/// Processes of one family run the same executable, so the names of types are
/// the same in all of them.
fn kind_number<S: SharedLayout>() -> u64 {
    fingerprint(&[S::KIND, std::any::type_name::<S>()].concat())
}

/// A number for a text.
pub(crate) fn fingerprint(text: &str) -> u64 {
    // FNV-1a (Fowler, Noll, Vo), 64 bits.
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// What lies in the memory: its kind, then the value, then room.
#[repr(C)]
struct Contents<S> {
    kind: u64,
    value: S,
}

/// A handle to an `S` in shared memory; clones and what other processes
/// decode are the same `S`.
///
/// Invariant: the memory holds a `Contents<S>` that was initialised by `new`
/// in some process, and at least `size_of::<Contents<S>>()` of its bytes are
/// committed.
pub(crate) struct Placed<S> {
    memory: SharedMemory,
    value: PhantomData<S>,
}

impl<S: SharedLayout> Placed<S> {
    /// Bytes of shared memory before the room that follows the value.
    pub(crate) const ROOM_OFFSET: usize = size_of::<Contents<S>>().next_multiple_of(64);

    /// Places a value that is all zero bytes, then has `initialise` do what is
    /// left, before any other process can see it. `room` bytes follow it.
    pub(crate) fn new(room: usize, initialise: impl FnOnce(&S) -> Result<()>) -> Result<Self> {
        Self::in_memory(SharedMemory::new(Self::ROOM_OFFSET + room)?, initialise)
    }

    /// The same in memory that is new and of which enough is committed.
    pub(crate) fn in_memory(
        memory: SharedMemory,
        initialise: impl FnOnce(&S) -> Result<()>,
    ) -> Result<Self> {
        const { assert!(align_of::<Contents<S>>() <= 4096, "a page is aligned for it") };
        assert!(memory.len() >= Self::ROOM_OFFSET, "there is room for the value");
        let contents = memory.base().cast::<Contents<S>>();
        // SAFETY: the memory is large enough, aligned to a page, and nobody
        // else has it yet.
        unsafe { (&raw mut (*contents.as_ptr()).kind).write(kind_number::<S>()) };
        let placed = Self::over(memory);
        initialise(&placed)?;
        Ok(placed)
    }

    /// The memory must hold a `Contents<S>`.
    fn over(memory: SharedMemory) -> Self {
        memory.keep_mapped_if(|base| {
            // SAFETY: asked while the memory is still mapped, and it holds a
            // valid `Contents<S>` (invariant).
            unsafe { base.cast::<Contents<S>>().as_ref().value.is_held_here() }
        });
        Self { memory, value: PhantomData }
    }

    /// The memory that the value lies in, with the room behind it.
    pub(crate) fn memory(&self) -> &SharedMemory {
        &self.memory
    }

    /// The first byte of the room behind the value, aligned to a cache line.
    pub(crate) fn room(&self) -> NonNull<u8> {
        // SAFETY: the memory is at least `ROOM_OFFSET` bytes long (`in_memory`
        // and `from_memory` check it).
        unsafe { self.memory.base().add(Self::ROOM_OFFSET) }
    }

    /// What another process has placed in `memory`; `None` if that is
    /// something else.
    pub(crate) fn from_memory(memory: SharedMemory) -> Option<Self> {
        if memory.len() < Self::ROOM_OFFSET {
            return None;
        }
        // SAFETY: long enough, and the kind is written once, before anybody
        // else has the memory.
        let kind = unsafe { memory.base().cast::<u64>().read() };
        (kind == kind_number::<S>()).then(|| Self::over(memory))
    }
}

impl<S: SharedLayout> Deref for Placed<S> {
    type Target = S;

    fn deref(&self) -> &S {
        // SAFETY: the invariant: a valid `Contents<S>`, mapped as long as
        // `self` lives; `S` is meant to be shared (`SharedLayout`).
        unsafe { &self.memory.base().cast::<Contents<S>>().as_ref().value }
    }
}

impl<S> Clone for Placed<S> {
    fn clone(&self) -> Self {
        Self { memory: self.memory.clone(), value: PhantomData }
    }
}

impl<S: SharedLayout> fmt::Debug for Placed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(S::KIND).finish_non_exhaustive()
    }
}

impl<S: SharedLayout> Serialize for Placed<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        self.memory.serialize_as(kind_number::<S>(), serializer)
    }
}

impl<'de, S: SharedLayout> Deserialize<'de> for Placed<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_memory(SharedMemory::deserialize_as(kind_number::<S>(), S::KIND, deserializer)?)
            .ok_or_else(|| codec::refuse_to_decode(format!("what was sent is not a {}", S::KIND)))
    }
}
