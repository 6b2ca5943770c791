//! The three workloads and the dispatch of empty tasks on std threads.

use criterion::{Criterion, criterion_group, criterion_main};
use harness::Strategy;
use threads::{THREADS, THREADS_SCOPED};

fn workloads(criterion: &mut Criterion) {
    let strategies = [THREADS, THREADS_SCOPED].map(Strategy::named);
    conformance::bench_workloads(criterion, threads::backend, &strategies);
}

criterion_group!(benches, workloads);
criterion_main!(benches);
