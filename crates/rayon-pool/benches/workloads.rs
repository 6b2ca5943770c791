//! The three workloads and the dispatch of empty tasks on rayon.

use criterion::{Criterion, criterion_group, criterion_main};
use harness::Strategy;

fn workloads(criterion: &mut Criterion) {
    conformance::bench_workloads(criterion, rayon_pool::backend, &[Strategy::named("rayon")]);
}

criterion_group!(benches, workloads);
criterion_main!(benches);
