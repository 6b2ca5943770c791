//! What a worker shows of itself while it works: which task it executes.
//!
//! It lies in shared memory, so it can be read after the worker's death. The
//! worker says that it begins a task and that it has ended it; in between the
//! parent may *doom* it, which is a decision about that very task: a worker
//! that finds itself doomed at the end of a task begins no other, and waits to
//! be killed. So a kill for the sake of one task never hits the next. If the
//! tasks have deadlines, the parent may also doom a worker between two of them
//! that does not get on; then it does not begin the next.

use std::{os::fd::OwnedFd, time::Duration};

use nix::time::{ClockId, clock_gettime};

use crate::{
    Result,
    atomic::{AtomicU64, Ordering},
    codec,
    memory::{Placed, SharedLayout},
};

/// Number of a task among all that its worker was given. The first is 1; it
/// wraps around.
pub(crate) type Tag = u32;

/// See [the module](self).
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Status {
    /// A [`state`] and a tag.
    turn: AtomicU64,
    /// When the current task was begun, if anybody wants to know.
    begun_ns: AtomicU64,
    /// 1 + the tag of the task that should stop.
    stop: AtomicU64,
}

mod state {
    /// The task with the tag was the last one; it has ended.
    pub(super) const BETWEEN: u64 = 0;
    pub(super) const EXECUTING: u64 = 1 << 32;
    pub(super) const DOOMED: u64 = 2 << 32;
    /// The task with the tag was the last one, and no other may be begun.
    pub(super) const DOOMED_BETWEEN: u64 = 3 << 32;
}

/// What a worker did last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It has ended the task with this tag, or, if that is 0, begun none.
    Between(Tag),
    /// It executes the task with this tag.
    Executing(Tag),
}

// SAFETY: `repr(C)`, atomic words only, and zeros are a worker that has begun
// nothing.
unsafe impl SharedLayout for Status {
    const KIND: &'static str = "worker's status";
}

impl Status {
    pub(crate) fn new() -> Result<Placed<Self>> {
        Placed::new(0, |_| Ok(()))
    }

    /// The one whose bytes and descriptors [`codec::encode`] has made.
    pub(crate) fn receive(bytes: &[u8], descriptors: Vec<OwnedFd>) -> Result<Placed<Self>> {
        codec::decode(bytes, descriptors)
    }

    /// By the worker: the next task begins. Does not return if it is doomed.
    pub(crate) fn begin(&self, tag: Tag, is_timed: bool) {
        let executing = state::EXECUTING | u64::from(tag);
        if !is_timed {
            // A plain store suffices: a worker whose tasks have no deadlines
            // is not doomed between them. Release: as below.
            self.turn.store(executing, Ordering::Release);
            return;
        }
        self.begun_ns.store(now().as_nanos() as u64, Ordering::Relaxed);
        let before = self.turn.load(Ordering::Relaxed);
        // Against `doom_turn`: one of the two comes first. Release: whoever
        // sees, in `turn`, that it has begun sees when.
        let begins = before < state::DOOMED_BETWEEN
            && self
                .turn
                .compare_exchange(before, executing, Ordering::Release, Ordering::Relaxed)
                .is_ok();
        if !begins {
            await_the_end();
        }
    }

    /// By the worker: the task has ended. Does not return if it is doomed.
    pub(crate) fn end(&self, tag: Tag) {
        let executing = state::EXECUTING | u64::from(tag);
        let between = state::BETWEEN | u64::from(tag);
        // Against `doom`: one of the two comes first.
        let swap =
            self.turn.compare_exchange(executing, between, Ordering::Relaxed, Ordering::Relaxed);
        if swap.is_err() {
            await_the_end();
        }
    }

    /// By the parent: the worker is to be killed for the sake of this task.
    /// Whether it still executes it.
    pub(crate) fn doom(&self, tag: Tag) -> bool {
        let executing = state::EXECUTING | u64::from(tag);
        let doomed = state::DOOMED | u64::from(tag);
        self.turn.compare_exchange(executing, doomed, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// By the parent: the worker, whose tasks have deadlines, is to be killed
    /// because it has not got on since it took this turn. Whether it still
    /// has not.
    pub(crate) fn doom_turn(&self, turn: Turn) -> bool {
        let tag = match turn {
            Turn::Between(tag) => tag,
            Turn::Executing(tag) => return self.doom(tag),
        };
        let between = state::BETWEEN | u64::from(tag);
        let doomed = state::DOOMED_BETWEEN | u64::from(tag);
        self.turn.compare_exchange(between, doomed, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// What the worker does, or did when it died.
    pub(crate) fn turn(&self) -> Turn {
        // Pairs with `begin`.
        let turn = self.turn.load(Ordering::Acquire);
        let tag = turn as Tag;
        match turn - u64::from(tag) {
            state::EXECUTING | state::DOOMED => Turn::Executing(tag),
            _ => Turn::Between(tag),
        }
    }

    /// For how long the worker has executed its task, if it was begun with
    /// `is_timed`.
    pub(crate) fn elapsed(&self) -> Duration {
        let begun = Duration::from_nanos(self.begun_ns.load(Ordering::Relaxed));
        now().saturating_sub(begun)
    }

    /// By the parent: the task should stop, if it can.
    pub(crate) fn ask_to_stop(&self, tag: Tag) {
        self.stop.store(1 + u64::from(tag), Ordering::Relaxed);
    }

    /// By the worker: whether the task was asked to stop.
    pub(crate) fn is_asked_to_stop(&self) -> bool {
        let Turn::Executing(tag) = self.turn() else { return false };
        self.stop.load(Ordering::Relaxed) == 1 + u64::from(tag)
    }
}

/// A clock that all processes of a machine share.
fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}

/// The parent has decided to kill this process, and is about to.
fn await_the_end() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "asks the system")]
    fn a_task_that_has_ended_cannot_be_doomed() {
        let status = Status::new().unwrap();
        assert_eq!(status.turn(), Turn::Between(0));
        status.begin(7, false);
        assert_eq!(status.turn(), Turn::Executing(7));
        assert!(!status.doom(6));
        status.end(7);
        assert_eq!(status.turn(), Turn::Between(7));
        assert!(!status.doom(7));
        status.begin(8, true);
        assert!(status.doom(8));
        assert_eq!(status.turn(), Turn::Executing(8));
        assert!(status.elapsed() < Duration::from_secs(60));
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the system")]
    fn a_worker_that_has_got_on_is_not_doomed_for_its_last_turn() {
        let status = Status::new().unwrap();
        status.begin(7, true);
        assert!(!status.doom_turn(Turn::Between(0)));
        status.end(7);
        assert!(!status.doom_turn(Turn::Executing(7)));
        assert!(status.doom_turn(Turn::Between(7)));
        assert_eq!(status.turn(), Turn::Between(7));
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the system")]
    fn only_the_task_that_was_meant_is_asked_to_stop() {
        let status = Status::new().unwrap();
        status.begin(1, false);
        status.ask_to_stop(1);
        assert!(status.is_asked_to_stop());
        status.end(1);
        status.begin(2, false);
        assert!(!status.is_asked_to_stop());
    }
}
