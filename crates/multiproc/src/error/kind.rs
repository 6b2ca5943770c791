//! Errors by kind, for programs that record them.

use super::Error;

impl Error {
    /// A word for the kind of error, for programs that record it: one of
    /// `unsupported`, `misuse`, `out-of-memory`, `worker-died`,
    /// `task-panicked`, `timed-out`, `owner-died`, `broken-barrier` and `system`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ForkWithThreads { .. }
            | Self::InitNotReached
            | Self::AlreadyStarted { .. }
            | Self::NotStarted { .. }
            | Self::NotAChild { .. }
            | Self::ResultTaken { .. }
            | Self::StillRuns { .. }
            | Self::ProcessClosed { .. }
            | Self::CoresNotAvailable { .. }
            | Self::StartMethodSet { .. }
            | Self::NoWorkers
            | Self::NoParties
            | Self::PoolClosed
            | Self::PoolOpen
            | Self::RetriesAtMostOnce
            | Self::TooLarge { .. }
            | Self::OutOfRange { .. }
            | Self::DoesNotFit { .. } => "unsupported",
            Self::Memory { .. } => "out-of-memory",
            Self::StartTimedOut { .. }
            | Self::NeverBegan { .. }
            | Self::ProcessDied { .. }
            | Self::ManagerEnded { .. }
            | Self::ManagerDied { .. }
            | Self::WorkerDied { .. }
            | Self::WorkersKeepDying { .. }
            | Self::InitialiserFailed { .. }
            | Self::Broken
            | Self::PoolDropped => "worker-died",
            Self::TaskPanicked { .. }
            | Self::ProcessPanicked { .. }
            | Self::CallPanicked { .. } => "task-panicked",
            Self::DeadlineExceeded { .. }
            | Self::TimedOut
            | Self::WouldBlock
            | Self::Full
            | Self::Empty => "timed-out",
            Self::Closed
            | Self::Cancelled
            | Self::OutcomeTaken
            | Self::TooManyTasksDone
            | Self::ReleasedTooOften { .. }
            | Self::ForeignGuard => "misuse",
            Self::OwnerDied { .. } => "owner-died",
            Self::BrokenBarrier { .. } => "broken-barrier",
            Self::Disconnected
            | Self::OtherKind { .. }
            | Self::BufferTooShort { .. }
            | Self::NotAMessage { .. }
            | Self::Encode { .. }
            | Self::TaskValue { .. }
            | Self::Decode { .. }
            | Self::Garbled { .. }
            | Self::Damaged { .. }
            | Self::ManagerOverloaded { .. }
            | Self::NoSuchObject
            | Self::CallsItself
            | Self::NotInherited
            | Self::Start { .. }
            | Self::System { .. } => "system",
        }
    }

    /// Whether it concerns all tasks of a call, now and later.
    pub(crate) const fn is_of_the_pool(&self) -> bool {
        matches!(
            self,
            Self::WorkersKeepDying { .. }
                | Self::PoolDropped
                | Self::PoolClosed
                | Self::RetriesAtMostOnce
                | Self::Cancelled
                | Self::NotInherited
                | Self::Broken
        )
    }
}
