//! The baseline passes the suite of every backend.

use conformance::Caller;
use harness::{Configuration, FailureKind, Strategy};

#[test]
fn every_answer_is_right() {
    conformance::gives_right_answers(serial::backend, &Strategy::named(Strategy::SERIAL));
}

#[test]
fn its_worker_is_the_caller_and_stays_in_its_seat_if_pinned() {
    let strategy = Strategy::named(Strategy::SERIAL);
    conformance::keeps_workers_in_their_seats(serial::backend, &strategy, Caller::Works);
}

#[test]
fn two_workers_are_refused() {
    let two = Configuration { workers: 2.try_into().unwrap(), ..Configuration::serial() };
    let Err(error) = serial::backend(&two) else { panic!("the baseline is serial") };
    assert_eq!(error.kind, FailureKind::Unsupported);
}
