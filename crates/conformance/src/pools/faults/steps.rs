//! A worker dies at every step of a task's life.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::{sync::mpsc, thread, time::Duration};

use multiproc::{
    StartMethod,
    pool::{Bulk, Pool, Port},
};
use nix::sys::signal::Signal;

use super::{
    KILLED, assert_died, builder, check_is_well, die,
    faulty::{Fault, Faulty, Misdeed, Step, plan},
    send, square, until,
};
use crate::pools::door::{Door, visit};

/// What a fault of the first of two workers may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Costs {
    Nothing,
    /// The task that it executed.
    OneTask,
}

/// One worker fails at its first task, or at the answer to that. Some tasks'
/// results are of `bytes`.
fn check_costs<T: Bulk>(
    method: StartMethod,
    at_most_once: bool,
    fault: Fault,
    bytes: usize,
    costs: Costs,
) {
    plan([Some(fault)]);
    let pool: Pool<Faulty<T>> = builder(method).at_most_once(at_most_once).build().unwrap();
    let repeat = |(x, bytes): (u8, usize)| vec![x; bytes];
    let arguments = (0..50).map(|x| (x, if x < 2 { bytes } else { 10 }));
    let outcomes = pool.map_outcomes(repeat, arguments).unwrap();
    let mut failed = 0;
    for (x, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(result) => {
                let bytes = if x < 2 { bytes } else { 10 };
                assert!(result.len() == bytes && result.iter().all(|&y| y == x as u8), "{x}");
            }
            Err(error) => {
                assert_died(&error, x, &[KILLED]);
                failed += 1;
            }
        }
    }
    assert_eq!(failed, u64::from(costs == Costs::OneTask), "{fault:?}");
    check_is_well(&pool);
    let statistics = pool.statistics();
    assert_eq!(statistics.workers_healed, 1, "{statistics:?}");
    assert_eq!((statistics.tasks_failed, statistics.tasks_retried), (failed, 0), "{statistics:?}");
    pool.shutdown().unwrap();
}

pub fn a_worker_killed_while_it_returns_a_large_result_fails_that_call_and_no_other<T: Bulk>(
    method: StartMethod,
) {
    const LEN: usize = 8 << 20;
    let pool: Pool<T> = builder(method).workers(1).build().unwrap();
    let mut deaths = 0;
    for delay in (0..20).map(|round| Duration::from_micros(400 * round)) {
        let result = pool.apply(
            |delay: Duration| {
                thread::spawn(move || {
                    thread::sleep(delay);
                    die();
                });
                (0..LEN / 8).collect::<Vec<usize>>()
            },
            delay,
        );
        match result {
            Ok(numbers) => assert!(numbers.into_iter().eq(0..LEN / 8), "{delay:?}"),
            Err(error) => {
                assert_died(&error, 0, &[KILLED]);
                deaths += 1;
            }
        }
        // It may be this one's turn to end with the worker.
        let _ = pool.apply(square, 3).inspect(|&nine| assert_eq!(nine, 9));
    }
    assert!(deaths > 0);
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

/// Nobody reads what it has said before somebody writes to it in vain.
pub fn an_answer_that_is_found_when_its_worker_is_buried_counts<T: Bulk>(method: StartMethod) {
    plan([Some(Fault { at: Step::Write(3), what: Misdeed::DieAfter })]);
    let pool: Pool<Faulty<T>> = builder(method).workers(1).build().unwrap();
    let worker = procfs::process::Process::new(pool.pids().next().unwrap()).unwrap();
    let (let_go, held_up) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let first = pool.apply_async(square, 3).on_result(move |_| {
        tell.send(()).unwrap();
        let _ = held_up.recv();
    });
    // Whoever leads is busy from now on.
    told.recv().unwrap();
    let second = pool.apply_async(square, 4);
    until(|| worker.stat().is_ok_and(|stat| stat.state == 'Z'));
    let third = pool.apply_async(square, 5);
    drop(let_go);
    assert_eq!([first, second, third].map(|result| result.get().unwrap()), [9, 16, 25]);
    let statistics = pool.statistics();
    assert_eq!((statistics.tasks_done, statistics.tasks_failed), (3, 0), "{statistics:?}");
    pool.shutdown().unwrap();
}

/// Its request is in the stream, and it has not looked.
pub fn a_worker_killed_before_it_takes_a_task_costs_nothing<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).at_most_once(true).build().unwrap();
    let first = pool.pids().next().unwrap();
    super::stop(first);
    let squares = pool.map_async(square, 0..20);
    until(|| pool.statistics().tasks_done == 19);
    send(Signal::SIGKILL, first);
    assert_eq!(squares.get().unwrap(), (0..20).map(square).collect::<Vec<_>>());
    check_is_well(&pool);
    assert_eq!(pool.statistics().workers_healed, 1);
    pool.shutdown().unwrap();
}

