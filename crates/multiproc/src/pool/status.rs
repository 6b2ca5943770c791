//! What a worker shows of itself while it works: which task it executes.
//!
//! It lies in shared memory, so it can be read after the worker's death. The
//! worker says that it begins a task and that it has ended it; in between the
//! parent may *doom* it, which is a decision about that very task: a worker
//! that finds itself doomed at the end of a task begins no other, and waits to
//! be killed. So a kill for the sake of one task never hits the next. If the
//! tasks have deadlines, the parent may also doom a worker between two of them
//! that does not get on; then it does not begin the next.
//!
//! A task may have parts, which have the deadlines then: all of the above holds
//! for each of them, but that they are begun only.

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
    /// A [`state`] and a step.
    turn: AtomicU64,
    /// When the current step was begun, if anybody wants to know.
    begun_ns: AtomicU64,
    /// The step that should stop, as its turn.
    stop: AtomicU64,
    /// Since when the worker is busy with what it has not reported yet.
    busy_since_ns: AtomicU64,
}

mod state {
    /// The task with the tag was the last one; it has ended.
    pub(super) const BETWEEN: u64 = 0;
    pub(super) const EXECUTING: u64 = 1 << 32;
    pub(super) const DOOMED: u64 = 2 << 32;
    /// The task with the tag was the last one, and no other may be begun.
    pub(super) const DOOMED_BETWEEN: u64 = 3 << 32;

    pub(super) const fn of(turn: u64) -> u64 {
        turn & (3 << 32)
    }
}

/// What a worker executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) tag: Tag,
    /// Which part of the task, modulo 2³⁰; 0 before the first.
    part: u32,
}

impl Step {
    /// Where the part's number begins in a turn.
    const SHIFT: u32 = 34;

    fn of(turn: u64) -> Self {
        Self { tag: turn as Tag, part: (turn >> Self::SHIFT) as u32 }
    }

    fn turn(self, state: u64) -> u64 {
        u64::from(self.part) << Self::SHIFT | state | u64::from(self.tag)
    }
}

/// What a worker did last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It has ended the task with this tag, or, if that is 0, begun none.
    Between(Tag),
    /// It executes this.
    Executing(Step),
}

