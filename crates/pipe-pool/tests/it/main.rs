//! The pool passes the suite of every backend, with every start method; so do
//! its results that are on their way, and its examples.

mod async_results;
mod deaths;
mod door;
mod examples;
mod methods;

use std::time::Duration;

use conformance::pool;
use harness::{StartMethod, Strategy};
use pipe_pool::Pool;

/// Longer than anything here takes on a machine that is not on fire.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Runs `test` with a pool of two workers, once with every start method, each
/// time in a process of its own that must leave nothing behind.
fn with_pools_of_two<F: Fn(Pool) + Copy + Send + 'static>(test: F) {
    for method in pipe_pool::StartMethod::ALL {
        eprintln!("with {method}:");
        conformance::isolated(WATCHDOG, vec![method as u8], move |payload| {
            let method = pipe_pool::StartMethod::ALL[payload[0] as usize];
            let pool = Pool::builder().workers(2).start_method(method).build();
            test(pool.unwrap_or_else(|error| panic!("{error}")));
        })
        .passes();
    }
}

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
fn dead_workers_are_reported_with_every_start_method() {
    for method in StartMethod::ALL {
        conformance::reports_dead_workers(pipe_pool::backend, &strategy(method));
    }
}

#[test]
fn nothing_outlives_a_killed_parent_with_any_start_method() {
    for method in StartMethod::ALL {
        conformance::dies_with_its_parent(pipe_pool::backend, &strategy(method));
    }
}
