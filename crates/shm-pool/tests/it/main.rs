//! The pool passes the suite of every backend and that of every kind of pool,
//! with every start method.

use conformance::{Caller, pool};
use harness::{StartMethod, Strategy};

conformance::pool_suite!(shm_pool::SharedMemoryRings);

fn strategy(start_method: StartMethod) -> Strategy {
    pool("shm-pool", start_method)
}

#[test]
fn every_answer_is_right_with_fork() {
    conformance::gives_right_answers(shm_pool::backend, &strategy(StartMethod::Fork));
}

#[test]
fn every_answer_is_right_with_forkserver() {
    conformance::gives_right_answers(shm_pool::backend, &strategy(StartMethod::ForkServer));
}

#[test]
fn every_answer_is_right_with_spawn() {
    conformance::gives_right_answers(shm_pool::backend, &strategy(StartMethod::Spawn));
}

#[test]
fn pinned_workers_stay_in_their_seats_and_the_caller_is_one_with_every_start_method() {
    for method in StartMethod::ALL {
        let strategy = strategy(method);
        conformance::keeps_workers_in_their_seats(shm_pool::backend, &strategy, Caller::Works);
    }
}

#[test]
fn it_survives_dead_workers_with_every_start_method() {
    for method in StartMethod::ALL {
        conformance::survives_dead_workers(shm_pool::backend, &strategy(method));
    }
}

#[test]
fn nothing_outlives_a_killed_parent_with_any_start_method() {
    for method in StartMethod::ALL {
        conformance::dies_with_its_parent(shm_pool::backend, &strategy(method));
    }
}
