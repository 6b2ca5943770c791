//! Rayon passes the suite of every backend.

use conformance::Caller;
use harness::Strategy;

#[test]
fn every_answer_is_right() {
    conformance::gives_right_answers(rayon_pool::backend, &Strategy::named("rayon"));
}

#[test]
fn pinned_workers_stay_in_their_seats() {
    let strategy = Strategy::named("rayon");
    conformance::keeps_workers_in_their_seats(rayon_pool::backend, &strategy, Caller::Waits);
}
