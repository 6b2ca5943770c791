//! The three workloads and the dispatch of empty tasks on one thread.

use criterion::{Criterion, criterion_group, criterion_main};
use harness::Strategy;

fn workloads(criterion: &mut Criterion) {
    conformance::bench_workloads(criterion, serial::backend, &[Strategy::named(Strategy::SERIAL)]);
}

criterion_group!(benches, workloads);
criterion_main!(benches);
