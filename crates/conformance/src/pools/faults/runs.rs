//! Misfortunes of one among thousands of tasks that travel together.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::time::Duration;

use multiproc::{
    Error, StartMethod,
    pool::{Bulk, Pool},
};

use super::{KILLED, assert_died, builder, check_is_well, die, square};

const TASKS: u64 = 30_000;

/// Of so many tasks one meets with misfortune.
const EVERY: u64 = 4_001;

fn is_unlucky(x: u64) -> bool {
    x % EVERY == EVERY / 2
}

fn panics_sometimes(x: u64) -> u64 {
    assert!(!is_unlucky(x), "no luck");
    square(x)
}

fn dies_sometimes(x: u64) -> u64 {
    if is_unlucky(x) {
        die();
    }
    square(x)
}

fn hangs_sometimes(x: u64) -> u64 {
    if is_unlucky(x) {
        loop {
            std::thread::park();
        }
    }
    square(x)
}

/// Every task has the outcome that it must have; how the unlucky ones have
/// failed is checked by `check`.
#[track_caller]
fn check_each(outcomes: Vec<multiproc::Result<u64>>, check: impl Fn(u64, &Error)) {
    assert_eq!(outcomes.len() as u64, TASKS);
    for (x, outcome) in (0..).zip(outcomes) {
        match outcome {
            Ok(result) => assert!(!is_unlucky(x) && result == square(x), "{x}: {result}"),
            Err(error) => {
                assert!(is_unlucky(x), "{x}: {error}");
                check(x, &error);
            }
        }
    }
}

pub fn of_thousands_of_short_tasks_those_that_panic_fail_and_no_other<T: Bulk>(
    method: StartMethod,
) {
    let pool: Pool<T> = builder(method).build().unwrap();
    let pids: Vec<_> = pool.pids().collect();
    check_each(pool.map_outcomes(panics_sometimes, 0..TASKS).unwrap(), |x, error| match error {
        Error::TaskPanicked { task, message, .. } => {
            assert!(*task as u64 == x && message.contains("no luck"), "{error}");
        }
        other => panic!("{other:?}"),
    });
    assert!(pool.pids().eq(pids), "nobody had to be replaced");
    pool.shutdown().unwrap();
}

pub fn of_thousands_of_short_tasks_those_that_end_their_worker_fail_and_no_other<T: Bulk>(
    method: StartMethod,
) {
    let pool: Pool<T> = builder(method).build().unwrap();
    let died = |x, error: &Error| assert_died(error, x as usize, &[KILLED]);
    check_each(pool.map_outcomes(dies_sometimes, 0..TASKS).unwrap(), died);
    check_is_well(&pool);
    pool.shutdown().unwrap();

    let pool: Pool<T> = builder(method).at_most_once(true).build().unwrap();
    check_each(pool.map_outcomes(dies_sometimes, 0..TASKS).unwrap(), died);
    pool.shutdown().unwrap();
}

pub fn of_thousands_of_short_tasks_those_that_hang_end_at_their_deadline_and_no_other<T: Bulk>(
    method: StartMethod,
) {
    let pool: Pool<T> = builder(method).build().unwrap();
    let limited = pool.call().hard_deadline(Duration::from_millis(300));
    check_each(limited.map_outcomes(hangs_sometimes, 0..TASKS).unwrap(), |x, error| match error {
        Error::DeadlineExceeded { task, .. } => assert_eq!(*task as u64, x),
        other => panic!("{other:?}"),
    });
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

pub fn thousands_of_short_tasks_that_are_cancelled_harm_no_others<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).build().unwrap();
    for _ in 0..5 {
        let mut cancelled = pool.map_async(hangs_sometimes, 0..TASKS);
        let others = pool.map_async(square, 0..TASKS);
        assert!(cancelled.cancel());
        let outcome = cancelled.get_timeout(Duration::from_secs(50));
        assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?}");
        assert!(others.get().unwrap().into_iter().eq((0..TASKS).map(square)));
    }
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

/// Results that are no plain data travel one by one, but are told together.
pub fn thousands_of_short_tasks_with_results_of_any_type_come_in_order<T: Bulk>(
    method: StartMethod,
) {
    let pool: Pool<T> = builder(method).build().unwrap();
    let texts = pool.map(|x: u64| x.to_string(), 0..TASKS).unwrap();
    assert!(texts.into_iter().eq((0..TASKS).map(|x| x.to_string())));
    let streamed: Result<Vec<u64>, Error> = pool.imap(square, 0..TASKS).collect();
    assert!(streamed.unwrap().into_iter().eq((0..TASKS).map(square)));
    pool.shutdown().unwrap();
}

fn len(bytes: Vec<u8>) -> u64 {
    bytes.len() as u64
}

/// The argument is larger than what streams hold, so that most of it is not
/// written yet; then it goes with its job, or stays.
pub fn a_large_argument_cancelled_while_it_is_written_harms_no_others<T: Bulk>(
    method: StartMethod,
) {
    let pool: Pool<T> = builder(method).build().unwrap();
    for is_kept in [true, false, true, false] {
        let mut cancelled = pool.apply_async(len, vec![1; 16 << 20]);
        let _ = cancelled.cancel();
        if is_kept {
            let _ = cancelled.get_timeout(Duration::from_secs(50));
        }
        drop(cancelled);
        assert_eq!(pool.map(len, [vec![1; 9], vec![2; 1 << 20]]).unwrap(), [9, 1 << 20]);
        assert!(pool.map(square, 0..100).unwrap().into_iter().eq((0..100).map(square)));
    }
    check_is_well(&pool);
    pool.shutdown().unwrap();
}
