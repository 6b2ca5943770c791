//! Managers: round trips of calls, objects that come and go, start and
//! shutdown.
//!
//! CPython 3.11's `multiprocessing.Manager` for the same, medians on a busy
//! two-core virtual machine, and ours in turns with it:
//!
//! | | CPython | ours |
//! |---|---|---|
//! | `value.get()`, `list.append(1)` | 42 µs | 12 µs if the scheduler puts both processes on one core, else 57 µs |
//! | `manager.Value('i', 0)` | 1.7 ms (it connects anew) | 52 to 60 µs |
//! | start and shutdown | 170 ms (spawn) | 2.2 ms (spawn), 1.1 ms (fork), 1.3 ms (forkserver) |

use std::hint::black_box;

use criterion::{Criterion, criterion_group};
use multiproc::{Context, Manager, StartMethod};

fn calls(c: &mut Criterion) {
    let manager = Manager::start().unwrap();
    let value = manager.value(7).unwrap();
    c.bench_function("manager/value.get", |b| b.iter(|| value.get().unwrap()));
    c.bench_function("manager/list.push", |b| {
        let list = manager.list().unwrap();
        b.iter(|| list.push(black_box(1)).unwrap());
    });
    c.bench_function("manager/list.to_vec of 1 MiB", |b| {
        let list = manager.list_from(vec![1u8; 1 << 20]).unwrap();
        b.iter(|| list.to_vec().unwrap());
    });
    manager.shutdown().unwrap();
}

fn objects(c: &mut Criterion) {
    let manager = Manager::start().unwrap();
    c.bench_function("manager/make and drop a value", |b| {
        b.iter(|| manager.value(black_box(0)).unwrap());
    });
    let proxy = manager.counter().unwrap();
    let (ours, theirs) = multiproc::pipe().unwrap();
    c.bench_function("manager/send and receive a proxy", |b| {
        b.iter(|| {
            ours.send(&proxy).unwrap();
            theirs.recv::<multiproc::CounterProxy>().unwrap()
        });
    });
    manager.shutdown().unwrap();
}

fn lives(c: &mut Criterion) {
    for method in StartMethod::ALL {
        c.bench_function(&format!("manager/start and shut down by {method}"), |b| {
            b.iter(|| Context::new(method).manager().unwrap().shutdown().unwrap());
        });
    }
}

criterion_group!(benches, calls, objects, lives);

fn main() {
    multiproc::init();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
