//! What a manager's server and its clients say to each other.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::{Connection, code::Place};

/// Names an object for as long as its server lives; drawn at random.
pub(super) type ObjectId = u64;

/// Names who holds references: a process that is connected, or a proxy on its
/// way to one.
pub(super) type HolderId = u64;

/// Which server; the pid alone could be another's once it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct ServerId {
    pub(super) pid: u32,
    pub(super) number: u64,
}

/// A proxy or a handle of the manager on its way to another process: a
/// connection of its own, which holds a reference to the object as long as
/// anybody has the other end.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ticket {
    pub(super) server: ServerId,
    pub(super) holder: HolderId,
    /// `None` for a handle of the manager itself.
    pub(super) object: Option<ObjectId>,
    pub(super) connection: Connection,
}

/// What a holder of references tells the server over its connection.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToServer {
    /// Let whoever has the other end of `holder` hold a reference too. The
    /// answer, over that connection, is its [`HolderId`].
    Lend { object: Option<ObjectId>, holder: Connection },
    /// Execute the calls that come over this connection, one after the other.
    Answer { caller: Connection },
    /// One reference less to each of these.
    Release(Vec<ObjectId>),
    /// What this holder has goes to another one. The answer is the end of this
    /// connection.
    MergeInto(HolderId),
}

/// The first message of a call; the second one is the arguments.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CallHeader {
    place: [u64; 2],
    /// `None` for the construction of one.
    pub(super) object: Option<ObjectId>,
    pub(super) deadline: Option<Deadline>,
}

impl CallHeader {
    pub(super) fn new(place: Place, object: Option<ObjectId>, deadline: Option<Deadline>) -> Self {
        Self { place: bytemuck::must_cast(place), object, deadline }
    }

    pub(super) fn place(&self) -> Place {
        bytemuck::must_cast(self.place)
    }
}

/// The answer to a call. A refusal is encoded in the same way whatever `R` is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply<R> {
    Returned(R),
    Refused(Refusal),
}

/// Why there is no result.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Refusal {
    /// File, line, column and message.
    Panicked(String),
    /// They could not be decoded.
    BadArguments(String),
    /// It could not be encoded or sent.
    BadResult(String),
    NoSuchObject,
    NoSuchFunction,
    CallsItself,
    /// The call had not begun when its time was over, so it never will.
    TimedOut,
    /// The manager is being shut down.
    Ended,
    /// There are no descriptors left for the proxy that is the result.
    Overloaded,
}

/// A moment that means the same in every process of this machine:
/// nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Deadline(u64);

impl Deadline {
    pub(super) fn after(timeout: Duration) -> Self {
        let timeout = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        Self(now().saturating_add(timeout))
    }

    /// Zero once it has passed.
    pub(super) fn left(self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(now()))
    }

    pub(super) fn has_passed(self) -> bool {
        self.left().is_zero()
    }
}

fn now() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has this clock");
    Duration::from(now).as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_passes() {
        assert!(Deadline::after(Duration::ZERO).has_passed());
        let later = Deadline::after(Duration::from_secs(1000));
        assert!(!later.has_passed() && later.left() > Duration::from_secs(900));
        assert!(!Deadline::after(Duration::MAX).has_passed());
    }

    #[test]
    fn a_refusal_reads_the_same_whatever_was_expected() {
        let bytes = postcard::to_stdvec(&Reply::<()>::Refused(Refusal::TimedOut)).unwrap();
        let reply: Reply<Vec<String>> = postcard::from_bytes(&bytes).unwrap();
        assert!(matches!(reply, Reply::Refused(Refusal::TimedOut)));
    }
}
