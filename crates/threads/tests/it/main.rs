//! Both thread strategies pass the suite of every backend.

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
