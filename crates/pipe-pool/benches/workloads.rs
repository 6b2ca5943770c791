//! The three workloads and the dispatch of empty tasks on the pool, with every start method.

use criterion::{Criterion, criterion_group, criterion_main};
use harness::StartMethod;

fn workloads(criterion: &mut Criterion) {
    let strategies = StartMethod::ALL.map(|method| conformance::pool("pipe-pool", method));
    conformance::bench_workloads(criterion, pipe_pool::backend, &strategies);
}

criterion_group!(benches, workloads);
criterion_main!(benches);
