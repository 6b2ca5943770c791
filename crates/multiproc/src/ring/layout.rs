//! What lies in a ring's memory: this header, then the bytes of both lanes.

use std::{io, ops::Range};

use super::{
    bed::Bed,
    bell::Bell,
    lane::{Lane, Positions, Writer},
    slot::Slot,
};
use crate::{
    Result,
    atomic::{AtomicU32, AtomicU64},
    memory::{Placed, SharedLayout, SharedMemory, WORD, Words},
};

/// Bytes that a lane holds. A sleeping reader is woken, and its writer waits,
/// once each half of it: 128 KiB take some 20 µs to copy, about as long as a
/// wake-up, so more would not make large messages much faster.
pub(super) const CAPACITY: usize = 256 << 10;

/// Bytes of a lane that are memory from the beginning; the rest becomes so
/// when it is needed. Enough for some hundred small tasks.
const FIRST_STEP: usize = 16 << 10;

/// Each following step makes so many times as much of a lane memory.
const STEP_FACTOR: usize = 4;

/// Bytes before the lanes: whole pages.
const HEADER_SPACE: usize = 4096;

#[derive(Debug)]
#[repr(C)]
pub(super) struct Header {
    /// From the parent to the worker.
    requests: Positions,
    /// From the worker to the parent.
    replies: Positions,
    pub(super) bed: Bed,
    pub(super) bell: Bell,
    /// Whether the parent has gone; stays so.
    pub(super) closed: AtomicU32,
    /// Not 0: the worker has closed its side.
    pub(super) left: AtomicU32,
    /// Messages that the parent has sent beside the rings.
    pub(super) posted: AtomicU32,
    /// Not 0: the worker is not to sleep for want of requests.
    pub(super) is_hot: AtomicU32,
    pub(super) slot: Slot,
}

// SAFETY: `repr(C)` of atomics, for which zero bytes are valid and which are
// made to be shared.
unsafe impl SharedLayout for Header {
    const KIND: &'static str = "ring";
}

/// The rings of one worker, from either side.
#[derive(Clone, Debug)]
pub(super) struct Rings {
    header: Placed<Header>,
}

/// The two lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Requests,
    Replies,
}

impl Direction {
    const fn start(self) -> usize {
        match self {
            Self::Requests => HEADER_SPACE,
            Self::Replies => HEADER_SPACE + CAPACITY,
        }
    }

    fn range(self, bytes: Range<usize>) -> Range<usize> {
        self.start() + bytes.start..self.start() + bytes.end
    }
}

impl Rings {
    /// New rings, empty.
    pub(super) fn new() -> Result<Self> {
        const { assert!(Placed::<Header>::ROOM_OFFSET <= HEADER_SPACE) };
        let committed = Direction::Requests.range(0..FIRST_STEP).end;
        let memory = SharedMemory::reserve(HEADER_SPACE + 2 * CAPACITY, committed)?;
        Ok(Self { header: Placed::in_memory(memory, |_| Ok(()))? })
    }

    /// The other side of rings; `None` if the memory holds something else.
    pub(super) fn open(memory: SharedMemory) -> Option<Self> {
        let is_large_enough = memory.len() >= HEADER_SPACE + 2 * CAPACITY;
        let header = is_large_enough.then(|| Placed::from_memory(memory)).flatten()?;
        Some(Self { header })
    }

    pub(super) fn memory(&self) -> &SharedMemory {
        self.header.memory()
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn lane(&self, direction: Direction) -> Lane<'_> {
        let positions = match direction {
            Direction::Requests => &self.header.requests,
            Direction::Replies => &self.header.replies,
        };
        // SAFETY: the memory is large enough (`new`, `open`) and mapped as
        // long as `self` lives; the lane begins at a page and ends with a
        // whole word. Nobody accesses it other than through such words.
        let bytes = unsafe {
            let start = self.memory().base().add(direction.start()).cast::<AtomicU64>();
            std::slice::from_raw_parts(start.as_ptr(), CAPACITY / WORD)
        };
        Lane { positions, bytes: Words::new(bytes) }
    }
}

/// How much of the lane that a side writes is memory.
#[derive(Debug)]
pub(super) struct Committed {
    direction: Direction,
    bytes: usize,
}

impl Committed {
    /// What [`Rings::new`] has made so.
    pub(super) const fn from_the_start(direction: Direction) -> Self {
        let bytes = match direction {
            Direction::Requests => FIRST_STEP,
            Direction::Replies => 0,
        };
        Self { direction, bytes }
    }

    /// Makes sure that the next `len` bytes of the lane are, which `writer` is
    /// about to write.
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`](io::ErrorKind::OutOfMemory).
    pub(super) fn extend(&mut self, rings: &Rings, writer: &Writer, len: usize) -> io::Result<()> {
        if self.bytes == CAPACITY {
            return Ok(());
        }
        let end = writer.position().saturating_add(len as u64).min(CAPACITY as u64) as usize;
        while self.bytes < end {
            let next = (self.bytes * STEP_FACTOR).clamp(FIRST_STEP, CAPACITY);
            let committed = rings.memory().commit(self.direction.range(self.bytes..next));
            committed.map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))?;
            self.bytes = next;
        }
        Ok(())
    }
}
