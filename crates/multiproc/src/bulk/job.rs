//! A bulk job as its participants see it.

use std::sync::atomic::{Ordering::SeqCst, compiler_fence};

use super::{
    board::Board,
    claims::{Lease, Terms, claim},
    record::{Failure, Record},
    strip::{Side, Strip},
    ticket::Ticket,
};
use crate::{
    SharedMemory, TaskFn, TaskPanic, current_process, pool, prefetching::prefetch_to_write,
};

/// What is to be done, and where.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) board: Board,
    pub(super) task: TaskFn,
    pub(super) chunks: u32,
    /// Whether chunks have deadlines.
    pub(super) is_timed: bool,
    pub(super) input: Option<Stretch>,
    /// Another array than the input.
    pub(super) output: Stretch,
    /// As many bytes as a chunk of the output has for each participant, to
    /// keep a chunk in as it was. For tasks in place that may be begun again.
    pub(super) undo: Option<SharedMemory>,
    /// What makes others participate.
    pub(super) ticket: Ticket,
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

    fn side(&self) -> Side {
        Side { base: self.memory.base().as_ptr(), stride: self.stride, len: self.len }
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
        self.participate_while(me, self.terms(), &mut || true);
    }

    /// Divides the chunks among the participants, before any of them begins.
    pub(super) fn deal(&self) {
        self.board.deal(self.chunks);
        if self.is_timed || self.undo.is_some() {
            // Of a job before this one.
            self.board.records().iter().for_each(Record::clear);
        }
    }

    /// Before participant `me` begins: has what it is going to change first
    /// come from the core of who has dealt.
    pub(super) fn prefetch(&self, me: usize) {
        self.board.claims()[me].prefetch();
        let (first, _) = self.output.side().chunk(self.board.share(self.chunks, me));
        prefetch_to_write(first);
    }

    /// How its chunks are leased.
    pub(super) fn terms(&self) -> Terms {
        let terms = Terms::of(self.chunks, self.board.claims().len());
        if self.is_timed { terms.one_by_one() } else { terms }
    }

    /// The same as long as `goes_on` says so, which is asked after each lease.
    ///
    /// # Panics
    ///
    /// If the board is damaged.
    pub(super) fn participate_while(
        &self,
        me: usize,
        terms: Terms,
        goes_on: &mut dyn FnMut() -> bool,
    ) {
        let record = &self.board.records()[me];
        let status = self.is_timed.then(pool::own_status).flatten();
        let prepare = |chunk| {
            if let Some(status) = status {
                status.begin_part();
                record.note_begun(chunk);
            }
            self.keep(chunk, me);
        };
        let is_special = status.is_some() || self.undo.is_some();
        let before = is_special.then_some(&prepare as &dyn Fn(u32));
        while let Some(lease) = claim(self.board.claims(), me, terms) {
            let mut strip = self.strip(lease, before);
            // After a panic it goes on behind the chunk that has panicked.
            while let Err(panic) = self.task.run_all(self.ticket.context(), &mut strip) {
                let chunk = strip.current().expect("what panics was begun");
                self.undo(chunk, me);
                record.note_failure(chunk, panic.into());
            }
            if !goes_on() {
                return;
            }
        }
    }

    fn strip<'a>(&'a self, lease: Lease<'a>, before: Option<&'a dyn Fn(u32)>) -> Strip<'a> {
        assert!(lease.end() <= self.chunks, "claimed chunks are the job's");
        let input = self.input.as_ref().map(Stretch::side);
        // SAFETY: both arrays are mapped (invariant of `Stretch`), as long as
        // `self`. The chunks are the job's, and this participant alone has
        // claimed them, as the protocol of claims has it; chunks do not
        // overlap. The parent keeps the arrays borrowed until nobody
        // participates any more, and input and output are different arrays.
        unsafe { Strip::leased(input, self.output.side(), lease, before) }
    }

    /// Keeps the bytes of a chunk that was claimed, if there is room for that.
    fn keep(&self, chunk: u32, me: usize) {
        let (bytes, len) = self.output.side().chunk(chunk);
        let Some(room) = self.undo_room(me, len) else { return };
        // SAFETY: the chunk is this participant's, see `strip`, and the room
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
        let (bytes, len) = self.output.side().chunk(chunk);
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
