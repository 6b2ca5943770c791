//! Frames: what goes through the streams. A header, then as many bytes as it
//! says.
//!
//! The end of a stream between two frames is a clean close; inside one it is
//! the writer's death.

use std::fmt;

use bytemuck::{Pod, Zeroable};
use serde::{Deserialize, Serialize};

use super::status::Tag;
use crate::{Error, Token};

/// Precedes every request.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct RequestHeader {
    /// One of [`request`].
    pub(crate) kind: u32,
    /// Of the task; otherwise 0.
    pub(crate) tag: Tag,
    /// Bytes that follow.
    pub(crate) len: u64,
}

/// Kinds of requests.
pub(crate) mod request {
    /// A [`JobHeader`](super::JobHeader) and the context follow.
    pub(crate) const JOB: u32 = 1;
    /// A task's input follows.
    pub(crate) const TASK: u32 = 2;
    /// The worker is to end; nothing follows.
    pub(crate) const END: u32 = 3;
    /// The inputs of tasks that follow upon each other, of which the header
    /// has the first one's tag, side by side: a [`RunHeader`](super::RunHeader)
    /// and so many of them follow.
    pub(crate) const RUN: u32 = 4;
    /// What is done is to be told, without waiting for more; nothing follows.
    pub(crate) const TELL: u32 = 5;
}

/// What the tasks that follow have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct JobHeader {
    pub(crate) token: Token,
    /// One of [`job`].
    pub(crate) kind: u32,
    /// Not 0: the parent wants to know when a task was begun.
    pub(crate) is_timed: u32,
}

/// Kinds of jobs.
pub(crate) mod job {
    /// Input and output are encoded values.
    pub(crate) const CALL: u32 = 1;
    /// The output takes the place and the length of the input.
    pub(crate) const IN_PLACE: u32 = 2;
    /// The input begins with the length of the output, 8 bytes.
    pub(crate) const OUT_OF_PLACE: u32 = 3;
}

/// Precedes every reply.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct ReplyHeader {
    /// One of [`reply`].
    pub(crate) kind: u32,
    /// Of the task; otherwise 0.
    pub(crate) tag: Tag,
    /// Bytes that follow.
    pub(crate) len: u64,
}

/// Kinds of replies.
pub(crate) mod reply {
    /// The worker can take requests; nothing follows.
    pub(crate) const READY: u32 = 1;
    /// The task's output follows.
    pub(crate) const DONE: u32 = 2;
    /// A [`Failure`](super::Failure) follows, encoded.
    pub(crate) const FAILED: u32 = 3;
    /// A [`PaceReport`](super::PaceReport) follows.
    pub(crate) const PACE: u32 = 4;
    /// The worker cannot take requests: the initialiser's
    /// [`Failure`](super::Failure) follows, encoded.
    pub(crate) const UNFIT: u32 = 5;
    /// The outputs of tasks that follow upon each other, as in
    /// [`request::RUN`](super::request::RUN).
    pub(crate) const RUN: u32 = 6;
    /// The answer to the [errand](crate::ring) follows whose number ends in the
    /// tag: it does not fit into the slot.
    pub(crate) const ERRAND: u32 = 7;
}

/// How the rest of a run is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct RunHeader {
    /// Tasks.
    pub(crate) count: u32,
    /// Bytes of each.
    pub(crate) size: u32,
}

/// Most bytes of all inputs or of all outputs of a run: some 4000 small ones, so
/// that what a frame and its system calls cost is little for each, and few
/// enough to stay in a core's nearest memory.
pub(crate) const MOST_RUN_BYTES: usize = 32 * 1024;

/// How fast the worker is. It comes right behind the answers to a run, or to
/// the last task that the worker has, and counts those.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct PaceReport {
    /// Tasks executed since the last report.
    pub(crate) tasks: u64,
    /// Time that they took.
    pub(crate) busy_ns: u64,
}

/// Why a task has no output.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Failure {
    /// It panicked.
    Panicked {
        /// File, line, column and message.
        message: String,
        /// If the pool wants it.
        backtrace: Option<String>,
    },
    /// Its argument could not be decoded, or its result not encoded.
    Value {
        /// Which of the two.
        what: ValueOf,
        /// What was wrong.
        why: String,
    },
}

impl Failure {
    /// The error of a task that has failed in this worker.
    pub(crate) fn into_error(self, task: usize, (pid, name): (i32, &str)) -> Error {
        match self {
            Self::Panicked { message, backtrace } => {
                Error::TaskPanicked { task, pid, name: name.to_owned(), message, backtrace }
            }
            Self::Value { what, why } => {
                let what = if what == ValueOf::Argument { "argument" } else { "result" };
                Error::TaskValue { task, what, why }
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked { message, .. } => write!(f, "{message}"),
            Self::Value { why, .. } => write!(f, "{why}"),
        }
    }
}

/// Which value of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ValueOf {
    Argument,
    Result,
}

/// Room that was made for a large value is kept for the next one up to here. To
/// get as much from the system again costs a fraction of what it costs to fill
/// it; to keep it would cost what others need.
pub(crate) const MOST_KEPT_BYTES: usize = 16 << 20;

/// Longest encoded [`Failure`]; the worker cuts its texts to fit.
pub(crate) const MAX_FAILURE: usize = 32 * 1024;
