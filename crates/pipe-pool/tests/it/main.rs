//! The pool passes the suite of every backend and that of every kind of pool,
//! with every start method; and its examples print what they promise.

mod examples;

use std::time::Duration;

use conformance::{Caller, pool};
use harness::{StartMethod, Strategy};

/// Longer than an example takes on a machine that is not on fire.
const WATCHDOG: Duration = Duration::from_secs(60);

conformance::pool_suite!(pipe_pool::Pipes);

fn strategy(start_method: StartMethod) -> Strategy {
    pool("pipe-pool", start_method)
}

#[test]
fn every_answer_is_right_with_fork() {
    conformance::gives_right_answers(pipe_pool::backend, &strategy(StartMethod::Fork));
}

#[test]
fn every_answer_is_right_with_forkserver() {
    conformance::gives_right_answers(pipe_pool::backend, &strategy(StartMethod::ForkServer));
}

#[test]
fn every_answer_is_right_with_spawn() {
    conformance::gives_right_answers(pipe_pool::backend, &strategy(StartMethod::Spawn));
}

#[test]
fn pinned_workers_stay_in_their_seats_with_every_start_method() {
    for method in StartMethod::ALL {
        let strategy = strategy(method);
        conformance::keeps_workers_in_their_seats(pipe_pool::backend, &strategy, Caller::Waits);
    }
}

#[test]
fn it_survives_dead_workers_with_every_start_method() {
    for method in StartMethod::ALL {
        conformance::survives_dead_workers(pipe_pool::backend, &strategy(method));
    }
}

#[test]
fn nothing_outlives_a_killed_parent_with_any_start_method() {
    for method in StartMethod::ALL {
        conformance::dies_with_its_parent(pipe_pool::backend, &strategy(method));
    }
}
