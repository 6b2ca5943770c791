//! What tells a worker to participate in a bulk job.

use serde::{Deserialize, Serialize};

use super::{
    attic,
    board::Board,
    claims::Terms,
    job::{Job, Stretch},
    region::RegionId,
};
use crate::{TaskFn, Token};

/// A participation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ticket {
    pub(super) participant: u32,
    pub(super) participants: u32,
    /// The board's region.
    pub(super) board: u64,
    pub(super) task: Token,
    pub(super) context: Vec<u8>,
    pub(super) chunks: u32,
    pub(super) is_timed: bool,
    pub(super) input: Option<Part>,
    pub(super) output: Part,
    /// The region of the undo rooms.
    pub(super) undo: Option<u64>,
}

/// Where an array lies and how it is divided.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
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
    /// Who has an encoded ticket; an error is why it cannot participate.
    ///
    /// # Panics
    ///
    /// If the ticket makes no sense.
    pub(crate) fn admit(ticket: &[u8]) -> Result<Self, String> {
        postcard::from_bytes::<Ticket>(ticket).expect("a ticket").admit()
    }

    /// Claims and executes chunks until there is nothing left.
    ///
    /// # Panics
    ///
    /// If the board is damaged.
    pub(crate) fn participate(&self) {
        self.job.participate(self.me, Terms::of(self.job.is_timed));
    }
}

impl Ticket {
    /// In a worker: participates. An error is why that was not possible.
    ///
    /// # Panics
    ///
    /// If the ticket makes no sense, or the board is damaged.
    pub(super) fn redeem(self) -> Result<(), String> {
        self.admit()?.participate();
        Ok(())
    }

    fn admit(self) -> Result<Participant, String> {
        let memory = |region: u64| attic::find(RegionId(region));
        let stretch = |part: Part| -> Result<Stretch, String> {
            let (stride, len) = (part.stride as usize, part.len as usize);
            let stretch = Stretch::new(memory(part.region)?, stride, len);
            Ok(stretch.expect("the array lies in its region"))
        };
        let board = Board::over(memory(self.board)?, self.participants as usize);
        let job = Job {
            board: board.expect("the board lies in its region"),
            task: TaskFn::from_token(self.task).expect("a task of this executable"),
            input: self.input.map(stretch).transpose()?,
            output: stretch(self.output)?,
            undo: self.undo.map(memory).transpose()?,
            chunks: self.chunks,
            is_timed: self.is_timed,
            context: self.context,
        };
        Ok(Participant { job, me: self.participant as usize })
    }
}
