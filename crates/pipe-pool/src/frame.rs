//! Frames: what goes through the pipes. A header, then as many bytes as it
//! says.
//!
//! Writes of more than `PIPE_BUF` bytes are not atomic, so each pipe has one
//! writer. End of file between frames is a clean close; inside one it is the
//! writer's death.

use bytemuck::{Pod, Zeroable};
use multiproc::Token;

/// Precedes every request.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct RequestHeader {
    /// One of [`request`].
    pub(crate) kind: u32,
    /// Index of the task.
    pub(crate) task: u32,
    /// Bytes that follow.
    pub(crate) len: u64,
}

/// Kinds of requests.
pub(crate) mod request {
    /// A [`JobHeader`](super::JobHeader) and the context follow.
    pub(crate) const JOB: u32 = 1;
    /// A task's input follows.
    pub(crate) const TASK: u32 = 2;
}

/// What the tasks that follow have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct JobHeader {
    pub(crate) token: Token,
    /// Bytes of a task's output, or [`IN_PLACE`].
    pub(crate) output_len: u64,
}

/// The output takes the input's place and length.
pub(crate) const IN_PLACE: u64 = u64::MAX;

/// Precedes every reply.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct ReplyHeader {
    /// One of [`reply`].
    pub(crate) kind: u32,
    /// Index of the task.
    pub(crate) task: u32,
    /// Bytes that follow.
    pub(crate) len: u64,
}

/// Kinds of replies.
pub(crate) mod reply {
    /// The worker can take requests; nothing follows.
    pub(crate) const READY: u32 = 1;
    /// The task's output follows.
    pub(crate) const DONE: u32 = 2;
    /// The task panicked; its place and message follow.
    pub(crate) const PANICKED: u32 = 3;
    /// A [`PaceReport`](super::PaceReport) follows; the task is 0.
    pub(crate) const PACE: u32 = 4;
}

/// How fast the worker is. It comes before the answer to the last task that
/// the worker has, and counts that one: who has every answer knows the pace.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct PaceReport {
    /// Tasks executed since the last report.
    pub(crate) tasks: u64,
    /// Time that they took.
    pub(crate) busy_ns: u64,
}

/// Longest message of a panic; the rest is cut off by the worker.
pub(crate) const MAX_MESSAGE: usize = 4096;
