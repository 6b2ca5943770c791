//! Items in and out of the memory of a queue.
//!
//! An item is a length word and that many bytes, padded to
//! [`ALIGNMENT`](super::area::ALIGNMENT).
//!
//! Invariant: the bytes of the area in use between the consumers' position
//! and the producers' belong to whoever has the consumers' mutex, all others
//! to whoever has the producers'. A side gives bytes to the other by moving
//! its own position over them, after it is done with them. Who has both
//! mutexes ([`Producing`] and [`Consuming`] at once) owns all areas.

use std::{marker::PhantomData, sync::atomic::Ordering::Relaxed};

use super::{
    area::{ALIGNMENT, Area},
    layout::{Header, KEPT_AREA, KEPT_FOR_LARGE_ITEMS, Side, areas, range},
    patience::Patience,
    progress::Mark,
};
use crate::{
    Error, Result,
    memory::Placed,
    sync::mutex::{Acquired, RobustMutex},
};

/// The right of the thread that has one side's mutex.
struct Turn<'a> {
    mutex: &'a RobustMutex,
    /// Only the thread that has taken a mutex may give it back.
    not_send: PhantomData<*const ()>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // SAFETY: this thread has it (`not_send`; a turn is made where the
        // mutex was taken).
        unsafe { self.mutex.unlock() };
    }
}

/// The right to put.
pub(super) struct Producing<'a> {
    queue: &'a Placed<Header>,
    _turn: Turn<'a>,
}

/// The right to get.
pub(super) struct Consuming<'a> {
    queue: &'a Placed<Header>,
    _turn: Turn<'a>,
}

impl<'a> Producing<'a> {
    /// `None` if it takes too long.
    pub(super) fn begin(queue: &'a Placed<Header>, patience: Patience) -> Option<Self> {
        let acquired = patience.acquire(&queue.producers.mutex)?;
        Some(Self::having(queue, acquired))
    }

    /// The right, once this thread has the mutex.
    fn having(queue: &'a Placed<Header>, acquired: Acquired) -> Self {
        let turn = Turn { mutex: &queue.producers.mutex, not_send: PhantomData };
        let producing = Self { queue, _turn: turn };
        if acquired != Acquired::Cleanly {
            producing.release_unused_areas();
        }
        producing
    }

    /// Puts an item; `false` if there are as many as there may be.
    ///
    /// # Errors
    ///
    /// Nothing is put then: [`Error::Memory`], [`Error::TimedOut`] if the
    /// area is too small and a consumer keeps it, [`Error::Damaged`].
    pub(super) fn put(&self, item: &[u8], patience: Patience) -> Result<bool> {
        let needed = framed(item.len()).ok_or_else(|| too_large(item.len()))?;
        let progress = &self.queue.producers.progress;
        let end = progress.own();
        if !self.has_room(self.queue.producers.other.get(), end, needed) {
            let start = self.queue.consumers.progress.read();
            self.queue.producers.other.set(start);
            if self.is_full(start, end) {
                return Ok(false);
            }
            if !self.has_room(start, end, needed) {
                self.grow(needed, patience)?;
            }
        }
        let area = current(self.queue)?;
        // SAFETY: behind the producers' position, where there is room: the
        // producers' bytes (invariant), whose mutex this thread has.
        unsafe {
            area.write_word(end.position, item.len() as u64);
            area.write(end.position + ALIGNMENT as u64, item);
        }
        progress.advance(Mark { position: end.position + needed as u64, items: end.items + 1 });
        Ok(true)
    }

    fn is_full(&self, start: Mark, end: Mark) -> bool {
        end.items.wrapping_sub(start.items) >= self.queue.bound.load(Relaxed)
    }

    /// Whether one more item of `needed` bytes is welcome, if the consumers
    /// are at `start`. What they were at long ago may be more than an area
    /// away.
    fn has_room(&self, start: Mark, end: Mark, needed: usize) -> bool {
        let room = current(self.queue)
            .and_then(|area| Ok(area.capacity() - used(start, end, area.capacity())?));
        !self.is_full(start, end) && room.is_ok_and(|room| room >= needed)
    }

    /// Moves all items to an area with room for `needed` bytes more.
    fn grow(&self, needed: usize, patience: Patience) -> Result<()> {
        let _consuming = Consuming::begin(self.queue, patience).ok_or(Error::TimedOut)?;
        let start = self.queue.consumers.progress.own();
        let end = self.queue.producers.progress.own();
        let old = current(self.queue)?;
        let used = used(start, end, old.capacity())?;
        let wanted = used.checked_add(needed).ok_or_else(|| too_large(needed))?;
        let memory = self.queue.memory();
        let old_index = self.queue.area.load(Relaxed);
        let index = (old_index + 1..areas(memory.len()))
            .find(|&index| range(index).len() >= wanted)
            .ok_or_else(|| too_large(wanted))?;
        if let Err(error) = memory.commit(range(index)) {
            // A part of it may have been had.
            memory.release(range(index));
            return Err(error);
        }
        // SAFETY: this thread has both mutexes (invariant); areas do not overlap.
        unsafe { old.copy_to(area(self.queue, index)?, start.position, used) };
        // The change, for everybody who takes a mutex after this thread.
        self.queue.area.store(index, Relaxed);
        release(self.queue, old_index);
        Ok(())
    }

