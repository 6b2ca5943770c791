//! What a participant notes of its work for those who come after it.

use serde::{Deserialize, Serialize};

use crate::{
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
    memory::{WORD, Words},
};

/// Bytes of an encoded failure.
const FAILURE_BYTES: usize = 8 << 10;

/// Bytes of a panic's message; what is longer is cut.
const MESSAGE_BYTES: usize = 2 << 10;

/// Bytes of a worker's name.
const NAME_BYTES: usize = 256;

/// Bytes of a backtrace: the rest, but for a few that say how long texts are.
const BACKTRACE_BYTES: usize = FAILURE_BYTES - MESSAGE_BYTES - NAME_BYTES - 32;

/// Why a chunk has failed: its panic, and in which worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) pid: i32,
    pub(super) name: String,
    pub(super) message: String,
    pub(super) backtrace: Option<String>,
}

/// One participant's. All bytes zero: nothing was noted.
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct Record {
    /// 0, or 1 + the chunk whose bytes, as they were, lie in the undo room.
    undo: AtomicU64,
    /// 0, or 1 + the chunk that it has begun last, if chunks are timed.
    begun: AtomicU64,
    /// 0, or 1 + the first chunk that has failed, and in the upper half which
    /// room tells why.
    failed: AtomicU64,
    rooms: [Room; 2],
}

#[derive(Debug)]
#[repr(C)]
struct Room {
    len: AtomicU64,
    /// An encoded [`Failure`].
    bytes: [AtomicU64; FAILURE_BYTES / WORD],
}

impl Record {
    /// Nothing was noted. Before anybody participates.
    pub(super) fn clear(&self) {
        self.undo.store(0, Relaxed);
        self.begun.store(0, Relaxed);
        self.failed.store(0, Relaxed);
    }

    /// By the participant, if chunks are timed: what it does from now on is
    /// done for `chunk`.
    pub(super) fn note_begun(&self, chunk: u32) {
        // Release: after the step has begun, in this program's order.
        self.begun.store(u64::from(chunk) + 1, Release);
    }

    /// Whether `chunk` is the last that was begun, if chunks are timed.
    pub(super) fn has_begun(&self, chunk: u32) -> bool {
        self.begun.load(Acquire) == u64::from(chunk) + 1
    }

    /// By the participant: the undo room holds the bytes of `chunk`.
    pub(super) fn note_undo(&self, chunk: u32) {
        // Release: after the copy, in this program's order.
        self.undo.store(u64::from(chunk) + 1, Release);
    }

    /// Whether the undo room holds the bytes of `chunk`.
    pub(super) fn has_undo(&self, chunk: u32) -> bool {
        self.undo.load(Acquire) == u64::from(chunk) + 1
    }

    /// By the participant: a chunk has failed. Of several the first is kept.
    pub(super) fn note_failure(&self, chunk: u32, failure: Failure) {
        let known = self.failed.load(Relaxed);
        if known != 0 && known as u32 <= chunk {
            return;
        }
        // The other room: what is known stays so until this is written.
        let room = ((known >> 32) & 1) ^ 1;
        self.rooms[room as usize].write(failure);
        self.failed.store((room << 32) | (u64::from(chunk) + 1), Release);
    }

    /// The first chunk that has failed, and why.
    pub(super) fn failure(&self) -> Option<(u32, Failure)> {
        let failed = self.failed.load(Acquire);
        let chunk = (failed as u32).checked_sub(1)?;
        Some((chunk, self.rooms[((failed >> 32) & 1) as usize].read()))
    }
}

impl Room {
    fn write(&self, mut failure: Failure) {
        cut(&mut failure.name, NAME_BYTES);
        cut(&mut failure.message, MESSAGE_BYTES);
        failure.backtrace.iter_mut().for_each(|text| cut(text, BACKTRACE_BYTES));
        let bytes = postcard::to_stdvec(&failure).expect("texts can be encoded");
        Words::new(&self.bytes).write_alone(0, &bytes);
        self.len.store(bytes.len() as u64, Relaxed);
    }

    fn read(&self) -> Failure {
        let mut bytes = [0; FAILURE_BYTES];
        Words::new(&self.bytes).read(0, &mut bytes);
        let len = (self.len.load(Relaxed) as usize).min(FAILURE_BYTES);
        postcard::from_bytes(&bytes[..len]).unwrap_or_else(|_| Failure {
            message: "an unknown place: what was noted of it is damaged".to_owned(),
            ..Failure::default()
        })
    }
}

fn cut(text: &mut String, most: usize) {
    text.truncate(text.floor_char_boundary(most));
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn record() -> Box<Record> {
        let word = || AtomicU64::new(0);
        let room = || Room { len: word(), bytes: std::array::from_fn(|_| word()) };
        Box::new(Record { undo: word(), begun: word(), failed: word(), rooms: [room(), room()] })
    }

    fn failure(message: &str) -> Failure {
        Failure { pid: 7, name: "worker".to_owned(), message: message.to_owned(), backtrace: None }
    }

    #[test]
    fn of_several_failures_the_one_of_the_first_chunk_is_kept() {
        let record = record();
        assert_eq!(record.failure(), None);
        for (chunk, kept) in [(7, 7), (9, 7), (3, 3), (0, 0), (3, 0)] {
            record.note_failure(chunk, failure(&format!("chunk {chunk}")));
            assert_eq!(record.failure(), Some((kept, failure(&format!("chunk {kept}")))));
        }
        record.clear();
        assert_eq!(record.failure(), None);
    }

    #[test]
    fn texts_that_are_too_long_are_cut() {
        let record = record();
        let backtrace = Some("b".repeat(FAILURE_BYTES));
        record.note_failure(
            1,
            Failure { pid: -1, name: "n".repeat(500), message: "ä".repeat(5_000), backtrace },
        );
        let (_, kept) = record.failure().unwrap();
        assert_eq!(kept.name, "n".repeat(NAME_BYTES));
        assert_eq!(kept.message, "ä".repeat(MESSAGE_BYTES / 2));
        assert_eq!(kept.backtrace, Some("b".repeat(BACKTRACE_BYTES)));
    }

    #[test]
    fn rubbish_is_not_taken_for_a_text() {
        let record = record();
        record.note_failure(u32::MAX - 1, failure("no"));
        record.rooms[1].len.store(u64::MAX, Relaxed);
        record.rooms[1].bytes.iter().for_each(|word| word.store(u64::MAX, Relaxed));
        let (chunk, kept) = record.failure().unwrap();
        assert_eq!(chunk, u32::MAX - 1);
        assert!(kept.message.contains("damaged"), "{kept:?}");
    }

    #[test]
    fn an_undo_room_is_that_of_one_chunk() {
        let record = record();
        assert!(!record.has_undo(0));
        record.note_undo(0);
        assert!(record.has_undo(0) && !record.has_undo(1));
    }
}
