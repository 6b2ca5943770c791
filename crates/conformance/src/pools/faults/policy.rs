//! What is begun again when its worker dies, and what never is.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use multiproc::{
    Error, RawArray, StartMethod,
    pool::{Builder, Bulk, Pool},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{KILLED, assert_died, builder, check_is_well, die, square};

/// How often each task was begun.
static BEGUN: OnceLock<RawArray<u64>> = OnceLock::new();

/// Workers that count in `begun`.
fn counting<T: Bulk>(method: StartMethod, begun: &RawArray<u64>) -> Builder<T> {
    let keep = |begun| BEGUN.set(begun).map_err(drop).expect("a worker is born once");
    builder(method).initialiser(keep, begun.clone())
}

/// Dies the first so many times.
fn dies((task, times): (u64, u64)) -> u64 {
    if BEGUN.get().unwrap().fetch_add(task as usize, 1) < times {
        die();
    }
    task
}

pub fn by_default_a_task_that_ends_its_worker_is_not_begun_again<T: Bulk>(method: StartMethod) {
    let begun = RawArray::new(10).unwrap();
    let pool: Pool<T> = counting(method, &begun).build().unwrap();
    // One at a time, so that no other's result is in the worker that dies.
    let call = pool.call().chunk_len(1);
    let outcomes = call.map_outcomes(dies, (0..10).map(|x| (x, u64::from(x == 4)))).unwrap();
    for (task, outcome) in outcomes.into_iter().enumerate() {
        match task {
            4 => assert_died(&outcome.unwrap_err(), 4, &[KILLED]),
            _ => assert_eq!(outcome.unwrap(), task as u64),
        }
    }
    assert_eq!(begun.to_vec(), [1; 10]);
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

pub fn with_retries_a_task_is_begun_again_so_often_and_not_once_more<T: Bulk>(method: StartMethod) {
    let begun = RawArray::new(10).unwrap();
    let pool: Pool<T> = counting(method, &begun).retries(2).build().unwrap();
    let call = pool.call().chunk_len(1);
    let arguments = (0..5).map(|x| (x, x));
    let outcomes = call.map_outcomes(dies, arguments).unwrap();
    for (task, outcome) in outcomes.into_iter().enumerate() {
        match task {
            0..3 => assert_eq!(outcome.unwrap(), task as u64),
            _ => assert_died(&outcome.unwrap_err(), task, &[KILLED]),
        }
    }
    assert_eq!(begun.to_vec()[..5], [1, 2, 3, 3, 3]);
    let statistics = pool.statistics();
    assert_eq!((statistics.tasks_retried, statistics.tasks_failed), (7, 2), "{statistics:?}");
    assert_eq!(statistics.workers_healed, 9);
    // A call may say otherwise.
    assert_eq!(pool.call().retries(4).apply(dies, (5, 4)).unwrap(), 5);
    assert!(pool.call().retries(0).apply(dies, (6, 1)).is_err());
    assert_eq!(begun.to_vec()[5..7], [5, 1]);
    pool.shutdown().unwrap();
}

pub fn under_random_kills_no_task_of_a_pool_that_forbids_it_begins_twice<T: Bulk>(
    method: StartMethod,
) {
    const TASKS: usize = 20_000;
    let begun = RawArray::new(TASKS).unwrap();
    let pool: Pool<T> = counting(method, &begun).workers(3).at_most_once(true).build().unwrap();
    let is_over = AtomicBool::new(false);
    let kills = AtomicU64::new(0);
    let outcomes = thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0.. {
                thread::sleep(Duration::from_millis(5));
                if is_over.load(Relaxed) {
                    break;
                }
                let Some(victim) = pool.pids().nth(round % 3) else { continue };
                // It may have ended meanwhile.
                let killed = kill(Pid::from_raw(victim), Signal::SIGKILL);
                kills.fetch_add(u64::from(killed.is_ok()), Relaxed);
            }
        });
        let mut outcomes = Vec::new();
        for batch in 0..20 {
            let (from, to) = (batch * TASKS / 20, (batch + 1) * TASKS / 20);
            outcomes
                .extend(pool.map_outcomes(dies, (from as u64..to as u64).map(|x| (x, 0))).unwrap());
        }
        is_over.store(true, Relaxed);
        outcomes
    });
    let mut failed = 0;
    for (task, outcome) in outcomes.into_iter().enumerate() {
        let times = begun.load(task);
        match outcome {
            Ok(result) => assert_eq!((result, times), (task as u64, 1)),
            Err(error) => {
                assert_died(&error, task % (TASKS / 20), &[KILLED]);
                assert!(times <= 1, "{task} was begun {times} times");
                failed += 1;
            }
        }
    }
    assert!(failed <= kills.into_inner(), "one kill costs one task at most");
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
    pool.terminate();
}

pub fn retries_and_at_most_once_exclude_each_other<T: Bulk>(method: StartMethod) {
    let both = builder::<T>(method).retries(1).at_most_once(true).build();
    assert!(matches!(both, Err(Error::RetriesAtMostOnce)), "{both:?}");
    let pool: Pool<T> = builder(method).at_most_once(true).build().unwrap();
    let refused = pool.call().retries(1).apply(square, 3);
    assert!(matches!(refused, Err(Error::RetriesAtMostOnce)), "{refused:?}");
    check_is_well(&pool);
    pool.shutdown().unwrap();
}
