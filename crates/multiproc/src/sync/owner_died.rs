//! What the next one is told when an owner has died.

use std::{error, fmt};

use crate::Error;

/// The lock was taken, but the process that had it last ended without giving
/// it back: what the lock protects may be half-changed.
///
/// In the style of [`std::sync::PoisonError`], with two differences: it says
/// which process it was, and only the next taker is told. Whoever goes on with
/// [`into_guard`](Self::into_guard) vouches for what the lock protects.
///
/// `?` turns it into [`Error::OwnerDied`] and gives the lock back.
pub struct OwnerDied<G> {
    pid: u32,
    guard: G,
}

impl<G> OwnerDied<G> {
    pub(crate) fn new(pid: u32, guard: G) -> Self {
        Self { pid, guard }
    }

    /// The same for a `kind` of lock, also for who listens to events.
    #[cold]
    pub(crate) fn of_lock(kind: &'static str, pid: u32, guard: G) -> Self {
        tracing::warn!(target: "multiproc", kind, pid, "lock handed over: its owner died");
        Self::new(pid, guard)
    }

    /// The process that ended, or one of whose threads did.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid as i32
    }

    /// The guard, for a caller who can put in order what the lock protects,
    /// or knows that it is.
    #[must_use]
    pub fn into_guard(self) -> G {
        self.guard
    }

    /// The guard made into something else, with the same message.
    pub(crate) fn map<H>(self, f: impl FnOnce(G) -> H) -> OwnerDied<H> {
        OwnerDied { pid: self.pid, guard: f(self.guard) }
    }
}

impl<G> fmt::Display for OwnerDied<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Error::from_dead_owner(self.pid).fmt(f)
    }
}

impl<G> fmt::Debug for OwnerDied<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnerDied").field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl<G> error::Error for OwnerDied<G> {}

impl<G> From<OwnerDied<G>> for Error {
    fn from(died: OwnerDied<G>) -> Self {
        Self::from_dead_owner(died.pid)
    }
}

/// Why something was not taken, or was but not as one would wish.
#[non_exhaustive]
pub enum AcquireError<G> {
    /// It was taken, after its owner had died.
    OwnerDied(OwnerDied<G>),
    /// Others have it; only where the caller did not want to wait.
    WouldBlock,
    /// Others had it for all the time that the caller wanted to wait.
    TimedOut,
    /// Something else went wrong.
    Failed(Error),
}

impl<G> AcquireError<G> {
    /// The guard made into something else, with the same message.
    pub(crate) fn map<H>(self, f: impl FnOnce(G) -> H) -> AcquireError<H> {
        match self {
            Self::OwnerDied(died) => AcquireError::OwnerDied(died.map(f)),
            Self::WouldBlock => AcquireError::WouldBlock,
            Self::TimedOut => AcquireError::TimedOut,
            Self::Failed(error) => AcquireError::Failed(error),
        }
    }
}

impl<G> fmt::Display for AcquireError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied(died) => died.fmt(f),
            Self::WouldBlock => Error::WouldBlock.fmt(f),
            Self::TimedOut => Error::TimedOut.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<G> fmt::Debug for AcquireError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied(died) => died.fmt(f),
            Self::WouldBlock => f.write_str("WouldBlock"),
            Self::TimedOut => f.write_str("TimedOut"),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}

impl<G> error::Error for AcquireError<G> {}

impl<G> From<OwnerDied<G>> for AcquireError<G> {
    fn from(died: OwnerDied<G>) -> Self {
        Self::OwnerDied(died)
    }
}

impl<G> From<AcquireError<G>> for Error {
    fn from(error: AcquireError<G>) -> Self {
        match error {
            AcquireError::OwnerDied(died) => died.into(),
            AcquireError::WouldBlock => Self::WouldBlock,
            AcquireError::TimedOut => Self::TimedOut,
            AcquireError::Failed(error) => error,
        }
    }
}
