//! Large arrays in shared memory, against threads in one process.

use std::{
    ops::DerefMut,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use rayon::prelude::*;

use crate::{
    contest::{Contestant, each, fastest, nanoseconds, order},
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

/// The memory that contestants work on, one after the other.
type Shared<E> = Arc<Mutex<E>>;

/// An array in any memory.
trait Numbers: DerefMut<Target = [u64]> + Send + 'static {}

impl<E: DerefMut<Target = [u64]> + Send + 'static> Numbers for E {}

pub(crate) fn square(stage: &mut Stage<'_>) -> Result<()> {
    against_threads(stage, workloads::square, |_: u8, chunk| workloads::square(chunk))
}

pub(crate) fn cube(stage: &mut Stage<'_>) -> Result<()> {
    against_threads(stage, workloads::cube, |_: u8, chunk| workloads::cube(chunk))
}

/// Rounds against the fastest of rayon's setups and scoped threads, on the same
/// array; then some on memory of their own, whose pages may lie better or worse.
fn against_threads<F>(stage: &mut Stage<'_>, kernel: fn(&mut [u64]), task: F) -> Result<()>
where
    F: Fn(u8, &mut [u64]) + Copy + Send + 'static,
{
    let pool = pools::shm(WORKERS)?;
    let array = Arc::new(Mutex::new(pool.array_from(&vec![3u64; LEN])?));
    let ours = || {
        Contestant::new("shm-pool", || {
            let mut array = lock(&array);
            milliseconds(|| Ok(pool.for_each_chunk(&mut array, CHUNK, 0u8, task)?))
        })
    };
    let best = fastest(&mut threads(&array, kernel)?)?;
    let theirs = threads(&array, kernel)?.swap_remove(best);
    stage.note(format!("the fastest threads here: {}", theirs.name))?;
    let time = stage.part(1);
    stage.alternate("10^7 numbers", time, &mut [ours(), theirs], |t| t[1] / t[0])?;
    let own = Arc::new(Mutex::new(vec![3u64; LEN]));
    let theirs = threads(&own, kernel)?.swap_remove(best);
    let ratio = some_rounds(&mut [ours(), theirs])?;
    stage.note(format!("against the same threads on memory of their own: {ratio:.3}×"))
}

/// The median of a few rounds of two: the time of the second over that of the
/// first.
fn some_rounds(contestants: &mut [Contestant<'_>; 2]) -> Result<f64> {
    const ROUNDS: usize = 21;
    let mut ratios = Vec::new();
    for round in 0..=ROUNDS {
        let mut times = [0.0; 2];
        for place in order(2, round) {
            times[place] = (contestants[place].run)()?;
        }
        if round > 0 {
            ratios.push(times[1] / times[0]);
        }
    }
    Ok(stats::median(&ratios).unwrap_or(f64::NAN))
}

/// All of them, on this memory.
fn threads<'a, E: Numbers>(
    elements: &Shared<E>,
    kernel: fn(&mut [u64]),
) -> Result<Vec<Contestant<'a>>> {
    let mut all = vec![
        on_scoped_threads(Arc::clone(elements), false, kernel)?,
        on_scoped_threads(Arc::clone(elements), true, kernel)?,
    ];
    for setup in Setup::ALL {
        all.push(on_rayon(Arc::clone(elements), setup, kernel)?);
    }
    Ok(all)
}

fn lock<E>(elements: &Shared<E>) -> MutexGuard<'_, E> {
    elements.lock().unwrap_or_else(PoisonError::into_inner)
}

fn milliseconds(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    Ok(each(1, work)? / 1e6)
}

fn on_rayon<'a, E: Numbers>(
    elements: Shared<E>,
    setup: Setup,
    kernel: fn(&mut [u64]),
) -> Result<Contestant<'a>> {
    let rayon = Rayon::start(setup)?;
    Ok(Contestant::new(setup.name(), move || {
        let elements = Arc::clone(&elements);
        let took = rayon.ask(move |pool| {
            let mut elements = lock(&elements);
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
fn on_scoped_threads<'a, E: Numbers>(
    elements: Shared<E>,
    is_pinned: bool,
    kernel: fn(&mut [u64]),
) -> Result<Contestant<'a>> {
    let cores = two_cores()?;
    let name = if is_pinned { "scoped threads, pinned" } else { "scoped threads" };
    Ok(Contestant::new(name, move || {
        // On a thread of its own, so that this one stays free to go anywhere.
        let mut elements = lock(&elements);
        let elements: &mut [u64] = &mut elements;
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
