//! Rayon passes the suite of every backend.

#[test]
fn every_answer_is_right() {
    conformance::gives_right_answers(rayon_pool::backend, &harness::Strategy::named("rayon"));
}