/// It has taken it from the stream, or half of it, and has not begun it.
pub fn a_worker_killed_while_it_takes_a_task_costs_nothing<T: Bulk>(method: StartMethod) {
    for what in [Misdeed::DieWithin, Misdeed::DieAfter] {
        for at_most_once in [false, true] {
            let fault = Fault { at: Step::Read(1), what };
            check_costs::<T>(method, at_most_once, fault, 10, Costs::Nothing);
        }
    }
}

pub fn a_worker_killed_in_the_middle_of_a_task_fails_that_task_and_no_other<T: Bulk>(
    method: StartMethod,
) {
    let pool: Pool<T> = builder(method).build().unwrap();
    let mut door = Door::new();
    let before: Vec<_> = pool.statistics().workers;
    let visits = pool.map_async(visit, [door.way_in(), door.way_in()]);
    let waiting = pool.map_async(square, 0..100);
    door.await_knocks(2);
    send(Signal::SIGKILL, before[1].pid);
    // Its seat is taken while the other one is still busy.
    assert_eq!(waiting.get().unwrap(), (0..100).map(square).collect::<Vec<_>>());
    door.open(1);
    let error = visits.get().unwrap_err();
    assert_died(&error, 1, &[KILLED]);
    assert!(error.to_string().contains(&before[1].pid.to_string()), "{error}");
    assert!(error.to_string().contains("SIGKILL"), "{error}");
    assert!(error.to_string().contains(&before[1].name), "{error}");
    let after = pool.statistics();
    assert_eq!((after.workers_healed, after.tasks_done, after.tasks_failed), (1, 101, 1));
    assert_eq!(after.workers[0].pid, before[0].pid);
    assert_ne!(after.workers[1].pid, before[1].pid);
    assert_eq!(after.workers[1].name, before[1].name);
    pool.shutdown().unwrap();
}

/// By default its task is executed again if it had ended: nobody knows the
/// result. If every task is to be begun once, it has failed.
pub fn a_worker_killed_before_it_writes_a_result_costs_that_task_at_most<T: Bulk>(
    method: StartMethod,
) {
    let fault = Fault { at: Step::Write(2), what: Misdeed::DieBefore };
    let by_default = if T::Port::WRITES_ARE_CHEAP { Costs::OneTask } else { Costs::Nothing };
    check_costs::<T>(method, false, fault, 10, by_default);
    check_costs::<T>(method, true, fault, 10, Costs::OneTask);
}

pub fn a_worker_killed_half_way_through_a_result_costs_that_task_at_most<T: Bulk>(
    method: StartMethod,
) {
    let fault = Fault { at: Step::Write(2), what: Misdeed::DieWithin };
    check_costs::<T>(method, true, fault, 10, Costs::OneTask);
    // More than any stream holds at once.
    for at_most_once in [false, true] {
        check_costs::<T>(method, at_most_once, fault, 8 << 20, Costs::OneTask);
    }
}

pub fn a_worker_killed_after_it_has_written_a_result_costs_nothing<T: Bulk>(method: StartMethod) {
    let fault = Fault { at: Step::Write(2), what: Misdeed::DieAfter };
    for at_most_once in [false, true] {
        check_costs::<T>(method, at_most_once, fault, 10, Costs::Nothing);
    }
    check_costs::<T>(method, true, fault, 8 << 20, Costs::Nothing);
}

/// So too if the arrays are the pool's.
pub fn a_worker_killed_in_the_middle_of_a_chunk_fails_that_chunk_and_no_other<T: Bulk>(
    method: StartMethod,
) {
    let pool: Pool<T> = builder(method).build().unwrap();
    let mut array = pool.array_from(&(0..1_000).collect::<Vec<u64>>()).unwrap();
    let outcome = pool.for_each_chunk(&mut array, 10, 55, |fatal: u64, chunk: &mut [u64]| {
        if chunk.contains(&fatal) {
            die();
        }
        chunk.iter_mut().for_each(|x| *x *= 2);
    });
    assert_died(&outcome.unwrap_err(), 5, &[KILLED]);
    for (x, &y) in array.iter().enumerate() {
        let is_lost = (50..60).contains(&x);
        assert_eq!(y, if is_lost { x } else { 2 * x } as u64);
    }
    check_is_well(&pool);
    pool.shutdown().unwrap();
}
