//! What can go wrong, told so that the reader knows what to do.

mod advice;
mod crossing;
mod kind;
mod making;

use std::{fmt, io, ops::Range, time::Duration};

pub(crate) use advice::hint;
use advice::{during, indices, memory_hint, never_began, on_lines_of_its_own, panic_hint, why};

use crossing::Words;
use serde::{Deserialize, Serialize};

use crate::{ExitStatus, StartMethod, WhyBroken};

/// The result of this crate's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done.
///
/// `Debug` writes the message, as `Display` does: a `main` that returns
/// [`Result`] prints its error with `Debug`, and what to do about it must be
/// in there.
///
/// Errors can cross to other processes: a function that a
/// [`Process`](crate::Process) calls may return a [`Result`] and use `?`. Message,
/// [kind](Self::kind) and the number of the operating system's error survive.
///
/// ```
/// use multiproc::{Error, Process, Queue};
///
/// fn work(queue: Queue<u64>) -> multiproc::Result<()> {
///     queue.put(&1)?;
///     queue.close();
///     queue.put(&2)
/// }
///
/// let mut process = Process::new(work, Queue::new()?);
/// process.start()?;
/// assert!(matches!(process.result()?, Err(Error::Closed)));
/// # Ok::<(), Error>(())
/// ```
#[derive(thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Error {
    /// `fork` in a process with threads.
    #[error(
        "cannot fork: this process runs {threads} threads, whose locks the child would inherit \
         held\nhelp: build the pool before starting threads, or use the start method `forkserver` \
         or `spawn`"
    )]
    ForkWithThreads {
        /// Threads of this process.
        threads: usize,
    },

    /// A pool of nobody.
    #[error(
        "a pool needs at least one worker\nhelp: leave the number out for one worker a processor"
    )]
    NoWorkers,

    /// A process could not be started.
    #[error("cannot start a process by {method}: {source}{}", hint(source))]
    Start {
        /// How it was to be started.
        method: StartMethod,
        /// What the operating system said.
        #[serde(with = "crossing::system")]
        source: io::Error,
    },

    /// A started process did not report for work.
    #[error(
        "worker process {pid} did not answer within {seconds} s of its start\nhelp: is \
         `multiproc::init()` the first line of `main`?"
    )]
    StartTimedOut {
        /// The silent process, which was killed.
        pid: i32,
        /// How long it was waited for.
        seconds: u64,
    },

    /// This process is a child that should have begun in
    /// [`init`](crate::init); instead it executes the program's `main`.
    #[error(
        "cannot start a process: this one was started as a child and has not come to \
         `multiproc::init()`; it would start itself again and again\nhelp: make `multiproc::init()` \
         the first line of `main`, whatever the arguments"
    )]
    InitNotReached,

    /// A process ended without having begun: its function was never called.
    #[error(
        "process `{name}` ({pid}) {}\nhelp: make `multiproc::init()` the first line of `main`, \
         whatever the arguments",
        never_began(*status, *within)
    )]
    NeverBegan {
        /// Its name.
        name: String,
        /// Its process id.
        pid: i32,
        /// How it ended.
        status: ExitStatus,
        /// How long it was given to begin, if it was killed because it had not.
        within: Option<Duration>,
    },

    /// The function of a process panicked, or could not be called.
    #[error("process `{name}` ({pid}) panicked at {message}{}", panic_hint(message))]
    ProcessPanicked {
        /// Its name.
        name: String,
        /// Its process id.
        pid: i32,
        /// File, line, column and message of the panic, or why it could not be called.
        message: String,
    },

    /// A process ended before its function had returned.
    #[error("process `{name}` ({pid}) {status} before its function returned{}", why(*status))]
    ProcessDied {
        /// Its name.
        name: String,
        /// Its process id.
        pid: i32,
        /// How it ended.
        status: ExitStatus,
    },

    /// A process is used by another than the one that has started it: by a child
    /// that was forked since.
    #[error(
        "process `{name}` ({pid}) is not a child of this process but of the one that this one was \
         forked from\nhelp: only the process that has started it can wait for it; to wait here, \
         let it say over a connection or an event that it is done"
    )]
    NotAChild {
        /// Its name.
        name: String,
        /// Its process id.
        pid: i32,
    },

    /// The result of a process can be had once.
    #[error(
        "the result of process `{name}` was taken already\nhelp: `result()` gives it once: keep \
         what it gives"
    )]
    ResultTaken {
        /// Its name.
        name: String,
    },

    /// A process is started once.
    #[error("process `{name}` was started already\nhelp: make another one with `Process::new`")]
    AlreadyStarted {
        /// Its name.
        name: String,
    },

    /// Nothing can be known of a process before its start.
    #[error("process `{name}` was not started\nhelp: call `start()` first")]
    NotStarted {
        /// Its name.
        name: String,
    },

    /// A running process cannot be closed.
    #[error(
        "process `{name}` ({pid}) still runs\nhelp: join it before you close it, or drop the \
         handle, which lets it run"
    )]
    StillRuns {
        /// Its name.
        name: String,
        /// Its process id.
        pid: i32,
    },

    /// The handle was closed.
    #[error(
        "process `{name}` was closed\nhelp: close it when nothing more is wanted of it, and make \
         another one with `Process::new`"
    )]
    ProcessClosed {
        /// Its name.
        name: String,
    },

    /// A process cannot be pinned as was asked.
    #[error("cannot pin a process to cores {cores:?}: {source}\nhelp: see `taskset -cp $$`")]
    CoresNotAvailable {
        /// What was asked for.
        cores: Vec<usize>,
        /// What the operating system said.
        #[serde(with = "crossing::system")]
        source: io::Error,
    },

    /// The default start method cannot be set any more.
    #[error(
        "the default start method is {is} and cannot be set any more\nhelp: set it once, before \
         the first process is started, or use a `Context`"
    )]
    StartMethodSet {
        /// What it is.
        is: StartMethod,
    },

    /// Shared memory could not be had.
    #[error("cannot reserve {bytes} bytes of shared memory: {source}{}", memory_hint(source))]
    Memory {
        /// How much was asked for.
        bytes: usize,
        /// What the operating system said.
        #[serde(with = "crossing::system")]
        source: io::Error,
    },

    /// A worker ended while it was needed.
    #[error("worker `{name}` ({pid}) {status}{}{}", during(*task), why(*status))]
    WorkerDied {
        /// The worker.
        pid: i32,
        /// Its name.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// The task that it was executing, if any: the index of its input.
        task: Option<usize>,
    },

    /// A task panicked; the worker and all other tasks are unharmed.
    #[error(
        "task {task} panicked in worker `{name}` ({pid}) at {message}{}",
        on_lines_of_its_own(backtrace.as_deref())
    )]
    TaskPanicked {
        /// Index of the task's input.
        task: usize,
        /// The worker that executed it, and goes on.
        pid: i32,
        /// Its name.
        name: String,
        /// File, line, column and message of the panic.
        message: String,
        /// The calls that led there, if the pool was told to ask for them.
        backtrace: Option<String>,
    },

    /// The argument or the result of a task cannot cross; all other tasks are
    /// unharmed.
    #[error("the {what} of task {task} cannot cross to another process: {why}")]
    TaskValue {
        /// Index of the task's input.
        task: usize,
        /// `argument` or `result`.
        #[serde(deserialize_with = "crossing::words")]
        what: Words,
        /// What was wrong.
        why: String,
    },

    /// A task took longer than it may; its worker was killed and replaced.
    #[error(
        "task {task} took longer than its deadline of {limit:?}; worker `{name}` ({pid}), which \
         executed it, was killed and replaced\nhelp: allow more time, or let the task ask \
         `is_asked_to_stop()` and give it a soft deadline"
    )]
    DeadlineExceeded {
        /// Index of the task's input.
        task: usize,
        /// The worker that executed it.
        pid: i32,
        /// Its name.
        name: String,
        /// How long it might have taken.
        limit: Duration,
    },

    /// Somebody cancelled what this is the result of.
    #[error("cancelled")]
    Cancelled,

    /// A result that can be had once was taken.
    #[error("this result was taken already\nhelp: keep what `get` or `get_timeout` gives")]
    OutcomeTaken,

    /// The pool takes no more tasks.
    #[error("the pool is closed\nhelp: ask it for what you need before `close`, or build another")]
    PoolClosed,

    /// Two wishes of a pool that exclude each other.
    #[error(
        "a pool cannot begin tasks again and begin none twice\nhelp: use `retries` or \
         `at_most_once`, not both"
    )]
    RetriesAtMostOnce,

    /// A pool that may still be given tasks cannot be waited for.
    #[error(
        "the pool is still open\nhelp: call `close()` before `join()`, or `shutdown()` for both"
    )]
    PoolOpen,

    /// A pool's workers cannot be replaced any more.
    #[error(
        "{deaths} workers in a row have ended before they had done anything; the last: {last}\n\
         help: does the initialiser work, and does the memory limit leave room to start?"
    )]
    WorkersKeepDying {
        /// How many.
        deaths: u32,
        /// What became of the last one.
        last: String,
    },

    /// The initialiser of a pool's worker has failed.
    #[error("the initialiser of worker `{name}` ({pid}) failed: {message}")]
    InitialiserFailed {
        /// The worker.
        pid: i32,
        /// Its name.
        name: String,
        /// Place and message of the panic, or why it could not be called.
        message: String,
    },

    /// An earlier error ended the pool's workers.
    #[error("the pool has lost its workers to an earlier error\nhelp: build a new pool")]
    Broken,

    /// The pool was dropped, which killed its workers.
    #[error(
        "the pool was dropped or terminated before this was done\nhelp: call `shutdown`, which \
         finishes what was asked for, or get the results first"
    )]
    PoolDropped,

    /// A message between processes is not one of ours.
    #[error(
        "process {pid} sent something that is not a message: {what}\nhelp: nobody may write to \
         the descriptors of this crate but this crate: does unsafe code close one that it does \
         not own?"
    )]
    Garbled {
        /// The sender.
        pid: i32,
        /// What was wrong.
        what: String,
    },

    /// More than this library was made for.
    #[error("{got} {what} are too many\nhelp: use at most {most}")]
    TooLarge {
        /// What there is too much of.
        #[serde(deserialize_with = "crossing::words")]
        what: Words,
        /// How much was asked for.
        got: usize,
        /// How much is possible.
        most: usize,
    },

    /// A value cannot be turned into bytes; nothing was sent.
    #[error(
        "cannot encode a value of type {type_name}: {why}\nhelp: what crosses must be written by \
         serde in full: no sequences of unknown length, no flattened fields"
    )]
    Encode {
        /// The type of the value.
        #[serde(deserialize_with = "crossing::words")]
        type_name: Words,
        /// What was wrong.
        why: String,
    },

    /// What was received is not a value of the expected type; it is gone, and
    /// what follows it is unharmed.
    #[error(
        "cannot decode a value of type {type_name}: {why}\nhelp: receive the type that was sent; \
         types that ask the format what comes next (untagged enums, JSON values) cannot cross"
    )]
    Decode {
        /// The expected type.
        #[serde(deserialize_with = "crossing::words")]
        type_name: Words,
        /// What was wrong.
        why: String,
    },

    /// A queue holds as many items as it may.
    #[error("the queue is full\nhelp: wait for room with `put` or `put_timeout`")]
    Full,

    /// A queue holds no items.
    #[error("the queue is empty\nhelp: wait for an item with `get` or `get_timeout`")]
    Empty,

    /// A queue takes no more items, and has none left.
    #[error("the queue is closed\nhelp: this is the end of the items; put none after `close`")]
    Closed,

    /// `task_done` once more than there are items.
    #[error(
        "task_done() was called more often than items were put\nhelp: call it once for each item \
         that `get` gave"
    )]
    TooManyTasksDone,

    /// An index or a range of indices beyond the end.
    #[error("{} out of range: the length is {len}", indices(range))]
    OutOfRange {
        /// What was asked for: indices of elements, or of bytes.
        range: Range<usize>,
        /// How many there are.
        len: usize,
    },

    /// An item that is longer than the place in a list that it was meant for,
    /// which is as it was.
    #[error(
        "an item of {bytes} bytes does not fit: place {index} of the list has room for \
         {room}\nhelp: make the list with `ShareableList::with_room`"
    )]
    DoesNotFit {
        /// Where it was to go.
        index: usize,
        /// Its length.
        bytes: usize,
        /// The most that fits there.
        room: usize,
    },

    /// Shared memory holds what none of ours has written.
    #[error("{what} is damaged: some process has written over it")]
    Damaged {
        /// What lies there.
        #[serde(deserialize_with = "crossing::words")]
        what: Words,
    },

    /// Nobody is left at the other end.
    #[error("the other end is closed")]
    Disconnected,

    /// What was waited for did not happen in time.
    #[error("timed out")]
    TimedOut,

    /// Somebody else has it, and the caller did not want to wait.
    #[error("somebody else has it\nhelp: wait for it, or try again later")]
    WouldBlock,

    /// Whoever had a lock or a permit ended without giving it back. It is in
    /// order and others can take it; they are not told again.
    #[error(
        "process {pid}, or a thread of it, ended without giving back what it had acquired\n\
         help: what that protects may be half-changed: put it in order and go on with \
         `into_guard()`"
    )]
    OwnerDied {
        /// The process.
        pid: i32,
    },

    /// A message of bytes was received as a value, or the other way round; it
    /// is gone, and what follows it is unharmed.
    #[error("the message is {sent}, not {wanted}\nhelp: receive it with `{receive_with}`")]
    OtherKind {
        /// What was sent.
        #[serde(deserialize_with = "crossing::words")]
        sent: Words,
        /// What was to be received.
        #[serde(deserialize_with = "crossing::words")]
        wanted: Words,
        /// The method that receives what was sent.
        #[serde(deserialize_with = "crossing::words")]
        receive_with: Words,
    },

    /// A message of bytes is longer than the buffer that it was to go to.
    #[error(
        "a message of {} bytes does not fit into a buffer of {room}\nhelp: nothing is lost, this \
         error holds the message", message.len()
    )]
    BufferTooShort {
        /// The whole message.
        message: Vec<u8>,
        /// The length of the buffer in bytes.
        room: usize,
    },

    /// What arrived over a connection was not sent by one; it is gone, and
    /// what follows it is unharmed.
    #[error(
        "what was received is not a message: {what}\nhelp: nobody may write to the descriptor of \
         a connection but the connection"
    )]
    NotAMessage {
        /// What was wrong.
        #[serde(deserialize_with = "crossing::words")]
        what: Words,
    },

    /// A bounded semaphore has all its permits already.
    #[error(
        "all {bound} permits of the semaphore are there or with somebody who will give them back\n\
         help: release only permits that were taken and forgotten; a dropped one goes back by \
         itself"
    )]
    ReleasedTooOften {
        /// The permits that it was made with.
        bound: u32,
    },

    /// A condition was to wait with the guard of a lock that is not its own.
    #[error(
        "the guard is that of another lock than the condition's: a notification could be \
         missed\nhelp: wait with a guard that the condition's `acquire()` or its lock has given"
    )]
    ForeignGuard,

    /// The parties of a barrier cannot come together.
    #[error(
        "the barrier is broken: {why}\nhelp: when all parties know, one of them makes it whole \
         with `reset()`"
    )]
    BrokenBarrier {
        /// What happened.
        why: WhyBroken,
    },

    /// A barrier for nobody.
    #[error("a barrier needs at least one party\nhelp: give the number of those who wait at it")]
    NoParties,

    /// There is no manager any more, and its objects are gone with it.
    #[error(
        "the manager, process {pid}, has ended, and its objects with it\nhelp: keep the `Manager` \
         as long as there are proxies in use; if it was not dropped, its `shutdown()` tells how \
         it ended"
    )]
    ManagerEnded {
        /// The process that it was.
        pid: u32,
    },

    /// A manager's process did not end in order.
    #[error("the manager, process {pid}, {status}\nhelp: what is lost is all of its objects")]
    ManagerDied {
        /// The process that it was.
        pid: u32,
        /// How it ended.
        status: ExitStatus,
    },

    /// A manager cannot take another connection.
    #[error(
        "the manager, process {pid}, has no descriptor or no thread left for another \
         connection\nhelp: raise its limits (`ulimit -n`, `ulimit -u`), or use fewer processes and \
         threads at once"
    )]
    ManagerOverloaded {
        /// The manager.
        pid: u32,
    },

    /// A function that was called on a manager's object panicked. The object
    /// can be used, but may be half-changed; nobody else is harmed.
    #[error("the call panicked at {message}\nhelp: the object stays as the function has left it")]
    CallPanicked {
        /// File, line, column and message of the panic.
        message: String,
    },

    /// The object behind a proxy is not what the proxy says, or not there.
    #[error(
        "there is no such object in the manager\nhelp: receive a proxy as one of the type that it \
         was sent as"
    )]
    NoSuchObject,

    /// A manager's object was called by a function that is being called on it.
    #[error(
        "the object is in the middle of the call that this one is a part of\nhelp: an object \
         cannot call itself through a proxy; use the `&mut` that the function has got"
    )]
    CallsItself,

    /// A handle is used in a process that was forked from the one that it
    /// belongs to.
    #[error(
        "this handle belongs to the process that this one was forked from\nhelp: give it to the \
         process as an argument"
    )]
    NotInherited,

    /// The operating system refused something.
    #[error("cannot {what}: {source}{}", hint(source))]
    System {
        /// What was tried.
        #[serde(deserialize_with = "crossing::words")]
        what: Words,
        /// What the operating system said.
        #[serde(with = "crossing::system")]
        source: io::Error,
    },
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