/// Whether workers note what they execute.
pub(crate) const IS_SUPERVISED: bool = cfg!(not(feature = "unsupervised"));

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
    #[inline]
    pub(crate) fn begin(&self, tag: Tag, is_timed: bool) {
        if !IS_SUPERVISED {
            return;
        }
        let executing = state::EXECUTING | u64::from(tag);
        if is_timed {
            return self.begin_timed(executing);
        }
        // A plain store suffices: a worker whose tasks have no deadlines
        // is not doomed between them. Release: as in `begin_timed`.
        self.turn.store(executing, Ordering::Release);
    }

    fn begin_timed(&self, executing: u64) {
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

    /// By the worker: the next part of a task that is timed begins, and the
    /// last one, if any, has ended. Does not return if it is doomed.
    pub(crate) fn begin_part(&self) {
        self.begun_ns.store(now().as_nanos() as u64, Ordering::Relaxed);
        let before = self.turn.load(Ordering::Relaxed);
        let next = before.wrapping_add(1 << Step::SHIFT);
        // As in `begin`.
        let begins = state::of(before) == state::EXECUTING
            && self
                .turn
                .compare_exchange(before, next, Ordering::Release, Ordering::Relaxed)
                .is_ok();
        if !begins {
            await_the_end();
        }
    }

    /// By the worker: the task has ended. Does not return if it is doomed.
    pub(crate) fn end(&self, tag: Tag) {
        if !IS_SUPERVISED {
            return;
        }
        let executing = self.turn.load(Ordering::Relaxed);
        let between = state::BETWEEN | u64::from(tag);
        // Against `doom`: one of the two comes first.
        let ends = state::of(executing) == state::EXECUTING
            && self
                .turn
                .compare_exchange(executing, between, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !ends {
            await_the_end();
        }
    }

    /// By the parent: the worker is to be killed for the sake of this step.
    /// Whether it still executes it.
    pub(crate) fn doom(&self, step: Step) -> bool {
        let (executing, doomed) = (step.turn(state::EXECUTING), step.turn(state::DOOMED));
        self.turn.compare_exchange(executing, doomed, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// By the parent: the worker, whose tasks have deadlines, is to be killed
    /// because it has not got on since it took this turn. Whether it still
    /// has not.
    pub(crate) fn doom_turn(&self, turn: Turn) -> bool {
        let tag = match turn {
            Turn::Between(tag) => tag,
            Turn::Executing(step) => return self.doom(step),
        };
        let between = state::BETWEEN | u64::from(tag);
        let doomed = state::DOOMED_BETWEEN | u64::from(tag);
        self.turn.compare_exchange(between, doomed, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// What the worker does, or did when it died.
    pub(crate) fn turn(&self) -> Turn {
        // Pairs with `begin` and `begin_part`.
        let turn = self.turn.load(Ordering::Acquire);
        match state::of(turn) {
            state::EXECUTING | state::DOOMED => Turn::Executing(Step::of(turn)),
            _ => Turn::Between(turn as Tag),
        }
    }

    /// For how long the worker has executed its task, if it was begun with
    /// `is_timed`, or the part of it that it has begun last.
    pub(crate) fn elapsed(&self) -> Duration {
        let begun = Duration::from_nanos(self.begun_ns.load(Ordering::Relaxed));
        now().saturating_sub(begun)
    }

    /// By the worker: it has something to do, and had nothing.
    pub(crate) fn become_busy(&self) {
        // Relaxed: whoever sees, in `turn`, that it has begun a task sees this.
        self.busy_since_ns.store(now().as_nanos() as u64, Ordering::Relaxed);
    }

    /// By the worker: for how long it was busy since it has said so last, or had
    /// nothing to do.
    pub(crate) fn report_busy(&self) -> Duration {
        let now = now();
        let since = self.busy_since_ns.load(Ordering::Relaxed);
        self.busy_since_ns.store(now.as_nanos() as u64, Ordering::Relaxed);
        now.saturating_sub(Duration::from_nanos(since))
    }

    /// For how long it is, or was, busy without having said so.
    pub(crate) fn busy(&self) -> Duration {
        let since = Duration::from_nanos(self.busy_since_ns.load(Ordering::Relaxed));
        now().saturating_sub(since)
    }

    /// By the parent: the step should stop, if it can.
    pub(crate) fn ask_to_stop(&self, step: Step) {
        self.stop.store(step.turn(state::EXECUTING), Ordering::Relaxed);
    }

    /// By the worker: whether the step was asked to stop.
    pub(crate) fn is_asked_to_stop(&self) -> bool {
        let Turn::Executing(step) = self.turn() else { return false };
        self.stop.load(Ordering::Relaxed) == step.turn(state::EXECUTING)
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

    /// A task that has no parts, or has not begun any.
    fn step(tag: Tag) -> Step {
        Step { tag, part: 0 }
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the system")]
    fn a_task_that_has_ended_cannot_be_doomed() {
        let status = Status::new().unwrap();
        assert_eq!(status.turn(), Turn::Between(0));
        status.begin(7, false);
        assert_eq!(status.turn(), Turn::Executing(step(7)));
        assert!(!status.doom(step(6)));
        status.end(7);
        assert_eq!(status.turn(), Turn::Between(7));
        assert!(!status.doom(step(7)));
        status.begin(8, true);
        assert!(status.doom(step(8)));
        assert_eq!(status.turn(), Turn::Executing(step(8)));
        assert!(status.elapsed() < Duration::from_secs(60));
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the system")]
    fn a_worker_that_has_got_on_is_not_doomed_for_its_last_turn() {
        let status = Status::new().unwrap();
        status.begin(7, true);
        assert!(!status.doom_turn(Turn::Between(0)));
        status.end(7);
        assert!(!status.doom_turn(Turn::Executing(step(7))));
        assert!(status.doom_turn(Turn::Between(7)));
        assert_eq!(status.turn(), Turn::Between(7));
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the system")]
    fn only_the_task_that_was_meant_is_asked_to_stop() {
        let status = Status::new().unwrap();
        status.begin(1, false);
        status.ask_to_stop(step(1));
        assert!(status.is_asked_to_stop());
        status.end(1);
        status.begin(2, false);
        assert!(!status.is_asked_to_stop());
    }
    #[test]
    #[cfg_attr(miri, ignore = "asks the system")]
    fn what_is_meant_for_one_part_of_a_task_does_not_hit_the_next() {
        let status = Status::new().unwrap();
        status.begin(1, true);
        for part in 1..=3 {
            status.begin_part();
            assert!(!status.is_asked_to_stop());
            assert_eq!(status.turn(), Turn::Executing(Step { tag: 1, part }));
            assert!(!status.doom(Step { tag: 1, part: part - 1 }));
            status.ask_to_stop(Step { tag: 1, part });
            assert!(status.is_asked_to_stop());
        }
        status.end(1);
        assert_eq!(status.turn(), Turn::Between(1));
        status.begin(2, true);
        assert_eq!(status.turn(), Turn::Executing(step(2)));
        status.begin_part();
        assert!(status.doom(Step { tag: 2, part: 1 }));
        assert_eq!(status.turn(), Turn::Executing(Step { tag: 2, part: 1 }));
    }
}
