//! Starting a process that does nothing, and joining it.
//!
//! CPython's figures for the same, `p = context.Process(target=nothing);
//! p.start(); p.join()`, on a two-core virtual machine (CPython 3.13): spawn
//! 54 ms, forkserver 23 ms, fork 1.97 ms. The bench `against_python` measures
//! both in one run.
//!
//! `value` is what an argument and a result add.

use criterion::{Criterion, criterion_group, criterion_main};
use multiproc::{Context, StartMethod};

fn start_and_join(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("start_and_join");
    for method in StartMethod::ALL {
        let context = Context::new(method);
        group.bench_function(method.name(), |bencher| {
            bencher.iter(|| {
                let mut process = context.process(|()| (), ());
                process.start().expect("it can be started");
                process.join().expect("it ends");
            });
        });
        group.bench_function(format!("{method}/value"), |bencher| {
            bencher.iter(|| {
                let mut process = context.process(|x: u64| x.pow(3), 19);
                process.start().expect("it can be started");
                process.result().expect("it returns")
            });
        });
    }
}

criterion_group!(benches, start_and_join);
criterion_main!(benches);
