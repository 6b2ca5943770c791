//! A bulk job as its participants see it.

use std::{
    slice,
    sync::atomic::{Ordering::SeqCst, compiler_fence},
};

use super::{board::Board, claims::claim, record::Failure};
use crate::{SharedMemory, TaskFn, TaskPanic, current_process, pool};

/// What is to be done, and where.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) board: Board,
    pub(super) task: TaskFn,
    pub(super) context: Vec<u8>,
    pub(super) chunks: u32,
    /// Whether chunks have deadlines.
    pub(super) is_timed: bool,
    pub(super) input: Option<Stretch>,
    /// Another array than the input.
    pub(super) output: Stretch,
    /// As many bytes as a chunk of the output has for each participant, to
    /// keep a chunk in as it was. For tasks in place that may be begun again.
    pub(super) undo: Option<SharedMemory>,
}

/// An array, divided into chunks; the last may be shorter, and those behind it
/// are empty.
///
/// Invariant: the array lies in its memory.
#[derive(Debug)]
pub(super) struct Stretch {
    memory: SharedMemory,
    /// Bytes of one chunk.
    pub(super) stride: usize,
    /// Bytes of the array.
    len: usize,
}

impl Stretch {
    /// `None` if the array does not lie in the memory.
    pub(super) fn new(memory: SharedMemory, stride: usize, len: usize) -> Option<Self> {
        (len <= memory.len()).then_some(Self { memory, stride, len })
    }

    /// Where the chunk begins, and its length.
    #[inline]
    fn chunk(&self, chunk: u32) -> (*mut u8, usize) {
        let start = (chunk as usize).saturating_mul(self.stride).min(self.len);
        let len = self.stride.min(self.len - start);
        (self.memory.base().as_ptr().wrapping_add(start), len)
    }
}

impl Job {
    /// Claims chunks for participant `me` and executes them until there is
    /// nothing left to claim. In any process; in one place at a time for each
    /// participant.
    ///
    /// # Panics
    ///
    /// If the board is damaged.
    pub(super) fn participate(&self, me: usize) {
        let record = &self.board.records()[me];
        let status = pool::own_status().filter(|_| self.is_timed);
        while let Some(chunk) = claim(self.board.claims(), me) {
            assert!(chunk < self.chunks, "a claimed chunk is one of the job's");
            if let Some(status) = status {
                status.begin_part();
                record.note_begun(chunk);
            }
            if self.undo.is_some() {
                self.keep(chunk, me);
            }
            if let Err(panic) = self.execute(chunk) {
                if self.undo.is_some() {
                    self.undo(chunk, me);
                }
                record.note_failure(chunk, panic.into());
            }
        }
    }

    #[inline]
    fn execute(&self, chunk: u32) -> Result<(), TaskPanic> {
        let (output, output_len) = self.output.chunk(chunk);
        let (input, input_len) =
            self.input.as_ref().map_or((std::ptr::dangling_mut(), 0), |input| input.chunk(chunk));
        // SAFETY: both are mapped (invariant of `Stretch`). The chunk is one of
        // the job's (`participate`) and was claimed by this participant alone,
        // and chunks do not overlap, so the exclusive reference is the only
        // one: the parent keeps the arrays borrowed until nobody participates
        // any more, and input and output are different arrays.
        let (input, output) = unsafe {
            (slice::from_raw_parts(input, input_len), slice::from_raw_parts_mut(output, output_len))
        };
        self.task.run(&self.context, input, output)
    }

    /// Keeps the bytes of a chunk that was claimed.
    fn keep(&self, chunk: u32, me: usize) {
        let (bytes, len) = self.output.chunk(chunk);
        let Some(room) = self.undo_room(me, len) else { return };
        // SAFETY: the chunk is this participant's, see `execute`, and the room
        // always is; they lie in different memory.
        unsafe { room.copy_from_nonoverlapping(bytes, len) };
        self.board.records()[me].note_undo(chunk);
        // What the task changes it changes after that, in this program's order.
        compiler_fence(SeqCst);
    }

    /// Makes a chunk what it was, if it may have been changed since it was
    /// claimed: for the participant, or whoever settles its affairs.
    pub(super) fn undo(&self, chunk: u32, me: usize) {
        assert!(chunk < self.chunks, "the chunk is one of the job's");
        let (bytes, len) = self.output.chunk(chunk);
        let Some(room) = self.undo_room(me, len) else { return };
        if self.board.records()[me].has_undo(chunk) {
            // SAFETY: as in `keep`; the participant has the chunk, or had it
            // when it died.
            unsafe { bytes.copy_from_nonoverlapping(room, len) };
        }
    }

    /// Room for `len` bytes of a chunk; `None` if nothing can be undone.
    fn undo_room(&self, me: usize, len: usize) -> Option<*mut u8> {
        let undo = self.undo.as_ref()?;
        let start = me.checked_mul(self.output.stride)?;
        let fits = start.checked_add(len).is_some_and(|end| end <= undo.len());
        assert!(fits, "every participant has room for a chunk");
        Some(undo.base().as_ptr().wrapping_add(start))
    }
}

/// Of this process.
impl From<TaskPanic> for Failure {
    fn from(TaskPanic { message, backtrace }: TaskPanic) -> Self {
        let this = current_process();
        Self { pid: this.pid(), name: this.name().to_owned(), message, backtrace }
    }
}
