//! Says what a task of some 100 ns costs in a pool of two, in nanoseconds, each
//! time that it reads a line which names one of the [`WAYS`]. Ends with its
//! input.
//!
//! Built twice, with what workers note of their tasks and without, it shows
//! what noting costs.

#![forbid(unsafe_code)]

use std::{
    error::Error,
    io::{self, BufRead, Write},
    time::Instant,
};

use multiproc::{
    SharedMemoryRings, StartMethod,
    pool::{Builder, Bulk, Pinning, Pool},
};
use pipe_pool::Pipes;

/// Tasks of a sample: some 10 ms.
const TASKS: usize = 200_000;

/// Of a task.
const STEPS: u64 = 125;

const WORKERS: usize = 2;

type Sample = Box<dyn FnMut() -> Result<f64, Box<dyn Error>>>;

type Prepare = fn() -> Result<Sample, Box<dyn Error>>;

/// What can be asked for.
const WAYS: [(&str, Prepare); 3] = [
    ("shm-pool, chunks", chunks),
    ("shm-pool, map", map::<SharedMemoryRings>),
    ("pipe-pool, map", map::<Pipes>),
];

fn main() -> Result<(), Box<dyn Error>> {
    multiproc::init(); // child processes start here and never return
    let mut samples = Vec::new();
    for (name, prepare) in WAYS {
        samples.push((name, prepare()?));
    }
    for line in io::stdin().lock().lines() {
        let line = line?;
        let asked = samples.iter_mut().find(|(name, _)| *name == line);
        let (_, sample) = asked.ok_or_else(|| format!("`{line}` is none of these: {}", names()))?;
        println!("{}", sample()?);
        io::stdout().flush()?;
    }
    Ok(())
}

fn names() -> String {
    WAYS.map(|(name, _)| format!("`{name}`")).join(", ")
}

fn pool<T: Bulk>(adapt: fn(Builder<T>) -> Builder<T>) -> multiproc::Result<Pool<T>> {
    let builder = Pool::builder().workers(WORKERS).start_method(StartMethod::Spawn);
    adapt(builder.pinning(Pinning::Spread)).build()
}

fn chunks() -> Result<Sample, Box<dyn Error>> {
    let pool = pool::<SharedMemoryRings>(|builder| builder.caller_helps(true))?;
    let mut numbers = pool.array_from(&vec![3u64; TASKS])?;
    Ok(Box::new(move || {
        let begun = Instant::now();
        pool.for_each_chunk(&mut numbers, 1, STEPS, |steps, number: &mut [u64]| {
            number[0] = chain(number[0], steps);
        })?;
        Ok(each(begun))
    }))
}

fn map<T: Bulk>() -> Result<Sample, Box<dyn Error>> {
    let pool = pool::<T>(|builder| builder)?;
    Ok(Box::new(move || {
        let begun = Instant::now();
        let results = pool.map(|number: u64| chain(number, STEPS), 0..TASKS as u64)?;
        let cost = each(begun);
        assert_eq!(results[TASKS / 2], chain(TASKS as u64 / 2, STEPS));
        Ok(cost)
    }))
}

fn each(begun: Instant) -> f64 {
    begun.elapsed().as_nanos() as f64 / TASKS as f64
}

/// Each step needs the result of the one before, and no algebra joins two.
fn chain(mut x: u64, steps: u64) -> u64 {
    for _ in 0..steps {
        x = (x ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    }
    x
}