    /// Gives back what one who died while changing the area has left behind.
    fn release_unused_areas(&self) {
        let used = self.queue.area.load(Relaxed);
        (0..areas(self.queue.memory().len()))
            .filter(|&index| index != used)
            .for_each(|index| release(self.queue, index));
    }
}

impl<'a> Consuming<'a> {
    /// `None` if it takes too long.
    pub(super) fn begin(queue: &'a Placed<Header>, patience: Patience) -> Option<Self> {
        // Nothing needs repair after a death: the position has moved or not.
        let (Acquired::Cleanly | Acquired::AfterDeathOf(_)) =
            patience.acquire(&queue.consumers.mutex)?;
        let turn = Turn { mutex: &queue.consumers.mutex, not_send: PhantomData };
        Some(Self { queue, _turn: turn })
    }

    /// Takes the first item into `buffer`, in place of what was there;
    /// `false` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`] if the buffer cannot be as large as the item, which
    /// stays where it is; [`Error::Damaged`].
    pub(super) fn take(&self, buffer: &mut Vec<u8>) -> Result<bool> {
        let (start, end) = self.stretch();
        let area = current(self.queue)?;
        let used = used(start, end, area.capacity())?;
        if used == 0 {
            return Ok(false);
        }
        // SAFETY: between the consumers' position and the producers': the
        // consumers' bytes (invariant), whose mutex this thread has.
        let len = unsafe { area.read_word(start.position) };
        let len = usize::try_from(len).map_err(|_| Error::Damaged { what: "the queue" })?;
        let needed = framed(len).filter(|&needed| needed <= used);
        let needed = needed.ok_or(Error::Damaged { what: "the queue" })?;
        buffer.clear();
        buffer.try_reserve(len).map_err(|error| Error::Memory {
            bytes: len,
            source: std::io::Error::new(std::io::ErrorKind::OutOfMemory, error),
        })?;
        // SAFETY: as above; the item ends before the producers' position.
        unsafe { area.read(start.position + ALIGNMENT as u64, len, buffer) };
        let next = Mark { position: start.position + needed as u64, items: start.items + 1 };
        self.queue.consumers.progress.advance(next);
        if used == needed && !is_worth_keeping(area.capacity(), needed) {
            self.shrink();
        }
        Ok(true)
    }

    /// The items that are certainly there: from the first mark to the second.
    fn stretch(&self) -> (Mark, Mark) {
        let Side { progress, other, .. } = &self.queue.consumers;
        let start = progress.own();
        let mut end = other.get();
        if start.position == end.position {
            end = self.queue.producers.progress.read();
            other.set(end);
        }
        (start, end)
    }

    /// Goes back to the first area if there are no items and no producer is
    /// at work. If one is, a later `take` will do it.
    fn shrink(&self) {
        let start = self.queue.consumers.progress.own();
        let is_empty = || self.queue.producers.progress.read() == start;
        // The other way round than in `grow`, so it must not wait.
        let Some(acquired) = is_empty().then(|| self.queue.producers.mutex.try_lock()).flatten()
        else {
            return;
        };
        let _producing = Producing::having(self.queue, acquired);
        let index = self.queue.area.load(Relaxed);
        if is_empty() {
            self.queue.area.store(0, Relaxed);
            release(self.queue, index);
        }
    }
}

/// Whether an area stays although its last item, which took `item` bytes, has
/// left it: a small one, and one of moderate size that a few such items fill.
/// To give it back and take it again for the next ones costs several times
/// what it costs to copy them.
fn is_worth_keeping(capacity: usize, item: usize) -> bool {
    capacity <= KEPT_AREA || (capacity <= KEPT_FOR_LARGE_ITEMS && item >= capacity / 8)
}

/// The area in use. For who has one of the mutexes, without which it may
/// change any time.
fn current(queue: &Placed<Header>) -> Result<Area<'_>> {
    area(queue, queue.area.load(Relaxed))
}

fn area(queue: &Placed<Header>, index: u32) -> Result<Area<'_>> {
    if index >= areas(queue.memory().len()) {
        return Err(Error::Damaged { what: "the queue" });
    }
    let range = range(index);
    // SAFETY: the area ends within the memory (`areas`), which is mapped as
    // long as `queue` lives, and begins at a page.
    Ok(unsafe { Area::new(queue.memory().base().add(range.start), range.len()) })
}

/// The first area stays: to go back to it must not fail.
fn release(queue: &Placed<Header>, index: u32) {
    if index > 0 {
        queue.memory().release(range(index));
    }
}

/// Bytes between two marks.
fn used(start: Mark, end: Mark, capacity: usize) -> Result<usize> {
    let used = end.position.wrapping_sub(start.position);
    let aligned = (start.position | end.position).is_multiple_of(ALIGNMENT as u64);
    if aligned && used <= capacity as u64 {
        Ok(used as usize)
    } else {
        Err(Error::Damaged { what: "the queue" })
    }
}

/// Bytes that an item of `len` bytes takes.
fn framed(len: usize) -> Option<usize> {
    len.checked_add(ALIGNMENT)?.checked_next_multiple_of(ALIGNMENT)
}

fn too_large(bytes: usize) -> Error {
    Error::Memory { bytes, source: std::io::ErrorKind::OutOfMemory.into() }
}
