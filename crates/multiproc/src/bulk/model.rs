//! The protocol of claims, tried in every order of its steps, with a
//! participant that dies before any of them.

use std::{
    cell::Cell,
    panic::{catch_unwind, resume_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use loom::{sync::Arc, thread};

use super::claims::{Claims, Terms, claim, settle};

loom::thread_local! {
    /// Accesses that this thread has left to live, if it is to die.
    static LIFE: Cell<Option<u32>> = Cell::new(None);
}

/// Before each access to a word.
pub(super) fn breaking_point() {
    let left = LIFE.with(Cell::get);
    if left == Some(0) {
        // Says nothing, unlike a panic.
        resume_unwind(Box::new("death"));
    }
    LIFE.with(|life| life.set(left.map(|left| left - 1)));
}

/// What the participants of one run share.
struct Run<const P: usize> {
    claims: [Claims; P],
    /// Chunks in the order in which they were begun.
    begun: Mutex<Vec<u32>>,
}

impl<const P: usize> Run<P> {
    fn new(ranges: [(u32, u32); P]) -> Arc<Self> {
        let claims = ranges.map(|(lo, hi)| {
            let claims = Claims::new();
            claims.deal(lo, hi);
            claims
        });
        Arc::new(Self { claims, begun: Mutex::default() })
    }

    fn participate(&self, me: usize) {
        while let Some(mut lease) = claim(&self.claims, me, Terms::of(u32::MAX, P)) {
            while let Some(chunk) = lease.next() {
                self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(chunk);
            }
        }
    }

    /// As somebody who dies before an access; whether that happened.
    fn participate_mortally(&self, me: usize, accesses: u32) -> bool {
        LIFE.with(|life| life.set(Some(accesses)));
        let outcome = catch_unwind(std::panic::AssertUnwindSafe(|| self.participate(me)));
        LIFE.with(|life| life.set(None));
        outcome.is_err()
    }

    /// Another takes the place of one who died; what was in progress.
    fn succeed(&self, dead: usize) -> Option<u32> {
        let in_progress = settle(&self.claims, dead);
        if let Some(chunk) = in_progress {
            assert!(self.claims[dead].give_back(chunk));
        }
        self.participate(dead);
        in_progress
    }

    /// Every chunk was begun once, and at most twice if it was in progress
    /// when its participant died.
    fn check(&self, chunks: u32, in_progress: Option<u32>) {
        assert!(self.claims.iter().all(Claims::is_exhausted));
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in 0..chunks {
            let times = begun.iter().filter(|&&begun| begun == chunk).count();
            let is_right = times == 1 || (times == 2 && in_progress == Some(chunk));
            assert!(is_right, "chunk {chunk} of {begun:?}, in progress: {in_progress:?}");
        }
    }
}

/// Runs all participants at once, and `mortal` with every length of life; when
/// it has died another one goes on in its place while the others work. Of three
/// participants the last one is done by then, which spares a thread.
fn with_every_death<const P: usize>(ranges: [(u32, u32); P], mortal: usize, bound: usize) {
    let chunks = ranges.iter().map(|(lo, hi)| hi - lo).sum();
    let has_died = std::sync::Arc::new(AtomicBool::new(true));
    for accesses in 0.. {
        if !has_died.swap(false, Relaxed) {
            // It has lived to the end in every order.
            assert!(accesses > 10, "it has claimed and stolen");
            return;
        }
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(bound);
        let has_died = std::sync::Arc::clone(&has_died);
        builder.check(move || {
            let run = Run::new(ranges);
            let spawn = |who: usize| {
                let run = Arc::clone(&run);
                thread::spawn(move || run.participate(who))
            };
            let mut others = (0..P).filter(|&who| who != mortal);
            let other = others.next().map(spawn).expect("there are two");
            let mortal_thread = thread::spawn({
                let run = Arc::clone(&run);
                move || run.participate_mortally(mortal, accesses)
            });
            others.for_each(|who| run.participate(who));
            let mut in_progress = None;
            if mortal_thread.join().unwrap() {
                has_died.store(true, Relaxed);
                in_progress = run.succeed(mortal);
            }
            other.join().unwrap();
            run.check(chunks, in_progress);
        });
    }
}

#[test]
fn loom_whenever_an_owner_dies_that_has_a_lease_no_chunk_is_lost_or_done_twice() {
    with_every_death([(0, 4), (4, 4)], 0, 1);
}

#[test]
fn loom_whenever_a_thief_dies_that_waits_for_a_lease_no_chunk_is_lost_or_done_twice() {
    with_every_death([(0, 4), (4, 4)], 1, 1);
}

#[test]
fn loom_whenever_an_owner_dies_that_is_robbed_no_chunk_is_lost_or_done_twice() {
    with_every_death([(0, 3), (3, 3)], 0, 1);
}

#[test]
fn loom_whenever_a_thief_dies_no_chunk_is_lost_or_done_twice() {
    with_every_death([(0, 3), (3, 3)], 1, 1);
}

#[test]
fn loom_whenever_one_of_three_dies_no_chunk_is_lost_or_done_twice() {
    with_every_death([(0, 2), (2, 2), (2, 3)], 1, 1);
}
