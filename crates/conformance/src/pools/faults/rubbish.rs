//! Workers that say what makes no sense, or nothing.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::time::Duration;

use multiproc::{
    Error, StartMethod,
    pool::{Bulk, Pool},
};

use super::{
    builder, check_is_well,
    faulty::{Fault, Faulty, Misdeed, Step, plan},
    square, until,
};

/// The header of a reply: kind, tag, length.
fn header(kind: u32, tag: u32, len: u64) -> Misdeed {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&kind.to_ne_bytes());
    bytes[4..8].copy_from_slice(&tag.to_ne_bytes());
    bytes[8..].copy_from_slice(&len.to_ne_bytes());
    Misdeed::Write(bytes)
}

/// The kinds of replies.
const DONE: u32 = 2;
const FAILED: u32 = 3;
const PACE: u32 = 4;
const RUN: u32 = 6;

/// A worker's first answer is rubbish.
fn check_rubbish<T: Bulk>(method: StartMethod, what: Misdeed) {
    let fault = Fault { at: Step::Write(2), what };
    plan([None, Some(fault), None, Some(fault)]);
    let pool: Pool<Faulty<T>> = builder(method).build().unwrap();
    let outcomes = pool.map_outcomes(square, 0..50).unwrap();
    let mut garbled = 0;
    for (x, outcome) in (0..).zip(outcomes) {
        match outcome {
            Ok(result) => assert_eq!(result, square(x)),
            Err(Error::Garbled { pid, .. }) => {
                assert!(pool.pids().all(|worker| worker != pid));
                garbled += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(garbled, 1, "{what:?}");
    check_is_well(&pool);
    assert_eq!(pool.statistics().workers_healed, 1);
    pool.shutdown().unwrap();

    // It may be begun again.
    let pool: Pool<Faulty<T>> = builder(method).retries(1).build().unwrap();
    assert_eq!(pool.map(square, 0..50).unwrap(), (0..50).map(square).collect::<Vec<_>>());
    assert_eq!(pool.statistics().tasks_retried, 1);
    pool.shutdown().unwrap();
}

pub fn an_answer_of_no_known_kind_is_the_error_of_its_task<T: Bulk>(method: StartMethod) {
    check_rubbish::<T>(method, Misdeed::Write([0xff; 16]));
    check_rubbish::<T>(method, Misdeed::Write([0; 16]));
}

pub fn an_answer_that_says_it_is_endless_is_the_error_of_its_task<T: Bulk>(method: StartMethod) {
    for kind in [DONE, FAILED, PACE, RUN] {
        check_rubbish::<T>(method, header(kind, 1, 1 << 60));
    }
}

pub fn an_answer_to_what_was_not_asked_is_the_error_of_its_task<T: Bulk>(method: StartMethod) {
    check_rubbish::<T>(method, header(DONE, 2, 0));
    check_rubbish::<T>(method, header(FAILED, 77, 1));
    check_rubbish::<T>(method, header(RUN, 2, 16));
    // The header of the true answer follows, which says nothing of a run.
    check_rubbish::<T>(method, header(RUN, 1, 16));
    check_rubbish::<T>(method, header(RUN, 1, 8));
}

pub fn an_answer_that_cannot_be_decoded_is_the_error_of_its_task<T: Bulk>(method: StartMethod) {
    // Its length is right, what follows is no description of a failure.
    check_rubbish::<T>(method, header(FAILED, 1, 1));
}

/// The parent reserves no memory for what a worker only says.
pub fn an_answer_that_promises_too_much_costs_no_memory<T: Bulk>(method: StartMethod) {
    let promise = header(DONE, 1, 4 << 30);
    plan([Some(Fault { at: Step::Write(2), what: promise })]);
    let pool: Pool<Faulty<T>> = builder(method).hard_deadline(SOON).build().unwrap();
    let squares = pool.map(square, 0..50).unwrap();
    assert_eq!(squares, (0..50).map(square).collect::<Vec<_>>());
    let peak = procfs::process::Process::myself().unwrap().status().unwrap().vmhwm.unwrap();
    assert!(peak < 1 << 20, "{peak} KiB were resident");
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

/// More than a task that does nothing takes, on a busy machine too.
const SOON: Duration = Duration::from_secs(1);

/// The rest never comes: the worker, which thinks that it has said all, is
/// noticed by the deadline of its task.
pub fn an_answer_that_lacks_its_end_ends_at_the_deadline<T: Bulk>(method: StartMethod) {
    plan([Some(Fault { at: Step::Write(2), what: Misdeed::Forget })]);
    let pool: Pool<Faulty<T>> = builder(method).hard_deadline(SOON).build().unwrap();
    let repeat = |x: u8| vec![x; 1000];
    let results = pool.map(repeat, 0..50).unwrap();
    assert!((0..50).zip(results).all(|(x, result)| result == repeat(x)));
    check_is_well(&pool);
    assert_eq!(pool.statistics().workers_healed, 1);
    pool.shutdown().unwrap();
}

/// There is no deadline: the end of its stream is what is noticed.
pub fn a_worker_that_hangs_up_and_lives_on_is_replaced<T: Bulk>(method: StartMethod) {
    for at in [Step::Read(1), Step::Write(2)] {
        plan([Some(Fault { at, what: Misdeed::HangUp })]);
        let pool: Pool<Faulty<T>> = builder(method).retries(1).build().unwrap();
        assert_eq!(pool.map(square, 0..50).unwrap(), (0..50).map(square).collect::<Vec<_>>());
        check_is_well(&pool);
        assert_eq!(pool.statistics().workers_healed, 1);
        pool.terminate();
    }
}

/// The second that it is given is its own.
pub fn nobody_waits_for_a_worker_that_hangs_up_and_lives_on<T: Bulk>(method: StartMethod) {
    plan([Some(Fault { at: Step::Read(1), what: Misdeed::HangUp })]);
    let pool: Pool<Faulty<T>> = builder(method).build().unwrap();
    let before: Vec<i32> = pool.pids().collect();
    // Long ones, so that each worker is given one.
    let both = pool.map_async(|x: u64| [x, u64::from(std::process::id())], [0, 1]);
    let mut answered = 0;
    until(|| {
        let is_missed = pool.pids().len() == 1 && !both.is_ready();
        let answer = pool.apply(square, 7).unwrap();
        // Asked for and answered while nobody knows what becomes of the other.
        let statistics = pool.statistics();
        answered += u64::from(is_missed && answer == 49 && statistics.workers_healed == 0);
        statistics.workers_healed == 1
    });
    assert!(answered > 0);
    let told = both.get().unwrap_err();
    assert!(matches!(told, Error::Garbled { pid, .. } if before.contains(&pid)), "{told}");
    check_is_well(&pool);
    pool.shutdown().unwrap();
}
