//! Locks, semaphores, events, conditions and barriers, alone and between two
//! processes.
//!
//! CPython 3.11's `multiprocessing` for the same, start method `fork`, beside
//! what this bench said, both on a two-core virtual machine that was busy with
//! other things, which costs the round trips most:
//!
//! | | CPython | here |
//! |---|---|---|
//! | lock, acquire and release | 134 ns | 26 ns |
//! | recursive lock | 130 ns | 28 ns |
//! | semaphore | 130 ns | 101 ns |
//! | event: set, wait, clear | 19.0 µs | 25 ns |
//! | lock that another process wants too | 117 ns | 69 ns |
//! | event round trip | 16.2 µs | 5.9 µs |
//! | semaphore round trip | 3.5 µs | 7.5 µs |
//! | condition round trip | 63 µs | 7.3 µs |
//! | barrier | 20.6 µs | 6.0 µs |
//!
//! Round trips are two hand-overs: there and back.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use multiproc::{Barrier, Condition, Event, Lock, Process, RLock, Semaphore};
use serde::{Serialize, de::DeserializeOwned};

fn uncontended(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("uncontended");
    let lock = Lock::new().unwrap();
    group.bench_function("lock", |bencher| {
        bencher.iter(|| drop(black_box(&lock).acquire().unwrap()));
    });
    let rlock = RLock::new().unwrap();
    group.bench_function("rlock", |bencher| {
        bencher.iter(|| drop(black_box(&rlock).acquire().unwrap()));
    });
    let semaphore = Semaphore::new(1).unwrap();
    group.bench_function("semaphore", |bencher| {
        bencher.iter(|| drop(black_box(&semaphore).acquire().unwrap()));
    });
    let event = Event::new().unwrap();
    group.bench_function("event", |bencher| {
        bencher.iter(|| {
            black_box(&event).set();
            event.wait();
            event.clear();
        });
    });
}

/// Measures `here` while another process does `there` until it is killed.
fn between_two<H: Clone + Serialize + DeserializeOwned + Send + 'static>(
    criterion: &mut Criterion,
    name: &str,
    handles: H,
    there: impl Fn(H) + Copy + Send + 'static,
    mut here: impl FnMut(&H),
) {
    let mut other = Process::new(there, handles.clone());
    other.start().unwrap();
    criterion.benchmark_group("two processes").bench_function(name, |bencher| {
        bencher.iter(|| here(&handles));
    });
    other.kill();
    other.join().unwrap();
}

fn contended(criterion: &mut Criterion) {
    let hammers = |lock: Lock| {
        loop {
            drop(lock.acquire().unwrap());
        }
    };
    let lock = Lock::new().unwrap();
    between_two(criterion, "lock", lock, hammers, |lock| drop(lock.acquire()));
}

fn round_trips(criterion: &mut Criterion) {
    let events = [(); 2].map(|()| Event::new().unwrap());
    let echoes = |[ping, pong]: [Event; 2]| {
        loop {
            ping.wait();
            ping.clear();
            pong.set();
        }
    };
    between_two(criterion, "event round trip", events, echoes, |[ping, pong]| {
        ping.set();
        pong.wait();
        pong.clear();
    });

    let semaphores = [(); 2].map(|()| Semaphore::new(0).unwrap());
    let echoes = |[ping, pong]: [Semaphore; 2]| {
        loop {
            ping.acquire().unwrap().forget();
            pong.release().unwrap();
        }
    };
    between_two(criterion, "semaphore round trip", semaphores, echoes, |[ping, pong]| {
        ping.release().unwrap();
        pong.acquire().unwrap().forget();
    });

    let condition = (Condition::new().unwrap(), Event::new().unwrap());
    let echoes = |(condition, turn): (Condition, Event)| {
        loop {
            let guard = condition.acquire().unwrap();
            let guard = condition.wait_for(guard, || turn.is_set()).unwrap();
            turn.clear();
            condition.notify_one();
            drop(guard);
        }
    };
    between_two(criterion, "condition round trip", condition, echoes, |(condition, turn)| {
        let guard = condition.acquire().unwrap();
        turn.set();
        condition.notify_one();
        drop(condition.wait_for(guard, || !turn.is_set()).unwrap());
    });

    let barrier = Barrier::new(2).unwrap();
    let waits = |barrier: Barrier| while barrier.wait().is_ok() {};
    between_two(criterion, "barrier", barrier, waits, |barrier| {
        black_box(barrier.wait().unwrap());
    });
}

criterion_group!(benches, uncontended, contended, round_trips);
criterion_main!(benches);
