//! What tells a worker to participate in a bulk job.

use bytemuck::{Pod, Zeroable};
use serde::{Deserialize, Serialize};

use super::{
    attic,
    board::Board,
    job::{Job, Stretch},
    region::RegionId,
};
use crate::{SharedMemory, TaskFn, Token};

/// What a participant must know of a bulk job: [`Fields`], then the context.
/// These are bytes as they lie in memory, since to encode them otherwise would
/// take as long as a small job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ticket(Vec<u8>);

/// What does not depend on the task's context. Region 0 is none.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Fields {
    pub(super) participants: u64,
    /// The board's region.
    pub(super) board: u64,
    pub(super) task: Token,
    pub(super) chunks: u64,
    /// Whether chunks have deadlines.
    pub(super) is_timed: u64,
    /// Of region 0 if there is none.
    pub(super) input: Part,
    pub(super) output: Part,
    /// The region of the undo rooms, or 0.
    pub(super) undo: u64,
}

/// Where an array lies and how it is divided.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Part {
    pub(super) region: u64,
    pub(super) stride: u64,
    pub(super) len: u64,
}

/// A worker that has been admitted to a bulk job.
pub(crate) struct Participant {
    job: Job,
    me: usize,
}

impl Participant {
    /// Number `me` of those who have this encoded ticket; an error is why it
    /// cannot participate.
    ///
    /// # Panics
    ///
    /// If the ticket makes no sense.
    pub(crate) fn admit(me: u64, ticket: &[u8]) -> Result<Self, String> {
        Ok(Self { job: Ticket(ticket.to_vec()).into_job()?, me: me as usize })
    }

    /// Becomes number `me` of those who have this ticket if only its context is
    /// another one than before; whether it is.
    pub(crate) fn renew(&mut self, me: u64, ticket: &[u8]) -> bool {
        let parts = ticket.split_at_checked(size_of::<Fields>());
        self.me as u64 == me
            && parts.is_some_and(|(fields, context)| self.job.ticket.renew(fields, context))
    }

    /// Before it is known what to participate in, but that it will most likely
    /// be the same.
    pub(crate) fn prefetch(&self) {
        self.job.prefetch(self.me);
    }

    /// Claims and executes chunks until there is nothing left.
    ///
    /// # Panics
    ///
    /// If the board is damaged.
    pub(crate) fn participate(&self) {
        self.job.participate(self.me);
    }
}

impl Ticket {
    pub(super) fn new(fields: &Fields, context: &[u8]) -> Self {
        Self([bytemuck::bytes_of(fields), context].concat())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Gets this context if it has these [`Fields`] and a context as long;
    /// whether it has.
    pub(super) fn renew(&mut self, fields: &[u8], context: &[u8]) -> bool {
        let (known, old) = self.0.split_at_mut(size_of::<Fields>());
        let is_same = known == fields && old.len() == context.len();
        if is_same {
            old.copy_from_slice(context);
        }
        is_same
    }

    /// Whether it is about this region, among others.
    pub(super) fn names(&self, RegionId(region): RegionId) -> bool {
        let Fields { board, input, output, undo, .. } = self.fields();
        [board, input.region, output.region, undo].contains(&region)
    }

    /// What all tasks share.
    pub(super) fn context(&self) -> &[u8] {
        &self.0[size_of::<Fields>()..]
    }

    fn fields(&self) -> Fields {
        bytemuck::pod_read_unaligned(self.0.get(..size_of::<Fields>()).expect("a ticket"))
    }

    /// In a worker: participates as number `me`. An error is why that was not
    /// possible.
    ///
    /// # Panics
    ///
    /// If the ticket makes no sense, or the board is damaged.
    pub(super) fn redeem(self, me: u64) -> Result<(), String> {
        Participant { job: self.into_job()?, me: me as usize }.participate();
        Ok(())
    }

    fn into_job(self) -> Result<Job, String> {
        let fields = self.fields();
        let board = Board::over(region(fields.board)?, fields.participants as usize);
        Ok(Job {
            board: board.expect("the board lies in its region"),
            task: TaskFn::from_token(fields.task).expect("a task of this executable"),
            chunks: fields.chunks as u32,
            is_timed: fields.is_timed != 0,
            input: (fields.input.region != 0).then(|| stretch(fields.input)).transpose()?,
            output: stretch(fields.output)?,
            undo: (fields.undo != 0).then(|| region(fields.undo)).transpose()?,
            ticket: self,
        })
    }
}

fn region(id: u64) -> Result<SharedMemory, String> {
    attic::find(RegionId(id))
}

fn stretch(part: Part) -> Result<Stretch, String> {
    let stretch = Stretch::new(region(part.region)?, part.stride as usize, part.len as usize);
    Ok(stretch.expect("the array lies in its region"))
}
