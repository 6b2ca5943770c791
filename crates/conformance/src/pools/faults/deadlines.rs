//! Tasks that take too long, and that nobody wants any more.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::{
    thread,
    time::{Duration, Instant},
};

use multiproc::{
    Error, StartMethod,
    pool::{Bulk, Pool, is_asked_to_stop},
};

use super::{builder, check_is_well, square, stop, until};
use crate::pools::door::{Door, visit};

/// More than a task that does nothing takes, on a busy machine too.
const LIMIT: Duration = Duration::from_millis(600);

/// Takes for ever, if it is told to.
fn hang(forever: bool) -> u32 {
    if forever {
        thread::sleep(Duration::from_secs(3600));
    }
    std::process::id()
}

#[track_caller]
fn assert_too_long(error: &Error, task: usize) {
    match error {
        Error::DeadlineExceeded { task: of, pid, name, limit } => {
            assert!(*of == task && *limit == LIMIT && *pid > 1 && name.contains('-'), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

/// The neighbours are those in the other workers and those that wait behind it
/// in its own.
pub fn a_task_that_hangs_ends_at_its_deadline_and_harms_no_neighbour<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).hard_deadline(LIMIT).retries(3).build().unwrap();
    let outcomes = pool.map_outcomes(hang, (0..300).map(|x| x % 75 == 74)).unwrap();
    for (task, outcome) in outcomes.into_iter().enumerate() {
        match task % 75 {
            74 => assert_too_long(&outcome.unwrap_err(), task),
            _ => assert!(outcome.unwrap() > 1),
        }
    }
    check_is_well(&pool);
    let statistics = pool.statistics();
    assert_eq!((statistics.workers_healed, statistics.tasks_failed), (4, 4), "{statistics:?}");
    // It is not begun again: it would take as long again.
    assert_eq!(statistics.tasks_retried, 0);
    pool.shutdown().unwrap();
}

/// One that takes long, but not too long, has its time; so have those that are
/// done one after the other and together take longer.
pub fn a_task_has_all_of_the_time_until_its_deadline<T: Bulk>(method: StartMethod) {
    let nap = |soft: bool| {
        let begun = Instant::now();
        while begun.elapsed() < LIMIT / 2 && !(soft && is_asked_to_stop()) {
            thread::sleep(Duration::from_millis(1));
        }
        begun.elapsed()
    };
    let pool: Pool<T> = builder(method).workers(1).hard_deadline(LIMIT).build().unwrap();
    // A machine may be busy with something else for longer than they take.
    let patient = pool.call().hard_deadline(10 * LIMIT);
    assert_eq!(patient.map(nap, [false; 3]).unwrap().len(), 3);
    let asked_after = patient.soft_deadline(LIMIT / 4).apply(nap, true).unwrap();
    assert!(asked_after >= LIMIT / 4, "{asked_after:?}");
    assert_eq!(pool.statistics().workers_healed, 0);
    let begun = Instant::now();
    assert_too_long(&pool.apply(hang, true).unwrap_err(), 0);
    assert!(begun.elapsed() >= LIMIT, "{:?}", begun.elapsed());
    pool.shutdown().unwrap();
}

/// A call's own deadline leaves those alone that have none.
pub fn a_deadline_is_that_of_its_call<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).build().unwrap();
    let mut door = Door::new();
    let patient = pool.apply_async(visit, door.way_in());
    door.await_knocks(1);
    assert_too_long(&pool.call().hard_deadline(LIMIT).apply(hang, true).unwrap_err(), 0);
    assert!(!patient.is_ready());
    door.open(1);
    patient.get().unwrap();
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

pub fn a_task_is_asked_to_stop_and_can_return_what_it_has<T: Bulk>(method: StartMethod) {
    fn work_on(_: u64) -> u64 {
        let mut steps = 0;
        while !is_asked_to_stop() {
            thread::sleep(Duration::from_millis(1));
            steps += 1;
        }
        steps
    }
    let pool: Pool<T> = builder(method).build().unwrap();
    let call = pool.call().soft_deadline(LIMIT / 10);
    // Each of them is asked for itself: none stops at once because one before
    // it was asked.
    let steps = call.map(work_on, 0..6).unwrap();
    assert!(steps.iter().all(|&steps| steps > 0), "{steps:?}");
    assert!(call.map(|_: u64| is_asked_to_stop(), 0..6).unwrap().iter().all(|&asked| !asked));
    assert!(!is_asked_to_stop());
    assert_eq!(pool.statistics().workers_healed, 0);
    pool.shutdown().unwrap();
}

pub fn a_task_that_does_not_stop_when_asked_is_ended<T: Bulk>(method: StartMethod) {
    fn ignore(_: u64) -> u64 {
        until(is_asked_to_stop);
        hang(true).into()
    }
    let pool: Pool<T> =
        builder(method).soft_deadline(LIMIT / 10).hard_deadline(LIMIT).build().unwrap();
    assert_too_long(&pool.apply(ignore, 0).unwrap_err(), 0);
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

pub fn a_worker_stopped_in_a_task_ends_at_the_deadline<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).hard_deadline(LIMIT).build().unwrap();
    let mut door = Door::new();
    let visit = pool.apply_async(visit, door.way_in());
    door.await_knocks(1);
    stop(pool.pids().next().unwrap());
    assert_too_long(&visit.get().unwrap_err(), 0);
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

/// It has the task and will not begin it: another one does.
pub fn a_worker_stopped_before_a_task_with_a_deadline_costs_nothing<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).hard_deadline(LIMIT).at_most_once(true).build().unwrap();
    let before: Vec<i32> = pool.pids().collect();
    before.iter().for_each(|&pid| stop(pid));
    // More than a stream holds, for one of them.
    let large = vec![7u8; 4 << 20];
    let echoed = pool.map(|bytes: Vec<u8>| bytes, [large.clone(), vec![1]]).unwrap();
    assert!(echoed == [large, vec![1]]);
    check_is_well(&pool);
    let statistics = pool.statistics();
    assert_eq!((statistics.workers_healed, statistics.tasks_failed), (2, 0), "{statistics:?}");
    pool.shutdown().unwrap();
}

/// Short tasks of which some are cancelled while they run, or about to.
pub fn to_cancel_a_task_harms_no_neighbour<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).build().unwrap();
    for round in 0..30 {
        let calls: Vec<_> = (0..60).map(|x| pool.apply_async(square, x)).collect();
        let hung = pool.apply_async(hang, true);
        let more: Vec<_> = (0..60).map(|x| pool.apply_async(square, x)).collect();
        if round % 3 == 0 {
            more[0].wait(None);
        }
        assert!(hung.cancel());
        let picked = calls[50].cancel();
        for (x, call) in (0..60).zip(calls).chain((0..60).zip(more)) {
            match call.get() {
                Err(Error::Cancelled) if x == 50 && picked => {}
                outcome => assert_eq!(outcome.unwrap(), square(x)),
            }
        }
        assert!(matches!(hung.get(), Err(Error::Cancelled)));
    }
    check_is_well(&pool);
    pool.shutdown().unwrap();
}
