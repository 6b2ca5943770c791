//! A task, its argument or its result ends its worker.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::{collections::HashSet, process};

use multiproc::{
    Error, StartMethod,
    pool::{Bulk, Pool},
};
use nix::sys::signal::Signal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{KILLED, assert_died, builder, check_is_well, die, send, square};
use crate::pools::door::{Door, visit};

const ABORTED: i32 = -(Signal::SIGABRT as i32);
const FAULTED: i32 = -(Signal::SIGSEGV as i32);

/// Ends its process in one of many ways.
fn end(way: u64) -> u64 {
    let me = process::id() as i32;
    match way {
        0 => die(),
        1 => process::abort(),
        2 => process::exit(0),
        3 => process::exit(3),
        4 => fill_the_stack(&[0; 1000]),
        // The first time, Rust's handler thinks of a stack overflow, finds
        // that it is none, and has the fault happen again without it.
        5 => loop {
            send(Signal::SIGSEGV, me);
        },
        6 => {
            send(Signal::SIGTERM, me);
            loop {
                std::thread::park();
            }
        }
        _ => way,
    }
}

/// The codes of [`end`].
const CODES: [&[i32]; 7] = [
    &[KILLED],
    &[ABORTED],
    &[0],
    &[3],
    &[ABORTED, FAULTED],
    &[FAULTED],
    &[-(Signal::SIGTERM as i32)],
];

fn fill_the_stack(above: &[u64; 1000]) -> u64 {
    let mine = std::hint::black_box([above[0] + 1; 1000]);
    if mine[0] == u64::MAX { 0 } else { fill_the_stack(&mine) + mine[7] }
}

pub fn every_way_to_end_a_worker_is_the_error_of_its_task_and_of_no_other<T: Bulk>(
    method: StartMethod,
) {
    let pool: Pool<T> = builder(method).build().unwrap();
    let outcomes = pool.map_outcomes(end, 0..100).unwrap();
    for (task, outcome) in outcomes.into_iter().enumerate() {
        match CODES.get(task) {
            Some(codes) => assert_died(&outcome.unwrap_err(), task, codes),
            None => assert_eq!(outcome.unwrap(), task as u64),
        }
    }
    check_is_well(&pool);
    assert_eq!(pool.statistics().workers_healed, CODES.len() as u64);
    pool.shutdown().unwrap();
}

/// However many they are, and whatever else was asked for.
pub fn tasks_that_all_end_their_workers_have_all_failed_and_the_pool_goes_on<T: Bulk>(
    method: StartMethod,
) {
    let pool: Pool<T> = builder(method).build().unwrap();
    let outcomes = pool.map_outcomes(|_: u64| -> u64 { die() }, 0..30).unwrap();
    for (task, outcome) in outcomes.into_iter().enumerate() {
        assert_died(&outcome.unwrap_err(), task, &[KILLED]);
    }
    check_is_well(&pool);
    let statistics = pool.statistics();
    assert_eq!((statistics.tasks_failed, statistics.workers_healed), (30, 30));
    pool.shutdown().unwrap();
}

pub fn a_task_without_memory_fails_and_nothing_else_does<T: Bulk>(method: StartMethod) {
    fn hoard(bytes: usize) -> usize {
        std::hint::black_box(vec![1u8; bytes]).len()
    }
    const CAP: usize = 256 << 20;
    let pool: Pool<T> = builder(method).worker_memory_cap(CAP as u64).build().unwrap();
    let outcomes = pool.map_outcomes(hoard, [1000, 2 * CAP, 1000, 2 * CAP]).unwrap();
    for (task, outcome) in outcomes.into_iter().enumerate() {
        match task % 2 {
            0 => assert_eq!(outcome.unwrap(), 1000),
            _ => assert_died(&outcome.unwrap_err(), task, &[ABORTED]),
        }
    }
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

/// Ends the process that reads or writes it, if it is fatal.
struct Fatal {
    to_read: bool,
    to_write: bool,
}

impl Serialize for Fatal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.to_write {
            process::abort();
        }
        serializer.serialize_bool(self.to_read)
    }
}

impl<'de> Deserialize<'de> for Fatal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if bool::deserialize(deserializer)? {
            process::abort();
        }
        Ok(Self { to_read: false, to_write: false })
    }
}

/// The argument of a task ends the worker that reads it.
pub fn test_crash_at_task_unpickle<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).build().unwrap();
    let arguments = (0..10).map(|x| Fatal { to_read: x == 4, to_write: false });
    let outcomes = pool.map_outcomes(|_: Fatal| 7, arguments).unwrap();
    for (task, outcome) in outcomes.into_iter().enumerate() {
        match task {
            4 => assert_died(&outcome.unwrap_err(), 4, &[ABORTED]),
            _ => assert_eq!(outcome.unwrap(), 7),
        }
    }
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

/// The result of a task ends the worker that writes it.
pub fn test_crash_during_result_pickle_on_worker<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).build().unwrap();
    let result = |x: u64| Fatal { to_read: false, to_write: x == 4 };
    let outcomes = pool.map_outcomes(result, 0..10).unwrap();
    for (task, outcome) in outcomes.into_iter().enumerate() {
        match (task, outcome) {
            (4, outcome) => assert_died(&outcome.err().unwrap(), 4, &[ABORTED]),
            (_, outcome) => assert!(outcome.is_ok()),
        }
    }
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

/// A task ends its worker as if nothing had happened.
pub fn test_exit_during_func_exec_on_worker<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).build().unwrap();
    let result = pool.apply_async(|code: i32| -> u64 { process::exit(code) }, 0);
    assert_died(&result.get().unwrap_err(), 0, &[0]);
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

/// Where CPython's executor is broken, ours has lost one task.
pub fn test_killed_child<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).build().unwrap();
    let mut door = Door::new();
    let lost = pool.apply_async(visit, door.way_in());
    let kept = pool.apply_async(visit, door.way_in());
    door.await_knocks(2);
    // The first call went to the first worker.
    send(Signal::SIGKILL, pool.pids().next().unwrap());
    assert_died(&lost.get().unwrap_err(), 0, &[KILLED]);
    door.open(1);
    kept.get().unwrap();
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

/// Who has nothing to do is asked before anybody new.
pub fn test_idle_process_reuse_one<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).build().unwrap();
    let before: Vec<i32> = pool.pids().collect();
    let by: HashSet<u32> = (0..20).map(|_| pool.apply(|()| process::id(), ()).unwrap()).collect();
    assert_eq!(by.len(), 1);
    assert_eq!(pool.pids().collect::<Vec<_>>(), before);
    pool.shutdown().unwrap();
}

/// A pool that is shut down still replaces the workers that its tasks need.
pub fn test_max_tasks_early_shutdown<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).workers(3).max_tasks_per_worker(1).build().unwrap();
    let results: Vec<_> = (0..12).map(|x| pool.apply_async(square, x)).collect();
    pool.shutdown().unwrap();
    for (x, result) in (0..12).zip(results) {
        assert_eq!(result.get().unwrap(), square(x));
    }
}

/// An error of the pool as a whole, which no end of a worker is.
pub fn a_dead_worker_is_never_an_error_of_the_pool<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).build().unwrap();
    let fatal = |x: u64| if x % 10 == 3 { die() } else { x };
    let mut failed = 0;
    for (x, outcome) in pool.imap(fatal, 0..50).enumerate() {
        match outcome {
            Ok(y) => assert_eq!(y, x as u64),
            Err(error @ Error::WorkerDied { .. }) => {
                assert_died(&error, x, &[KILLED]);
                failed += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(failed, 5);
    pool.shutdown().unwrap();
}
