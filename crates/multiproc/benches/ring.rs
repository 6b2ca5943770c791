//! The transport of shared-memory pools: a frame one way, a round trip, large
//! messages.
//!
//! A frame is 40 bytes here, as long as a small task. The machine's own limits,
//! measured with prototypes on a two-core virtual machine: a round trip of two
//! that spin 95 ns, of two that sleep 42 µs; a stream of 64-byte messages 8 ns
//! each.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group};
use multiproc::{
    Child, EntryPoint, Inheritance, RingPort, RingStream, SharedMemoryRings, StartMethod,
    pool::{Port, Transport, TransportStream},
};
use nix::poll::{PollFd, PollFlags, PollTimeout};

const FRAME: usize = 40;

/// Frames that a parent writes before it wakes its worker.
const BATCH: usize = 64;

struct Worker {
    rings: SharedMemoryRings,
    stream: RingStream,
    child: Child,
}

impl Worker {
    fn start(entry: EntryPoint) -> Self {
        let rings = SharedMemoryRings::new().unwrap();
        let (stream, descriptors) = rings.connect().unwrap();
        let inheritance = Inheritance { payload: Vec::new(), descriptors };
        let child = multiproc::start(StartMethod::ForkServer, "ring", entry, inheritance).unwrap();
        Self { rings, stream, child }
    }

    fn sleep(&mut self, to_write: bool) {
        if self.stream.prepare_sleep(to_write) {
            let doorbell = self.rings.doorbell().unwrap();
            nix::poll::poll(&mut [PollFd::new(doorbell, PollFlags::POLLIN)], PollTimeout::NONE)
                .unwrap();
            self.rings.hush();
        }
    }

    fn write_all(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.stream.write(bytes).unwrap() {
                Some(len) => bytes = &bytes[len..],
                None => self.sleep(true),
            }
        }
    }

    /// With `spinning`, looks for ever; otherwise it sleeps.
    fn read_exact(&mut self, bytes: &mut [u8], spinning: bool) {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.stream.read(&mut bytes[filled..]).unwrap() {
                Some(len) => filled += len,
                None if spinning => {
                    while !self.stream.has_news() {
                        std::hint::spin_loop();
                    }
                }
                None => self.sleep(false),
            }
        }
    }

    fn end(self) {
        let Self { rings, stream, mut child } = self;
        drop((rings, stream));
        child.wait(None).unwrap();
    }
}

fn port(inheritance: Inheritance, spin: Duration) -> RingPort {
    let mut port = SharedMemoryRings::open(inheritance.descriptors).unwrap();
    port.set_spin(spin);
    port
}

/// Writes back every message of `len` bytes.
fn echo(mut port: RingPort, len: usize) {
    let mut message = vec![0; len];
    while port.read_exact(&mut message).is_ok() {
        port.write_all(&message).unwrap();
        port.flush().unwrap();
    }
}

/// Reads all that comes, and says so after every message of zeros.
fn sink(mut port: RingPort) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let len = port.read(&mut buffer).unwrap();
        if len == 0 {
            return;
        }
        if buffer[len - 1] == 0 {
            port.write_all(&[0]).unwrap();
            port.flush().unwrap();
        }
    }
}

fn one_way(c: &mut Criterion) {
    let mut worker = Worker::start(EntryPoint::new(|inheritance| {
        sink(port(inheritance, Duration::from_micros(50)))
    }));
    let mut group = c.benchmark_group("ring");
    group.throughput(Throughput::Elements(1));
    for (name, wake_every) in [("one by one", 1), ("in batches of 64", BATCH as u64)] {
        group.bench_function(format!("a frame one way, {name}"), |b| {
            b.iter_custom(|count| {
                let start = Instant::now();
                for frame in 1..=count {
                    worker.write_all(&[u8::from(frame < count); FRAME]);
                    if frame % wake_every == 0 || frame == count {
                        worker.stream.wake();
                    }
                }
                worker.read_exact(&mut [0], true);
                start.elapsed()
            });
        });
    }
    group.finish();
    worker.end();
}

fn round_trip(c: &mut Criterion) {
    let spinning = EntryPoint::new(|inheritance| echo(port(inheritance, Duration::MAX), FRAME));
    let asleep = EntryPoint::new(|inheritance| echo(port(inheritance, Duration::ZERO), FRAME));
    for (name, entry, spins) in [("both spin", spinning, true), ("both sleep", asleep, false)] {
        let mut worker = Worker::start(entry);
        c.bench_function(&format!("ring/round trip of a frame, {name}"), |b| {
            b.iter(|| {
                worker.write_all(&[1; FRAME]);
                worker.stream.wake();
                worker.read_exact(&mut [0; FRAME], spins);
            });
        });
        worker.end();
    }
}

fn large(c: &mut Criterion) {
    const LEN: usize = 4 << 20;
    let mut group = c.benchmark_group("ring");
    group.throughput(Throughput::Bytes(2 * LEN as u64)).sample_size(20);
    group.measurement_time(Duration::from_secs(2));
    let entry = EntryPoint::new(|inheritance| echo(port(inheritance, Duration::ZERO), LEN));
    let mut worker = Worker::start(entry);
    let (sent, mut received) = (vec![1; LEN], vec![0; LEN]);
    group.bench_function("4 MiB there and back, both sleep", |b| {
        b.iter(|| {
            worker.write_all(&sent);
            worker.stream.wake();
            worker.read_exact(&mut received, false);
        });
    });
    worker.end();
    group.finish();
}

fn creation(c: &mut Criterion) {
    let rings = SharedMemoryRings::new().unwrap();
    c.bench_function("ring/connect", |b| b.iter(|| rings.connect().unwrap()));
}

criterion_group!(benches, one_way, round_trip, large, creation);

fn main() {
    multiproc::init();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
