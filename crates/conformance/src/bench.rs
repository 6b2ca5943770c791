//! One set of benchmarks for every backend.

use std::time::{Duration, Instant};

use criterion::{Bencher, BenchmarkId, Criterion, Throughput};
use harness::{Job, Placement, Running, Strategy, Workload};

use crate::{Constructor, answers::check, configuration};

/// A few milliseconds of work each, and 8 MiB of payload for the arrays: more
/// than a second-level cache holds.
const JOBS: [(&str, Job); 4] = [
    ("sum-of-squares", Job { workload: Workload::SumOfSquares, tasks: 256, task_size: 100_000 }),
    ("square", Job { workload: Workload::Square, tasks: 256, task_size: 4_096 }),
    ("cube", Job { workload: Workload::Cube, tasks: 256, task_size: 4_096 }),
    // Next to no work: what remains is the cost of handing out a task.
    ("dispatch", Job { workload: Workload::SumOfSquares, tasks: 10_000, task_size: 1 }),
];

/// Benchmarks the three workloads, and the dispatch of tasks without work, on
/// every one of `strategies` with as many workers as there are processors.
///
/// Input is written and answers are checked outside the measured time.
///
/// # Panics
///
/// If a strategy cannot be started or gives a wrong answer.
pub fn bench_workloads(
    criterion: &mut Criterion,
    backend: impl Constructor,
    strategies: &[Strategy],
) {
    for (name, job) in JOBS {
        let mut group = criterion.benchmark_group(name);
        group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
        group.throughput(Throughput::Elements(job.elements() as u64));
        for strategy in strategies {
            let workers = if strategy.is_serial() { 1 } else { multiproc::cpu_count().get() };
            let configuration = configuration(strategy, workers);
            let backend = backend(&configuration).unwrap_or_else(|error| panic!("{error}"));
            let mut running =
                backend.start(Placement::Free).unwrap_or_else(|error| panic!("{error}"));
            running.load(job).unwrap_or_else(|error| panic!("{error}"));
            let id = BenchmarkId::from_parameter(&configuration);
            group.bench_function(id, |bencher| measure(bencher, &mut *running, job));
            running.stop().unwrap_or_else(|error| panic!("{error}"));
        }
        group.finish();
    }
}

fn measure(bencher: &mut Bencher<'_>, running: &mut dyn Running, job: Job) {
    bencher.iter_custom(|runs| {
        let fill = |running: &mut dyn Running| {
            running.visit_buffer(&mut |first, part| job.workload.fill(part, first, runs));
        };
        let mut total = Duration::ZERO;
        for _ in 0..runs {
            fill(running);
            let start = Instant::now();
            running.run().unwrap_or_else(|error| panic!("{error}"));
            total += start.elapsed();
        }
        check(running, job, runs).unwrap_or_else(|why| panic!("{why}"));
        total
    });
}
