//! What a strategy implements to be measured.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Configuration, Job, Placement};

/// A strategy, not started yet.
pub trait Backend {
    /// Starts every worker where `placement` says and returns when each has
    /// answered.
    ///
    /// # Errors
    ///
    /// If a worker cannot be started, or not be placed; nothing is left running
    /// then.
    fn start(&self, placement: Placement) -> Result<Box<dyn Running>, BackendError>;
}

/// A started strategy. Dropping it ends its workers; [`stop`](Running::stop)
/// does so in order and reports what went wrong.
///
/// A runner loads a job, then repeats: let `visit_stretches` write the input,
/// time `run`, and let `visit_stretches` read the answers.
pub trait Running {
    /// Takes on `job`: allocates its buffer in the memory that this strategy
    /// works on, in place of the previous job's. Not timed.
    ///
    /// # Errors
    ///
    /// If there is no memory for it, or a worker has died.
    fn load(&mut self, job: Job) -> Result<(), BackendError>;

    /// Where the buffer lies, and what that costs a run.
    fn input(&self) -> Input;

    /// Shows `visit` the whole buffer, in pieces: the index of each piece's
    /// first element, and the piece. Pieces come in ascending order and none
    /// splits a task's stretch. Not timed.
    fn visit_buffer(&mut self, visit: &mut dyn FnMut(usize, &mut [u64]));

    /// Executes every task of the loaded job and returns when the caller can
    /// read every result. This is what is timed.
    ///
    /// # Errors
    ///
    /// If a worker died or a task panicked.
    fn run(&mut self) -> Result<(), BackendError>;

    /// Ends every worker and waits for them.
    ///
    /// # Errors
    ///
    /// If a worker did not end as it should; it is ended all the same.
    fn stop(self: Box<Self>) -> Result<(), BackendError>;
}

/// Where the buffer of a job lies before a run, and so what a run's time has in
/// it besides the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// In the memory of the process whose threads work on it.
    InProcess,
    /// In memory that worker processes share: it was allocated there, outside of
    /// the clock, and is worked on where it lies.
    BornShared,
    /// In the memory of the caller alone: its bytes are copied to worker
    /// processes, and back, within the time.
    CopiedIn,
}

/// How a backend, or the runner that hosts it, failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// This configuration is not possible here, e.g. a start method the backend lacks.
    Unsupported,
    /// There is not enough memory for the job.
    OutOfMemory,
    /// A worker ended while it was needed.
    WorkerDied,
    /// A task panicked.
    TaskPanicked,
    /// The operating system refused something.
    System,
    /// The answer is wrong.
    WrongAnswer,
    /// The runner ended without being asked to.
    RunnerCrashed,
    /// The runner did not answer before its deadline and was killed.
    DeadlinePassed,
    /// The runner claimed a time that cannot be true.
    ImplausibleTime,
    /// The runner said something that is not in the protocol.
    Protocol,
    /// It would have needed more than its share of memory, so it was not run.
    Skipped,
}

impl FailureKind {
    /// The kind of that name (as in records); [`FailureKind::System`] for a
    /// name that is none.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        use serde::de::{IntoDeserializer, value::Error};
        Self::deserialize(IntoDeserializer::<Error>::into_deserializer(name))
            .unwrap_or(Self::System)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unsupported => "unsupported",
            Self::OutOfMemory => "out of memory",
            Self::WorkerDied => "worker died",
            Self::TaskPanicked => "task panicked",
            Self::System => "system error",
            Self::WrongAnswer => "wrong answer",
            Self::RunnerCrashed => "runner crashed",
            Self::DeadlinePassed => "deadline passed",
            Self::ImplausibleTime => "implausible time",
            Self::Protocol => "protocol error",
            Self::Skipped => "skipped",
        })
    }
}

/// Why a backend could not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BackendError {
    /// For programs.
    pub kind: FailureKind,
    /// For people: what failed, the cause, and what to do.
    pub message: String,
}

impl BackendError {
    /// An error of `kind`, told by `message`.
    pub fn new(kind: FailureKind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string() }
    }

    /// The configuration asks for something that the backend does not have.
    #[must_use]
    pub fn unsupported(configuration: &Configuration, why: &str) -> Self {
        Self::new(FailureKind::Unsupported, format!("{configuration}: {why}"))
    }

    /// A job whose buffer cannot be addressed or allocated.
    #[must_use]
    pub fn out_of_memory(job: &Job) -> Self {
        let bytes = job.payload_bytes();
        Self::new(
            FailureKind::OutOfMemory,
            format!(
                "no memory for {job}: {bytes} bytes\nhelp: lower the number of tasks or the task size"
            ),
        )
    }
}

/// A job and its buffer, for strategies that work on ordinary memory.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The job.
    pub job: Job,
    /// Its whole buffer.
    pub buffer: Vec<u64>,
}

impl Loaded {
    /// Allocates the buffer of `job`, every page touched so that no run pays
    /// for it.
    ///
    /// # Errors
    ///
    /// [`FailureKind::OutOfMemory`] if it cannot be had.
    pub fn new(job: Job) -> Result<Self, BackendError> {
        let len = job.buffer_len().ok_or_else(|| BackendError::out_of_memory(&job))?;
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(len).map_err(|_| BackendError::out_of_memory(&job))?;
        buffer.resize(len, 0);
        Ok(Self { job, buffer })
    }

    /// The stretches of the job's tasks, in order.
    pub fn stretches_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [u64]> {
        crate::job::stretches_mut(&self.job, &mut self.buffer)
    }
}
