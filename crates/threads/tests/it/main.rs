//! Both thread strategies pass the suite of every backend.

use conformance::Caller;
use harness::Strategy;
use threads::{THREADS, THREADS_SCOPED};

#[test]
fn every_answer_of_the_pool_is_right() {
    conformance::gives_right_answers(threads::backend, &Strategy::named(THREADS));
}

#[test]
fn every_answer_of_the_static_split_is_right() {
    conformance::gives_right_answers(threads::backend, &Strategy::named(THREADS_SCOPED));
}

#[test]
fn pinned_workers_of_either_stay_in_their_seats() {
    for name in [THREADS, THREADS_SCOPED] {
        let strategy = Strategy::named(name);
        conformance::keeps_workers_in_their_seats(threads::backend, &strategy, Caller::Waits);
    }
}
