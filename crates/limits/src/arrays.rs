//! Large arrays in shared memory, against threads on ordinary memory.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use rayon::prelude::*;

use crate::{
    contest::{Contestant, each, fastest, nanoseconds},
    machine::{WORKERS, pin, two_cores},
    peers::{
        rayon::{Rayon, Setup},
        scoped,
    },
    pools,
    stage::Stage,
    trouble::Result,
};

/// Numbers in the array.
const LEN: usize = 10_000_000;

/// Numbers that are a task for all of them: 512 KiB, in a second-level cache.
const CHUNK: usize = 1 << 16;

pub(crate) fn square(stage: &mut Stage<'_>) -> Result<()> {
    let pool = pools::shm(WORKERS)?;
    let mut array = pool.array_from(&vec![3u64; LEN])?;
    let ours = Contestant::new("shm-pool", || {
        milliseconds(|| {
            Ok(pool.for_each_chunk(&mut array, CHUNK, 0u8, |_: u8, chunk| {
                workloads::square(chunk);
            })?)
        })
    });
    against_threads(stage, ours, workloads::square)
}

pub(crate) fn cube(stage: &mut Stage<'_>) -> Result<()> {
    let pool = pools::shm(WORKERS)?;
    let mut array = pool.array_from(&vec![3u64; LEN])?;
    let ours = Contestant::new("shm-pool", || {
        milliseconds(|| {
            Ok(pool.for_each_chunk(&mut array, CHUNK, 0u8, |_: u8, chunk| {
                workloads::cube(chunk);
            })?)
        })
    });
    against_threads(stage, ours, workloads::cube)
}

/// Rounds against the fastest of rayon's setups and scoped threads.
fn against_threads(
    stage: &mut Stage<'_>,
    ours: Contestant<'_>,
    kernel: fn(&mut [u64]),
) -> Result<()> {
    let mut candidates = vec![on_scoped_threads(false, kernel)?, on_scoped_threads(true, kernel)?];
    for setup in Setup::ALL {
        candidates.push(on_rayon(setup, kernel)?);
    }
    let best = fastest(&mut candidates)?;
    let threads = candidates.swap_remove(best);
    // Their arrays would only be in the way.
    drop(candidates);
    stage.note(format!("the fastest threads here: {}", threads.name))?;
    let time = stage.part(1);
    stage.alternate("10^7 numbers", time, &mut [ours, threads], |t| t[1] / t[0])
}

fn milliseconds(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    Ok(each(1, work)? / 1e6)
}

fn on_rayon<'a>(setup: Setup, kernel: fn(&mut [u64])) -> Result<Contestant<'a>> {
    let rayon = Rayon::start(setup)?;
    let elements = Arc::new(Mutex::new(vec![3; LEN]));
    Ok(Contestant::new(setup.name(), move || {
        let elements = Arc::clone(&elements);
        let took = rayon.ask(move |pool| {
            let mut elements = elements.lock().unwrap_or_else(PoisonError::into_inner);
            let elements: &mut [u64] = &mut elements;
            let begun = Instant::now();
            pool.install(|| elements.par_chunks_mut(CHUNK).with_max_len(1).for_each(kernel));
            begun.elapsed()
        });
        Ok(nanoseconds(took) / 1e6)
    }))
}

/// Both threads are started within the clock; beside ten million numbers that
/// is little.
fn on_scoped_threads<'a>(is_pinned: bool, kernel: fn(&mut [u64])) -> Result<Contestant<'a>> {
    let cores = two_cores()?;
    let mut elements = vec![3; LEN];
    let name = if is_pinned { "scoped threads, pinned" } else { "scoped threads" };
    Ok(Contestant::new(name, move || {
        // On a thread of its own, so that this one stays free to go anywhere.
        let elements = &mut elements;
        std::thread::scope(|scope| {
            let asking = scope.spawn(move || {
                if is_pinned {
                    pin(cores[0]);
                }
                milliseconds(|| {
                    scoped::for_each_chunk(elements, CHUNK, is_pinned.then_some(cores), kernel);
                    Ok(())
                })
            });
            asking.join().expect("kernels do not panic")
        })
    }))
}
