//! A state that processes change one at a time, and a record of each process
//! that has or waits for something.
//!
//! What a semaphore, a condition and a barrier have in common: a mutex, the
//! state behind it, a place to sleep at, and records, so that what belongs to
//! a process that died can be found. Memory for the records is taken as they
//! become more.
//!
//! A process can die between any two instructions, inside the mutex too. So
//! each state says which of its words is authoritative and how the others
//! follow from it ([`MonitorState::repair`]).

use std::{
    marker::PhantomData,
    ops::Deref,
    time::{Duration, Instant},
};

use bytemuck::must_cast;
use serde::{Deserialize, Serialize};

use super::{
    mutex::{Acquired, RobustMutex},
    wait_queue::{LONGEST_SLEEP, WaitQueue},
};
use crate::{
    Error, Result,
    atomic::{
        AtomicU32, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
    memory::{Placed, SharedLayout, SharedMemory},
    process::Identity,
};

/// Records that one monitor can have: twice the process ids that Linux gives
/// out unless told otherwise.
const MOST_RECORDS: u32 = 1 << 16;

/// What is taken at first; it holds some 160 records.
const FIRST_BYTES: usize = 4096;

/// What lies behind the mutex.
///
/// # Safety
///
/// As [`SharedLayout`].
pub(super) unsafe trait MonitorState: Send + Sync {
    /// As [`SharedLayout::KIND`].
    const KIND: &'static str;

    /// Puts in order what the last process left half-changed that died inside.
    fn repair(&self, records: Records<'_>);
}

/// One process (or one thread of it) that has or waits for something.
///
/// A record is in use while its word is not 0; its owner is written before
/// the word is, by somebody inside the monitor.
#[repr(C)]
#[derive(Default)]
pub(super) struct Record {
    owner: [AtomicU64; 2],
    /// Whatever the state makes of it; 0: nobody's record.
    pub(super) word: AtomicU32,
    /// The same, for what is known before the word is written.
    pub(super) note: AtomicU32,
}

impl Record {
    /// The process that it belongs to, or last did.
    pub(super) fn owner(&self) -> Identity {
        must_cast([self.owner[0].load(Relaxed), self.owner[1].load(Relaxed)])
    }

    pub(super) fn is_free(&self) -> bool {
        // Pairs with the Release of `free`.
        self.word.load(Acquire) == 0
    }

    /// Gives it back; only its owner does that, and who is inside for an owner
    /// that died.
    pub(super) fn free(&self) {
        self.word.store(0, Release);
    }

    fn belong_to(&self, owner: Identity) {
        let words: [u64; 2] = must_cast(owner);
        self.owner[0].store(words[0], Relaxed);
        self.owner[1].store(words[1], Relaxed);
    }
}

#[repr(C)]
pub(super) struct Shared<S> {
    mutex: RobustMutex,
    pub(super) sleepers: WaitQueue,
    /// Records that were ever in use; only they are looked at.
    used: AtomicU32,
    /// Records that there is memory for.
    committed: AtomicU32,
    /// When somebody last looked for dead owners, in milliseconds.
    looked_at: AtomicU64,
    pub(super) state: S,
}

// SAFETY: a mutex and atomics, and a state that is as its trait demands.
unsafe impl<S: MonitorState> SharedLayout for Shared<S> {
    const KIND: &'static str = S::KIND;

    fn is_held_here(&self) -> bool {
        self.mutex.is_held_here()
    }
}

/// A handle to a state with its mutex and records.
#[derive(Serialize, Deserialize)]
#[serde(bound = "S: MonitorState")]
pub(super) struct Monitor<S> {
    shared: Placed<Shared<S>>,
}

impl<S> Clone for Monitor<S> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<S: MonitorState> Deref for Monitor<S> {
    type Target = Shared<S>;

    fn deref(&self) -> &Shared<S> {
        &self.shared
    }
}

impl<S: MonitorState> Monitor<S> {
    /// A monitor whose state is all zero bytes, then as `initialise` leaves it.
    pub(super) fn new(initialise: impl FnOnce(&S)) -> Result<Self> {
        const { assert!(Placed::<Shared<S>>::ROOM_OFFSET < FIRST_BYTES) };
        let room = Placed::<Shared<S>>::ROOM_OFFSET;
        let most = room + MOST_RECORDS as usize * size_of::<Record>();
        let memory = SharedMemory::reserve(most, FIRST_BYTES)?;
        let shared = Placed::in_memory(memory, |shared: &Shared<S>| {
            let first = (FIRST_BYTES - room) / size_of::<Record>();
            shared.committed.store(first as u32, Relaxed);
            initialise(&shared.state);
            // SAFETY: nobody else sees it yet.
            unsafe { shared.mutex.initialise(false) }
        })?;
        Ok(Self { shared })
    }

    /// Waits until nobody else is inside, and goes in.
    #[inline]
    pub(super) fn enter(&self) -> Inside<'_, S> {
        self.inside(self.mutex.lock())
    }

    /// The same, but not longer than until `deadline`.
    #[inline]
    pub(super) fn enter_until(&self, deadline: Option<Instant>) -> Option<Inside<'_, S>> {
        Some(self.inside(self.mutex.lock_until(deadline)?))
    }

    #[inline]
    fn inside(&self, acquired: Acquired) -> Inside<'_, S> {
        let inside = Inside { monitor: self, belongs_to_thread: PhantomData };
        if let Acquired::AfterDeathOf(_) = acquired {
            self.state.repair(self.records());
        }
        inside
    }

    /// The record at `index`, which somebody has claimed.
    pub(super) fn record(&self, index: u32) -> &Record {
        assert!(index < MOST_RECORDS, "the index of a record");
        let records = self.shared.room().cast::<Record>();
        // SAFETY: `new` has reserved room for so many, aligned to a cache line,
        // and whoever decodes the handle maps all of it; all bytes are valid
        // for a record, which is atomics only.
        unsafe { records.add(index as usize).as_ref() }
    }

    /// All that were ever in use.
    pub(super) fn records(&self) -> Records<'_> {
        // More only if somebody scribbles.
        let used = self.used.load(Relaxed).min(MOST_RECORDS);
        let of: &dyn RecordSource = self;
        Records { of, range: 0..used }
    }

    /// Records in use whose owner is no longer alive, as far as anybody can
    /// tell; empty if somebody else has looked within [`LONGEST_SLEEP`].
    pub(super) fn find_dead(&self, deadline: Option<Instant>) -> Vec<(u32, Identity)> {
        if self.is_time_to_look() { self.find_dead_now(deadline) } else { Vec::new() }
    }

    /// The same, however recently somebody has looked.
    pub(super) fn find_dead_now(&self, deadline: Option<Instant>) -> Vec<(u32, Identity)> {
        // Copied inside, so that no owner is half of one and half of another;
        // asked for outside, since it takes the kernel some microseconds each.
        let Some(inside) = self.enter_until(deadline) else { return Vec::new() };
        let mut owners: Vec<(u32, Identity)> = inside
            .records()
            .filter(|(_, record)| !record.is_free())
            .map(|(index, record)| (index, record.owner()))
            .collect();
        drop(inside);
        owners.retain(|(_, owner)| !owner.is_alive());
        owners
    }

    fn is_time_to_look(&self) -> bool {
        let now = nix::time::ClockId::CLOCK_MONOTONIC.now().map_or(Duration::MAX, Duration::from);
        let now = now.as_millis() as u64;
        let last = self.looked_at.load(Relaxed);
        now.wrapping_sub(last) >= LONGEST_SLEEP.as_millis() as u64
            && self.looked_at.compare_exchange(last, now, Relaxed, Relaxed).is_ok()
    }

    /// For who has found more than it could deal with: the next one may look
    /// at once.
    pub(super) fn look_again(&self) {
        self.looked_at.store(0, Relaxed);
    }
}

