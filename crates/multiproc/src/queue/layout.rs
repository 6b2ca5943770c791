//! What a queue is in shared memory: this header, then its areas.
//!
//! The areas double in capacity and lie at disjoint offsets. Only one of them
//! is in use; the others are address space without memory.

use std::{
    ops::Range,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use nix::sys::{
    resource::{Resource, getrlimit},
    sysinfo::sysinfo,
};

use super::progress::{Mark, Progress};
use crate::{
    Error, Result,
    memory::{Placed, SharedLayout, SharedMemory, file_size_limit, may_be_file},
    sync::{mutex::RobustMutex, wait_queue::WaitQueue},
};

/// Capacity of the first area: some thousand small items, which fit into the
/// cache of a core together with what else is in use.
pub(super) const FIRST_AREA: usize = 64 << 10;

/// Areas up to this capacity are kept when they are empty.
pub(super) const KEPT_AREA: usize = 4 << 20;

/// Areas up to this capacity are kept when it takes only a few items like the
/// last one to fill them.
pub(super) const KEPT_FOR_LARGE_ITEMS: usize = 64 << 20;

/// Address space that a queue takes at most: a process has 128 TiB, and may
/// well have a thousand queues.
const LARGEST_RESERVATION: usize = 1 << 37;

/// One queue takes at most one in so many bytes of what a process may have at
/// all if that is limited. The process wants the others for something else.
const SHARE_OF_ADDRESS_SPACE: u64 = 32;

/// Address space for the header and the first area.
const LEAST_RESERVATION: usize = 2 * FIRST_AREA;

/// The address space before the first area, of which the header takes some.
const HEADER_SPACE: usize = FIRST_AREA;

/// All that the processes share of a queue but the items.
#[repr(C)]
pub(super) struct Header {
    /// A number for the type of the items; never changes.
    pub(super) item_type: AtomicU64,
    /// Items that it holds at most; never changes.
    pub(super) bound: AtomicU64,
    /// Index of the area in use; changes only while one thread has both
    /// mutexes.
    pub(super) area: AtomicU32,
    /// Whether it is closed; stays so.
    pub(super) closed: AtomicU32,
    pub(super) producers: Side,
    pub(super) consumers: Side,
    pub(super) sleepers: Sleepers,
    /// Items that were done with, for those who care.
    pub(super) done: AtomicU64,
}

/// What those who put, or those who get, share.
#[repr(C, align(64))]
pub(super) struct Side {
    /// Whose turn it is.
    pub(super) mutex: RobustMutex,
    /// Where the other side was when this one looked last; changed by
    /// whoever has the mutex. Not current, but never ahead.
    pub(super) other: Seen,
    /// How far this side is; changed by whoever has the mutex.
    pub(super) progress: Progress,
}

/// A [`Mark`] that one side keeps for itself. A death between its two stores
/// leaves two numbers that do not belong together, each true on its own, which
/// is all that is asked of them.
#[repr(C)]
#[derive(Default)]
pub(super) struct Seen {
    position: AtomicU64,
    items: AtomicU64,
}

impl Seen {
    pub(super) fn get(&self) -> Mark {
        Mark { position: self.position.load(Relaxed), items: self.items.load(Relaxed) }
    }

    pub(super) fn set(&self, mark: Mark) {
        self.position.store(mark.position, Relaxed);
        self.items.store(mark.items, Relaxed);
    }
}

/// Those who wait. A cache line of its own: it is read after every item, but
/// written only when somebody sleeps.
#[repr(C, align(64))]
pub(super) struct Sleepers {
    /// For an item.
    pub(super) for_items: WaitQueue,
    /// For room.
    pub(super) for_room: WaitQueue,
    /// Until all items were done with.
    pub(super) for_done: WaitQueue,
}

// SAFETY: `repr(C)` of atomics, robust mutexes and wait queues, for all of
// which zero bytes are valid and which are made to be shared.
unsafe impl SharedLayout for Header {
    const KIND: &'static str = "queue";

    fn is_held_here(&self) -> bool {
        self.producers.mutex.is_held_here() || self.consumers.mutex.is_held_here()
    }
}

/// A new queue's memory, with the first area committed.
pub(super) fn create(item_type: u64, bound: u64) -> Result<Placed<Header>> {
    const { assert!(Placed::<Header>::ROOM_OFFSET <= HEADER_SPACE) };
    let memory = reserve()?;
    memory.commit(range(0))?;
    Placed::in_memory(memory, |header: &Header| {
        header.item_type.store(item_type, Relaxed);
        header.bound.store(bound, Relaxed);
        // SAFETY: nobody else sees them yet.
        unsafe {
            header.producers.mutex.initialise(false)?;
            header.consumers.mutex.initialise(false)
        }
    })
}

/// Where area `index` lies in the memory; its length is its capacity.
pub(super) fn range(index: u32) -> Range<usize> {
    let capacity = FIRST_AREA << index;
    capacity..2 * capacity
}

/// How many areas memory of `len` bytes has.
pub(super) fn areas(len: usize) -> u32 {
    (len / FIRST_AREA).checked_ilog2().unwrap_or(0)
}

/// Reserves as much address space as the machine could fill, or, where limits
/// forbid that, the half, the quarter, …
fn reserve() -> Result<SharedMemory> {
    let mut len = most_useful()?;
    loop {
        match SharedMemory::reserve(len, Placed::<Header>::ROOM_OFFSET) {
            Err(Error::Memory { source, .. })
                if source.raw_os_error() == Some(libc::ENOMEM) && len > LEAST_RESERVATION =>
            {
                len /= 2;
            }
            // No want of memory, so other help is needed.
            Err(Error::Memory { source, .. })
                if matches!(source.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) =>
            {
                return Err(Error::System { what: "make a queue", source });
            }
            reserved => return reserved,
        }
    }
}

/// Address space whose largest area, the upper half, is not smaller than the
/// machine's memory, as far as limits allow.
fn most_useful() -> Result<usize> {
    let machine =
        sysinfo().map_or(LARGEST_RESERVATION as u64, |info| info.ram_total() + info.swap_total());
    let wanted = machine.saturating_mul(2).checked_next_power_of_two().unwrap_or(u64::MAX);
    may_be_file(LEAST_RESERVATION as u64)
        .map_err(|source| Error::Memory { bytes: LEAST_RESERVATION, source })?;
    let address_space = getrlimit(Resource::RLIMIT_AS).map_or(u64::MAX, |(soft, _)| soft);
    let share = (address_space / SHARE_OF_ADDRESS_SPACE).max(LEAST_RESERVATION as u64);
    let allowed = 1 << file_size_limit().min(share).ilog2();
    Ok(wanted.min(LARGEST_RESERVATION as u64).min(allowed) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_double_and_neither_overlap_nor_leave_a_gap() {
        assert_eq!(range(0).start, HEADER_SPACE);
        for index in 0..20 {
            assert_eq!(range(index).len(), FIRST_AREA << index);
            assert_eq!(range(index).end, range(index + 1).start);
        }
    }

    #[test]
    fn memory_has_the_areas_that_end_within_it() {
        assert_eq!(areas(0), 0);
        assert_eq!(areas(FIRST_AREA), 0);
        assert_eq!(areas(2 * FIRST_AREA), 1);
        assert_eq!(areas(4 * FIRST_AREA - 1), 1);
        assert_eq!(range(areas(1 << 30) - 1).end, 1 << 30);
    }

    #[test]
    fn the_sides_do_not_share_cache_lines() {
        use std::mem::{align_of, offset_of};
        assert_eq!(align_of::<Side>(), 64);
        assert!(offset_of!(Side, progress) >= 64, "the other side reads only the progress");
        assert_eq!(offset_of!(Header, consumers) % 64, 0);
    }
}
