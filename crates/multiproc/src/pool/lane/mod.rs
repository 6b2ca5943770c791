//! The parent's side of one worker's streams, neither of which may block.

mod in_flight;
mod incoming;
mod outgoing;

use std::io;

use self::in_flight::InFlight;
use super::{
    frame::Failure,
    jobs::{JobId, Next},
    large::Large,
    pace::Pace,
    status::Tag,
    transport::Stream,
};
use crate::Error;

/// What is read, and at least staged, with one call.
const BUFFER_BYTES: usize = 64 * 1024;

/// A task: which of which job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskId {
    pub(crate) job: JobId,
    pub(crate) task: u64,
}

/// One worker's streams and what is on its way through them.
pub(crate) struct Lane<S> {
    stream: S,
    /// The worker's process id and name.
    worker: (i32, String),
    pace: Pace,
    /// Number of the function whose job frame is in force.
    function: u64,
    /// Tasks that the worker was given and has not answered. All are of one
    /// series.
    in_flight: InFlight,
    /// Bytes that were written or read.
    moved: u64,
    /// Frames to be written; those before `written` are.
    staged: Vec<u8>,
    written: usize,
    /// The end of an input, to be written behind them from where it lies: task
    /// and bytes written.
    direct: Option<(TaskId, usize)>,
    /// The worker is to be told to end behind all that.
    is_end_due: bool,
    /// What was read and not understood yet, and how much of it there is.
    unread: Box<[u8]>,
    unread_len: usize,
    /// An output that is larger than what is left to read of it here.
    arriving: Option<Arriving>,
    /// Room for that, kept for the next.
    large: Vec<u8>,
}

struct Arriving {
    /// Whose answer it is, if not that of the oldest task.
    errand: Option<u64>,
    len: usize,
    /// Bytes of it that were read.
    read: usize,
    to: Destination,
}

/// Where an output goes.
enum Destination {
    /// Where it is to lie.
    Room(Box<dyn Large>),
    /// The lane's own room for large ones.
    Lane,
    /// It is thrown away, for this reason.
    Nowhere(Error),
}

/// How much more a worker should be given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Appetite {
    pub(crate) tasks: usize,
    /// Those of them that are answered together; not 0.
    pub(crate) at_a_time: usize,
}

/// What a worker said of itself.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// It can take requests.
    pub(crate) is_ready: bool,
    /// Its initialiser has failed.
    pub(crate) unfit: Option<Failure>,
    /// Tasks that it has answered.
    pub(crate) answered: u64,
    /// Those of them that have failed.
    pub(crate) failed: u64,
    /// Time that it was busy.
    pub(crate) busy_ns: u64,
    /// Its answer to the errand with this number, or why there is none.
    pub(crate) errand: Option<(u64, Result<Vec<u8>, Error>)>,
}

/// Why a lane cannot go on.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The worker is gone, or has closed its end.
    HungUp,
    /// It had closed its end, had time to go, and was there still.
    LivedOn,
    /// An input that it was being told is gone: nobody wants the result.
    Withdrawn,
    /// It said something that is not in the protocol.
    Garbled(String),
    /// The operating system refused something: this.
    System(#[expect(dead_code, reason = "told by `Debug`")] io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::HungUp,
            io::ErrorKind::InvalidData => Self::Garbled(error.to_string()),
            _ => Self::System(error),
        }
    }
}

impl<S: Stream> Lane<S> {
    pub(crate) fn new(stream: S, worker: (i32, String)) -> Self {
        Self {
            stream,
            worker,
            pace: Pace::default(),
            function: 0,
            in_flight: InFlight::none(),
            moved: 0,
            staged: Vec::new(),
            written: 0,
            direct: None,
            is_end_due: false,
            unread: vec![0; BUFFER_BYTES].into(),
            unread_len: 0,
            arriving: None,
            large: Vec::new(),
        }
    }

    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    pub(crate) fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Tasks that the worker was given and has not answered, with their tags,
    /// oldest first.
    pub(crate) fn in_flight(&self) -> impl Iterator<Item = (Tag, TaskId)> {
        self.in_flight.tasks()
    }

    /// The jobs of these, oldest first; some of them may come several times.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = JobId> {
        self.in_flight.jobs()
    }

    pub(crate) fn in_flight_len(&self) -> usize {
        self.in_flight.len()
    }

    /// The task with `tag`, if the worker has not answered it.
    pub(crate) fn task(&self, tag: Tag) -> Option<TaskId> {
        self.in_flight.task(tag)
    }

    /// Bytes that were written or read since the worker was started.
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }

    /// Whether something waits to be written.
    pub(crate) fn has_output(&self) -> bool {
        self.written < self.staged.len() || self.direct.is_some() || self.is_end_due
    }

    /// What the worker should be given of the series in addition, if `share`
    /// tasks are its fair share of those that are left.
    ///
    /// A worker that executes tasks of one series is not given those of
    /// another: how long they would have to wait is not known.
    pub(crate) fn appetite(&self, next: &Next<'_>, share: usize) -> Appetite {
        let has = self.in_flight.len();
        match next.chunk_len {
            // As many as were asked for, when the last ones are done.
            Some(len) if has == 0 => Appetite { tasks: len.get(), at_a_time: len.get() },
            Some(_) => Appetite { tasks: 0, at_a_time: 1 },
            None => {
                let depth = self.pace.depth(next.kinship.series, share);
                // One half is answered and replaced while the other is executed.
                let half = depth.div_ceil(2);
                let tasks = if has > depth / 2 { 0 } else { depth - has };
                Appetite { tasks, at_a_time: half }
            }
        }
    }

    /// How many tasks of the series the worker would be given at a time.
    pub(crate) fn depth(&self, series: u64) -> usize {
        self.pace.depth(series, usize::MAX)
    }
}
