//! One *errand* at a time, past the rings: something short that a worker which
//! looks, or sleeps, does at once, and whose answer lies where the question was.
//!
//! The parent posts it, the worker takes it and says when it is done. What was
//! not taken the parent can revoke, and then the worker never will. So nothing
//! need wait for a worker that sleeps, and the parent knows of a dead one
//! whether it had begun.

use crate::{
    atomic::{
        AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
    memory::{WORD, Words},
};

/// Bytes of a question, or of an answer.
pub(crate) const SLOT_BYTES: usize = if cfg!(loom) { 16 } else { 1024 };

/// See [the module](self).
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct Slot {
    /// The errand's number and how far it is.
    turn: AtomicU64,
    /// Bytes of what was asked, or answered.
    len: AtomicU64,
    bytes: [AtomicU64; SLOT_BYTES / WORD],
}

/// Number of an errand, from 1 on.
pub(crate) type Errand = u64;

/// How far an errand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nobody has begun it.
    Posted,
    /// The worker has begun it.
    Taken,
    Done,
    /// It is not in the slot, or somebody has written over that.
    Gone,
}

mod stage {
    pub(super) const NONE: u64 = 0;
    pub(super) const POSTED: u64 = 1;
    pub(super) const TAKEN: u64 = 2;
    pub(super) const DONE: u64 = 3;
}

const fn turn(errand: Errand, stage: u64) -> u64 {
    errand << 2 | stage
}

impl Slot {
    #[cfg(all(test, loom))]
    pub(super) fn new() -> Self {
        let word = || AtomicU64::new(0);
        Self { turn: word(), len: word(), bytes: std::array::from_fn(|_| word()) }
    }

    /// By the parent: asks for something, in two parts, for which there is room.
    /// The slot must be vacant, or its last errand done or revoked.
    pub(super) fn post(&self, errand: Errand, question: [&[u8]; 2]) {
        self.write(question);
        // Release: whoever takes it sees the question.
        self.turn.store(turn(errand, stage::POSTED), Release);
    }

    /// By the parent: whether it has taken the errand back, which the worker
    /// had not begun and never will.
    pub(super) fn revoke(&self, errand: Errand) -> bool {
        let (posted, none) = (turn(errand, stage::POSTED), turn(errand, stage::NONE));
        self.turn.compare_exchange(posted, none, Relaxed, Relaxed).is_ok()
    }

    /// How far it is; what was answered can be read if it is done.
    #[inline]
    pub(super) fn stage(&self, errand: Errand) -> Stage {
        // Pairs with `finish`.
        let now = self.turn.load(Acquire);
        match now & 3 {
            _ if now >> 2 != errand => Stage::Gone,
            stage::POSTED => Stage::Posted,
            stage::TAKEN => Stage::Taken,
            stage::DONE => Stage::Done,
            _ => Stage::Gone,
        }
    }

    /// By the worker: the errand that it is asked for, if there is one.
    #[inline]
    pub(super) fn posted(&self) -> Option<Errand> {
        let now = self.turn.load(Relaxed);
        (now & 3 == stage::POSTED).then_some(now >> 2)
    }

    /// By the worker: begins it; what was asked, in `into`. `None` if it was
    /// revoked.
    pub(super) fn take<'a>(
        &self,
        errand: Errand,
        into: &'a mut [u8; SLOT_BYTES],
    ) -> Option<&'a [u8]> {
        let (posted, taken) = (turn(errand, stage::POSTED), turn(errand, stage::TAKEN));
        // Acquire: pairs with `post`. AcqRel: what it does it does after that.
        self.turn.compare_exchange(posted, taken, AcqRel, Relaxed).ok()?;
        Some(self.read(into))
    }

    /// By the worker: it is done. An answer that is too long is cut.
    pub(super) fn finish(&self, errand: Errand, answer: &[u8]) {
        self.write([&answer[..answer.len().min(SLOT_BYTES)], &[]]);
        // Release: whoever sees it sees what was done and the answer.
        self.turn.store(turn(errand, stage::DONE), Release);
    }

    fn write(&self, [head, tail]: [&[u8]; 2]) {
        self.len.store((head.len() + tail.len()) as u64, Relaxed);
        let words = Words::new(&self.bytes);
        words.rewrite_alone(0, head);
        words.rewrite_alone(head.len(), tail);
    }

    /// What was asked, or answered.
    pub(super) fn read<'a>(&self, into: &'a mut [u8; SLOT_BYTES]) -> &'a [u8] {
        // Somebody may have written over the length.
        let len = (self.len.load(Relaxed) as usize).min(SLOT_BYTES);
        Words::new(&self.bytes).read(0, &mut into[..len]);
        &into[..len]
    }
}
