//! Messages between two processes.
//!
//! `small_round_trip` compares a small value, there and back, with eight bytes
//! through a pair of bare pipes; besides criterion's figures it prints the
//! ratio of the two from rounds that alternate between them, so that what
//! disturbs the machine disturbs both. The system calls are the same, so what is
//! left is encoding and decoding.
//!
//! CPython 3.11 on a two-core machine: 23 to 28 µs for the round trip of a small
//! integer over a `Pipe()`; 0.97 GB/s for 64 MiB by `send_bytes` and
//! `recv_bytes`.

use std::{
    io::{PipeReader, PipeWriter, Read, Write, pipe as bare_pipe},
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use multiproc::{Connection, Descriptor, Process, StartMethod, one_way_pipe, pipe};

/// Sends values back as they are, until the connection is closed.
fn echo(connection: Connection) {
    while let Ok(number) = connection.recv::<u64>() {
        connection.send(&number).unwrap();
    }
}

/// The same with bytes over two bare pipes.
fn echo_bare((input, output): (Descriptor, Descriptor)) {
    let (mut input, mut output) = (input.into_file(), output.into_file());
    let mut bytes = [0; 8];
    while input.read_exact(&mut bytes).is_ok() {
        output.write_all(&bytes).unwrap();
    }
}

fn started(process: Process) -> Process {
    let mut process = process.start_method(StartMethod::Spawn);
    process.start().unwrap();
    process
}

/// Ways to a process that echoes.
struct Echoes {
    connection: Connection,
    input: PipeReader,
    output: PipeWriter,
}

impl Echoes {
    fn start() -> (Self, [Process; 2]) {
        let (connection, theirs) = pipe().unwrap();
        let (their_input, output) = bare_pipe().unwrap();
        let (input, their_output) = bare_pipe().unwrap();
        let bare = (Descriptor::new(their_input), Descriptor::new(their_output));
        let processes = [Process::new(echo, theirs), Process::new(echo_bare, bare)].map(started);
        (Self { connection, input, output }, processes)
    }

    fn message(&self) {
        self.connection.send(&7u64).unwrap();
        assert_eq!(self.connection.recv::<u64>().unwrap(), 7);
    }

    fn bare(&mut self) {
        let mut bytes = 7u64.to_ne_bytes();
        self.output.write_all(&bytes).unwrap();
        self.input.read_exact(&mut bytes).unwrap();
        assert_eq!(u64::from_ne_bytes(bytes), 7);
    }
}

fn small_round_trip(criterion: &mut Criterion) {
    let (mut echoes, processes) = Echoes::start();
    let mut group = criterion.benchmark_group("small_round_trip");
    group.bench_function("connection", |bencher| bencher.iter(|| echoes.message()));
    group.bench_function("bare_pipes", |bencher| bencher.iter(|| echoes.bare()));
    group.finish();
    print_ratio(&mut echoes);
    drop(echoes);
    processes.into_iter().for_each(|mut process| process.join().unwrap());
}

/// The median of the ratios of neighbouring rounds, and their quartiles.
fn print_ratio(echoes: &mut Echoes) {
    const ROUNDS: usize = 2000;
    // So short that most rounds see nothing of what else runs here.
    const TRIPS: u32 = 20;
    let time = |trip: &mut dyn FnMut()| {
        let begin = Instant::now();
        (0..TRIPS).for_each(|_| trip());
        begin.elapsed()
    };
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|round| {
            // Who is first changes, since the first may be at a disadvantage.
            let early = (round % 2 == 0).then(|| time(&mut || echoes.message()));
            let bare = time(&mut || echoes.bare());
            let message = early.unwrap_or_else(|| time(&mut || echoes.message()));
            message.as_secs_f64() / bare.as_secs_f64()
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let [low, median, high] = [1, 2, 3].map(|quarter| ratios[ROUNDS * quarter / 4]);
    println!(
        "small_round_trip: a connection takes {median:.3} times as long as bare pipes \
         (quartiles {low:.3} and {high:.3}, {ROUNDS} rounds of {TRIPS} round trips each)\n"
    );
}

/// Receives bytes, and says after each batch that it has.
fn sink((connection, batch): (Connection, u64)) {
    loop {
        for _ in 0..batch {
            if connection.recv_bytes().is_err() {
                return;
            }
        }
        connection.send(&()).unwrap();
    }
}

fn throughput(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bytes");
    for (name, len, batch) in
        [("64KiB", 64 << 10, 64), ("1MiB", 1 << 20, 16), ("64MiB", 64 << 20, 1)]
    {
        let message = vec![1; len];
        let (ours, theirs) = pipe().unwrap();
        let mut process = started(Process::new(sink, (theirs, batch)));
        group.throughput(Throughput::Bytes(len as u64 * batch));
        group.sample_size(20).measurement_time(Duration::from_secs(3));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                (0..batch).for_each(|_| ours.send_bytes(&message).unwrap());
                ours.recv::<()>().unwrap();
            });
        });
        drop(ours);
        process.join().unwrap();
    }
    group.finish();
}

fn creation(criterion: &mut Criterion) {
    criterion.bench_function("one_way_pipe", |bencher| bencher.iter(|| one_way_pipe().unwrap()));
}

criterion_group!(benches, small_round_trip, throughput, creation);
criterion_main!(benches);
