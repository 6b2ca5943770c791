//! Queues: put and get in one process, between processes, large items.
//!
//! CPython's `multiprocessing.Queue` for the same, measured on a two-core
//! virtual machine (3.11 / 3.13): one producer and one consumer process pass
//! small items at 4.0 / 5.0 µs each, `SimpleQueue` at 3.9 / 4.7 µs. The goal
//! is a twentieth of that: 200 ns.

use std::{hint::black_box, time::Instant};

use criterion::{Criterion, Throughput, criterion_group};
use multiproc::{Process, Queue, StartMethod};

type Endpoints = (Queue<u64>, Queue<u64>);

/// Puts as many items as it is told to, each time it is told to.
fn produce((orders, items): Endpoints) {
    for order in &orders {
        for item in 0..order.unwrap() {
            items.put(&item).unwrap();
        }
    }
}

/// Gets as many items as it is told to, and says when it has them.
fn consume((orders, items, done): (Queue<u64>, Queue<u64>, Queue<u64>)) {
    for order in orders.iter().map(Result::unwrap) {
        for _ in 0..order {
            black_box(items.get().unwrap());
        }
        done.put(&order).unwrap();
    }
}

fn started<A>(target: impl Fn(A) + Copy + Send + 'static, arguments: A) -> Process
where
    A: serde::Serialize + serde::de::DeserializeOwned + Send + 'static,
{
    let mut process = Process::new(target, arguments).start_method(StartMethod::ForkServer);
    process.start().unwrap();
    process
}

fn in_one_process(c: &mut Criterion) {
    let queue = Queue::<u64>::new().unwrap();
    c.bench_function("queue/put and get in one process", |b| {
        b.iter(|| {
            queue.put(&black_box(7)).unwrap();
            queue.get().unwrap()
        });
    });
}

fn between_processes(c: &mut Criterion) {
    let mut group = c.benchmark_group("queue");
    group.throughput(Throughput::Elements(1));
    for (name, bound) in [("unbounded", None), ("bounded to 1000", Some(1000))] {
        let items = bound.map_or_else(Queue::new, Queue::bounded).unwrap();
        let orders = Queue::new().unwrap();
        let mut producer = started(produce, (orders.clone(), items.clone()));
        group.bench_function(format!("one to one, {name}"), |b| {
            b.iter_custom(|count| {
                let start = Instant::now();
                orders.put(&count).unwrap();
                for _ in 0..count {
                    black_box(items.get().unwrap());
                }
                start.elapsed()
            });
        });
        orders.close();
        producer.join().unwrap();
    }
    group.finish();
}

fn two_to_two(c: &mut Criterion) {
    let (to_put, to_get) = (Queue::new().unwrap(), Queue::new().unwrap());
    let (items, done) = (Queue::<u64>::bounded(1000).unwrap(), Queue::new().unwrap());
    let processes: Vec<Process> = (0..4)
        .map(|index| match index % 2 {
            0 => started(produce, (to_put.clone(), items.clone())),
            _ => started(consume, (to_get.clone(), items.clone(), done.clone())),
        })
        .collect();
    c.bench_function("queue/two to two, two items", |b| {
        b.iter_custom(|count| {
            let start = Instant::now();
            for _ in 0..2 {
                to_get.put(&count).unwrap();
                to_put.put(&count).unwrap();
            }
            for _ in 0..2 {
                done.get().unwrap();
            }
            start.elapsed()
        });
    });
    to_put.close();
    to_get.close();
    processes.into_iter().for_each(|mut process| process.join().unwrap());
}

fn round_trip(c: &mut Criterion) {
    let (to, from) = (Queue::<u64>::new().unwrap(), Queue::<u64>::new().unwrap());
    let echo = |(from, to): Endpoints| {
        for item in &from {
            to.put(&item.unwrap()).unwrap();
        }
    };
    let mut process = started(echo, (to.clone(), from.clone()));
    c.bench_function("queue/round trip", |b| {
        b.iter(|| {
            to.put(&7).unwrap();
            from.get().unwrap()
        });
    });
    to.close();
    process.join().unwrap();
}

fn large_items(c: &mut Criterion) {
    let mut group = c.benchmark_group("queue");
    for len in [64 << 10, 1 << 20, 16 << 20] {
        let queue = Queue::<String>::new().unwrap();
        let item = "x".repeat(len);
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(format!("put and get {} KiB", len >> 10), |b| {
            b.iter(|| {
                queue.put(&item).unwrap();
                queue.get().unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, in_one_process, between_processes, two_to_two, round_trip, large_items);

fn main() {
    multiproc::init();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