trait RecordSource {
    fn at(&self, index: u32) -> &Record;
}

impl<S: MonitorState> RecordSource for Monitor<S> {
    fn at(&self, index: u32) -> &Record {
        self.record(index)
    }
}

/// The records of a monitor with their indices.
pub(super) struct Records<'a> {
    of: &'a dyn RecordSource,
    range: std::ops::Range<u32>,
}

impl<'a> Iterator for Records<'a> {
    type Item = (u32, &'a Record);

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.range.next()?;
        Some((index, self.of.at(index)))
    }
}

/// Records without a monitor, for models.
#[cfg(all(test, loom))]
pub(super) struct RecordTable(Vec<Record>);

#[cfg(all(test, loom))]
impl RecordTable {
    pub(super) fn new(len: usize) -> Self {
        Self((0..len).map(|_| Record::default()).collect())
    }

    pub(super) fn record(&self, index: usize) -> &Record {
        &self.0[index]
    }

    pub(super) fn all(&self) -> Records<'_> {
        Records { of: self, range: 0..self.0.len() as u32 }
    }
}

#[cfg(all(test, loom))]
impl RecordSource for RecordTable {
    fn at(&self, index: u32) -> &Record {
        &self.0[index as usize]
    }
}

/// Nobody else is inside until this is dropped.
///
/// Invariant: this thread has the mutex.
pub(super) struct Inside<'a, S: MonitorState> {
    monitor: &'a Monitor<S>,
    belongs_to_thread: PhantomData<*const ()>,
}

impl<S: MonitorState> Deref for Inside<'_, S> {
    type Target = Monitor<S>;

    fn deref(&self) -> &Monitor<S> {
        self.monitor
    }
}

impl<'a, S: MonitorState> Inside<'a, S> {
    /// The monitor, for longer than this thread is inside.
    pub(super) fn monitor(&self) -> &'a Monitor<S> {
        self.monitor
    }

    /// A free record, which belongs to this process from now on and is in use
    /// once its word is written.
    pub(super) fn claim(&self) -> Result<(u32, &'a Record)> {
        let free = self.monitor.records().find(|(_, record)| record.is_free());
        let (index, record) = match free {
            Some(found) => found,
            None => self.add_record()?,
        };
        record.belong_to(Identity::this());
        Ok((index, record))
    }

    #[cold]
    fn add_record(&self) -> Result<(u32, &'a Record)> {
        let used = self.used.load(Relaxed);
        if used >= MOST_RECORDS {
            let most = MOST_RECORDS as usize;
            return Err(Error::TooLarge { what: "processes or waiters", got: most + 1, most });
        }
        if used >= self.committed.load(Relaxed) {
            let more = (used * 2).min(MOST_RECORDS);
            let room = Placed::<Shared<S>>::ROOM_OFFSET;
            let bytes = |records: u32| room + records as usize * size_of::<Record>();
            self.shared.memory().commit(bytes(used)..bytes(more))?;
            self.committed.store(more, Relaxed);
        }
        self.used.store(used + 1, Relaxed);
        Ok((used, self.monitor.record(used)))
    }

    /// Gives the record of a dead process back, unless somebody has done so.
    /// Returns what its word was.
    pub(super) fn bury(&self, (index, owner): (u32, Identity)) -> Option<u32> {
        let record = self.monitor.record(index);
        let word = record.word.load(Acquire);
        if word == 0 || record.owner() != owner {
            return None;
        }
        record.free();
        Some(word)
    }
}

impl<S: MonitorState> Drop for Inside<'_, S> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this thread has the mutex (invariant), and gives it back once.
        unsafe { self.monitor.mutex.unlock() };
    }
}
