//! What lies in a board's memory. Atomic words only: every process may read
//! and write any of them at any time, whatever state its program is in.

use std::{mem::size_of, sync::atomic::AtomicI32};

use super::claim::Range;
use crate::{
    SharedMemory, Token,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

/// Bytes of context that a job can carry.
pub(super) const CONTEXT_BYTES: usize = 64;

/// Bytes of a failure's message that reach the parent.
const MESSAGE_BYTES: usize = 1024;

/// The memory of a board: a [`Header`], then the workers' [`Slot`]s.
#[derive(Debug)]
pub(super) struct Layout {
    memory: SharedMemory,
    workers: usize,
}

/// Two cache lines: processors fetch them in pairs, so that neighbours that
/// share a pair disturb each other (Intel's optimisation manual, "spatial
/// prefetcher").
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Padded<T>(pub(super) T);

#[derive(Debug)]
#[repr(C)]
pub(super) struct Header {
    pub(super) generation: Padded<AtomicU32>,
    /// Workers that sleep on the generation or are about to.
    pub(super) sleepers: Padded<AtomicU32>,
    /// Tasks executed, as far as told.
    pub(super) completed: Padded<AtomicU32>,
    /// Whether the parent sleeps or is about to.
    pub(super) parent_sleeps: AtomicU32,
    /// 0, or 1 + the index of the worker whose slot holds the failure.
    pub(super) failed: AtomicU32,
    pub(super) job: JobWords,
}

/// The job. Relaxed accesses throughout: it is published with the generation.
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct JobWords {
    pub(super) kind: AtomicU32,
    pub(super) tasks: AtomicU32,
    pub(super) token: [AtomicU64; 2],
    pub(super) context_len: AtomicU32,
    pub(super) context: [AtomicU64; CONTEXT_BYTES / 8],
    pub(super) input: StretchWords,
    pub(super) output: StretchWords,
}

/// Where the stretches of a job's tasks lie.
#[derive(Debug)]
#[repr(C)]
pub(super) struct StretchWords {
    pub(super) region: AtomicU32,
    /// Bytes of one task's stretch.
    pub(super) stride: AtomicU64,
    /// Bytes of all of them; the last may be cut short.
    pub(super) len: AtomicU64,
}

/// One worker's.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Slot {
    pub(super) range: Padded<Range>,
    pub(super) status: Padded<StatusWords>,
    failure: Message,
}

#[derive(Debug)]
#[repr(C)]
pub(super) struct StatusWords {
    pub(super) state: AtomicI32,
    /// 0, or 1 + the task that is being executed.
    pub(super) current: AtomicU32,
}

#[derive(Debug)]
#[repr(C)]
struct Message {
    task: AtomicU32,
    len: AtomicU32,
    words: [AtomicU64; MESSAGE_BYTES / 8],
}

/// What the job asks for.
pub(super) mod kind {
    /// Claim and execute tasks.
    pub(in crate::board) const TASKS: u32 = 1;
    /// Read what the parent has sent about regions; once by every worker.
    pub(in crate::board) const REGIONS: u32 = 2;
    /// End.
    pub(in crate::board) const END: u32 = 3;
}

/// What a worker is doing.
pub(super) mod state {
    /// Not ready yet.
    pub(in crate::board) const STARTING: i32 = 0;
    /// Waiting for a generation.
    pub(in crate::board) const IDLE: i32 = 1;
    /// Reading or executing the job.
    pub(in crate::board) const ACTIVE: i32 = 2;
}

/// No region: tasks without input.
pub(super) const NO_REGION: u32 = u32::MAX;

impl Layout {
    /// Bytes of a board for so many workers.
    pub(super) const fn size(workers: usize) -> usize {
        size_of::<Header>() + workers * size_of::<Slot>()
    }

    /// `memory` must be a new board's or come from [`Layout::size`] bytes of one.
    pub(super) fn new(memory: SharedMemory, workers: usize) -> Self {
        assert!(memory.len() >= Self::size(workers), "the memory holds the board");
        Self { memory, workers }
    }

    pub(super) fn header(&self) -> &Header {
        // SAFETY: `new` has checked the length; the mapping is page-aligned
        // and lives as long as `self`. A header consists of atomics, for which
        // any bytes are valid and any process may write at any time.
        unsafe { self.memory.base().cast::<Header>().as_ref() }
    }

    pub(super) fn slots(&self) -> &[Slot] {
        // SAFETY: as for the header; the slots follow it, whose size is a
        // multiple of their alignment (both contain `Padded`).
        unsafe {
            let first = self.memory.base().add(size_of::<Header>()).cast::<Slot>();
            std::slice::from_raw_parts(first.as_ptr(), self.workers)
        }
    }
}

impl JobWords {
    pub(super) fn set_token(&self, token: Token) {
        for (word, value) in self.token.iter().zip(token) {
            word.store(value, Ordering::Relaxed);
        }
    }

    pub(super) fn token(&self) -> Token {
        [0, 1].map(|i: usize| self.token[i].load(Ordering::Relaxed))
    }

    /// # Panics
    ///
    /// If there are more bytes than [`CONTEXT_BYTES`].
    pub(super) fn set_context(&self, context: &[u8]) {
        store_bytes(&self.context, context);
        self.context_len.store(context.len() as u32, Ordering::Relaxed);
    }

    pub(super) fn context(&self) -> ([u8; CONTEXT_BYTES], usize) {
        let mut bytes = [0; CONTEXT_BYTES];
        load_bytes(&self.context, &mut bytes);
        let len = self.context_len.load(Ordering::Relaxed) as usize;
        (bytes, len.min(CONTEXT_BYTES))
    }
}

impl StretchWords {
    pub(super) fn set(&self, region: u32, stride: usize, len: usize) {
        self.region.store(region, Ordering::Relaxed);
        self.stride.store(stride as u64, Ordering::Relaxed);
        self.len.store(len as u64, Ordering::Relaxed);
    }

    /// Region, stride and length.
    pub(super) fn get(&self) -> (u32, usize, usize) {
        let word = |word: &AtomicU64| word.load(Ordering::Relaxed) as usize;
        (self.region.load(Ordering::Relaxed), word(&self.stride), word(&self.len))
    }
}

impl Slot {
    /// Notes what a task failed with; cut to what fits.
    pub(super) fn set_failure(&self, task: u32, message: &str) {
        let fits = message.floor_char_boundary(MESSAGE_BYTES);
        store_bytes(&self.failure.words, &message.as_bytes()[..fits]);
        self.failure.task.store(task, Ordering::Relaxed);
        self.failure.len.store(fits as u32, Ordering::Relaxed);
    }

    pub(super) fn failure(&self) -> (usize, String) {
        let mut bytes = [0; MESSAGE_BYTES];
        load_bytes(&self.failure.words, &mut bytes);
        let len = (self.failure.len.load(Ordering::Relaxed) as usize).min(MESSAGE_BYTES);
        let message = String::from_utf8_lossy(&bytes[..len]).into_owned();
        (self.failure.task.load(Ordering::Relaxed) as usize, message)
    }
}

fn store_bytes(words: &[AtomicU64], bytes: &[u8]) {
    assert!(bytes.len() <= size_of_val(words), "the bytes fit");
    for (word, bytes) in words.iter().zip(bytes.chunks(8)) {
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        word.store(u64::from_ne_bytes(whole), Ordering::Relaxed);
    }
}

fn load_bytes(words: &[AtomicU64], bytes: &mut [u8]) {
    for (word, bytes) in words.iter().zip(bytes.chunks_mut(8)) {
        bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes()[..bytes.len()]);
    }
}
