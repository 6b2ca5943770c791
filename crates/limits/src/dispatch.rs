//! What it costs to hand tasks out, one by one.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use multiproc::{
    SharedMemoryRings,
    pool::{Bulk, Pool},
};
use rayon::prelude::*;

use crate::{
    Sample,
    bisect::{Probe, crossing},
    contest::{Contestant, each, fastest, nanoseconds},
    machine::WORKERS,
    peers::{
        channels::ChannelPool,
        join_tree,
        python::{Ask, Python},
        rayon::{Rayon, Setup},
    },
    pools,
    stage::Stage,
    task::{chain, pack, packed_chain, square},
    trouble::Result,
};

/// Trivial tasks of a sample: so many that waking the workers is little.
const TRIVIAL_TASKS: usize = 1 << 20;

/// CPython's: some 20 µs each.
const PYTHON_TASKS: usize = 4_000;

pub(crate) fn shm_against_rayon(stage: &mut Stage<'_>) -> Result<()> {
    let pool = pools::shm(WORKERS)?;
    let mut contestants = vec![trivial_in_place(&pool)?];
    contestants.extend(rayons(stage, trivial_on_rayon)?);
    let time = stage.part(1);
    stage.alternate("trivial", time, &mut contestants, |t| t[1] / t[0])
}

pub(crate) fn shm_against_chili(stage: &mut Stage<'_>) -> Result<()> {
    let pool = pools::shm(WORKERS)?;
    let mut elements = vec![3; TRIVIAL_TASKS];
    let threads = join_tree::pool();
    let tree = Contestant::new("chili", move || {
        each(TRIVIAL_TASKS, || {
            join_tree::for_each(&mut threads.scope(), &mut elements, square);
            Ok(())
        })
    });
    let time = stage.part(1);
    stage.alternate("trivial", time, &mut [trivial_in_place(&pool)?, tree], |t| t[1] / t[0])
}

pub(crate) fn shm_against_python(stage: &mut Stage<'_>) -> Result<()> {
    let mut python = Python::start(stage.terms())?;
    let pool = pools::shm(WORKERS)?;
    let python = Contestant::new("CPython Pool.map(chunksize=1)", move || {
        Ok(python.ask(Ask::Map { tasks: PYTHON_TASKS })? * 1e9 / PYTHON_TASKS as f64)
    });
    let time = stage.part(1);
    stage.alternate("trivial", time, &mut [trivial_in_place(&pool)?, python], |t| t[1] / t[0])
}

pub(crate) fn pipe_against_rayon(stage: &mut Stage<'_>) -> Result<()> {
    const TASKS: usize = 200_000;
    let pool = pools::pipe(WORKERS)?;
    let ours = Contestant::new("pipe-pool", move || {
        each(TASKS, || {
            let results = pool.map(square, 0..TASKS as u64)?;
            assert_eq!(results.last(), Some(&square(TASKS as u64 - 1)));
            Ok(())
        })
    });
    let mut contestants = vec![ours];
    contestants.extend(rayons(stage, trivial_on_rayon)?);
    let time = stage.part(1);
    stage.alternate("trivial", time, &mut contestants, |t| t[0] / t[1])
}

/// shm-pool's array, squared in place, a chunk an element.
fn trivial_in_place(pool: &Pool<SharedMemoryRings>) -> Result<Contestant<'_>> {
    let mut array = pool.array_from(&vec![3u64; TRIVIAL_TASKS])?;
    Ok(Contestant::new("shm-pool", move || {
        each(TRIVIAL_TASKS, || {
            Ok(pool.for_each_chunk(&mut array, 1, 0u64, |_: u64, x: &mut [u64]| {
                x[0] = square(x[0]);
            })?)
        })
    }))
}

/// Rayon as its experts would have it, and as it comes, in this order; only one
/// if that is the same.
fn rayons<'a>(
    stage: &mut Stage<'_>,
    contestant: impl Fn(Setup) -> Result<Contestant<'a>>,
) -> Result<Vec<Contestant<'a>>> {
    let mut candidates = Setup::ALL.map(&contestant).into_iter().collect::<Result<Vec<_>>>()?;
    let best = fastest(&mut candidates)?;
    stage.note(format!("the fastest rayon here: {}", candidates[best].name))?;
    let expert = candidates.swap_remove(best);
    let default = Setup::DEFAULT.name();
    let others = candidates.into_iter().filter(|candidate| candidate.name == default);
    Ok(std::iter::once(expert).chain(others).collect())
}

fn trivial_on_rayon<'a>(setup: Setup) -> Result<Contestant<'a>> {
    let mut run = chains_on_rayon(setup, TRIVIAL_TASKS, |x, _| square(x))?;
    Ok(Contestant::new(setup.name(), move || run(0)))
}

/// Nanoseconds that one of many tasks takes, each of so many steps.
type Chains<'a> = Box<dyn FnMut(u64) -> Result<f64> + 'a>;

/// `tasks` of them on rayon, in place, each on its own.
fn chains_on_rayon<'a>(setup: Setup, tasks: usize, f: fn(u64, u64) -> u64) -> Result<Chains<'a>> {
    let rayon = Rayon::start(setup)?;
    let elements = Arc::new(Mutex::new(vec![3; tasks]));
    Ok(Box::new(move |steps| {
        let elements = Arc::clone(&elements);
        let took = rayon.ask(move |pool| {
            let mut elements = elements.lock().unwrap_or_else(PoisonError::into_inner);
            let begun = Instant::now();
            let all = elements.par_iter_mut().with_max_len(1);
            pool.install(|| all.for_each(|x| *x = f(*x, steps)));
            begun.elapsed()
        });
        Ok(nanoseconds(took) / tasks as f64)
    }))
}

/// Chains on shm-pool's array.
fn chains_in_place(pool: &Pool<SharedMemoryRings>, tasks: usize) -> Result<Chains<'_>> {
    let mut array = pool.array_from(&vec![3u64; tasks])?;
    Ok(Box::new(move |steps| {
        each(tasks, || {
            Ok(pool.for_each_chunk(&mut array, 1, steps, |steps: u64, x: &mut [u64]| {
                x[0] = chain(x[0], steps);
            })?)
        })
    }))
}

/// Chains through a pool's `map`.
fn chains_through_map<T: Bulk>(pool: &Pool<T>, tasks: usize) -> Chains<'_> {
    Box::new(move |steps| {
        each(tasks, || {
            let results = pool.map(packed_chain, (0..tasks as u64).map(|x| pack(x, steps)))?;
            assert_eq!(results.len(), tasks);
            Ok(())
        })
    })
}

/// Chains by nobody's help, in place.
fn serial_in_place<'a>(tasks: usize) -> Chains<'a> {
    let mut elements = vec![3; tasks];
    Box::new(move |steps| {
        each(tasks, || {
            elements.iter_mut().for_each(|x| *x = chain(*x, steps));
            Ok(())
        })
    })
}

/// Tasks of a METG sample.
const METG_TASKS: usize = 100_000;

/// Beyond some ten microseconds nobody's METG lies, with so many tasks.
const MOST_STEPS: u64 = 1 << 13;

pub(crate) fn shm_metg(stage: &mut Stage<'_>) -> Result<()> {
    let pool = pools::shm(WORKERS)?;
    let ours = ("shm-pool".to_owned(), chains_in_place(&pool, METG_TASKS)?);
    let mut setups = Vec::new();
    for setup in Setup::ALL {
        setups.push((setup.name(), chains_on_rayon(setup, METG_TASKS, chain)?));
    }
    let expert = best_metg(stage, setups)?;
    metg_ratio(stage, METG_TASKS, [ours, expert])
}

pub(crate) fn pipe_metg(stage: &mut Stage<'_>) -> Result<()> {
    const TASKS: usize = 50_000;
    let pool = pools::pipe(WORKERS)?;
    let ours = ("pipe-pool".to_owned(), chains_through_map(&pool, TASKS));
    let mut peers: Vec<(String, Chains<'_>)> = Vec::new();
    for (name, is_pinned) in [("crossbeam-channel", false), ("crossbeam-channel, pinned", true)] {
        let threads = ChannelPool::start(is_pinned, packed_chain)?;
        let mut results = vec![0; TASKS];
        let run = move |steps| {
            let arguments: Vec<u64> = (0..TASKS as u64).map(|x| pack(x, steps)).collect();
            each(TASKS, || {
                threads.map(&arguments, &mut results);
                Ok(())
            })
        };
        peers.push((name.to_owned(), Box::new(run)));
    }
    let expert = best_metg(stage, peers)?;
    metg_ratio(stage, TASKS, [ours, expert])
}

/// The one of `peers` that is fastest at tasks of some tens of nanoseconds.
fn best_metg<'a>(
    stage: &mut Stage<'_>,
    peers: Vec<(String, Chains<'a>)>,
) -> Result<(String, Chains<'a>)> {
    const STEPS: u64 = 16;
    let mut peers = peers;
    let candidates = peers.iter_mut().map(|(name, run)| Contestant::new(&**name, || run(STEPS)));
    let best = fastest(&mut candidates.collect::<Vec<_>>())?;
    let best = peers.swap_remove(best);
    stage.note(format!("the fastest peer here: {}", best.0))?;
    Ok(best)
}

/// Rounds of both METGs, found with the same serial loop beside them.
fn metg_ratio(
    stage: &mut Stage<'_>,
    tasks: usize,
    mut contestants: [(String, Chains<'_>); 2],
) -> Result<()> {
    let mut serial = serial_in_place(tasks);
    let mut from = [1; 2];
    let time = stage.part(1);
    stage.rounds(time, |stage, round| {
        let mut samples = Vec::new();
        for place in crate::contest::order(2, round) {
            let (name, run) = &mut contestants[place];
            let found = crossing(from[place], MOST_STEPS, 0.5, |steps| {
                efficiency(&mut serial, run, steps)
            })?;
            // The next search begins well below.
            from[place] = (found.size / 4).max(1);
            samples.push(Sample { contestant: name.clone(), value: found.cost });
        }
        if round % 2 == 1 {
            samples.reverse();
        }
        stage.report("METG", samples[0].value / samples[1].value, samples)
    })
}

/// Serial time over the time of two workers, both taken right now, twice in
/// opposite order.
fn efficiency(serial: &mut Chains<'_>, run: &mut Chains<'_>, steps: u64) -> Result<Probe> {
    let (first, parallel) = (serial(steps)?, run(steps)?);
    let (again, last) = (run(steps)?, serial(steps)?);
    // Whatever disturbed one of the two, the other is nearer to the truth.
    let (serial, parallel) = (first.min(last), parallel.min(again));
    Ok(Probe { benefit: serial / (WORKERS as f64 * parallel), cost: serial })
}

/// Serial work of an efficiency sample.
const EFFICIENCY_NS: f64 = 40e6;

pub(crate) fn shm_efficiency(stage: &mut Stage<'_>) -> Result<()> {
    const TASK_NS: f64 = 1_000.0;
    let tasks = (EFFICIENCY_NS / TASK_NS) as usize;
    let pool = pools::shm(WORKERS)?;
    of_both(stage, tasks, TASK_NS, ("shm-pool", chains_in_place(&pool, tasks)?))
}

pub(crate) fn pipe_efficiency(stage: &mut Stage<'_>) -> Result<()> {
    const TASK_NS: f64 = 10_000.0;
    let tasks = (EFFICIENCY_NS / TASK_NS) as usize;
    let pool = pools::pipe(WORKERS)?;
    of_both(stage, tasks, TASK_NS, ("pipe-pool", chains_through_map(&pool, tasks)))
}

/// Rounds of efficiency with tasks of `task_ns`.
fn of_both(
    stage: &mut Stage<'_>,
    tasks: usize,
    task_ns: f64,
    (name, mut run): (&str, Chains<'_>),
) -> Result<()> {
    let mut serial = serial_in_place(tasks);
    let steps = steps_for(&mut serial, task_ns)?;
    let mut contestants =
        [Contestant::new(name, || run(steps)), Contestant::new("serial", move || serial(steps))];
    let time = stage.part(1);
    stage.alternate("efficiency", time, &mut contestants, |t| t[1] / (WORKERS as f64 * t[0]))
}

/// Steps of a task that takes about `task_ns`.
fn steps_for(serial: &mut Chains<'_>, task_ns: f64) -> Result<u64> {
    const STEPS: u64 = 512;
    let took = serial(STEPS)?.min(serial(STEPS)?);
    Ok((STEPS as f64 * task_ns / took) as u64)
}

pub(crate) fn oversubscribed(stage: &mut Stage<'_>) -> Result<()> {
    const TASK_NS: f64 = 1_000.0;
    const TASKS: usize = 20_000;
    const MANY: usize = 8;
    let steps = steps_for(&mut serial_in_place(TASKS), TASK_NS)?;
    let time = stage.part(2);
    let (few, many) = (pools::shm(WORKERS)?, pools::shm(MANY)?);
    let (mut few, mut many) = (chains_in_place(&few, TASKS)?, chains_in_place(&many, TASKS)?);
    compare(stage, time, "shm-pool", [&mut || few(steps), &mut || many(steps)])?;
    let (few, many) = (pools::pipe(WORKERS)?, pools::pipe(MANY)?);
    let (mut few, mut many) = (chains_through_map(&few, TASKS), chains_through_map(&many, TASKS));
    compare(stage, time, "pipe-pool", [&mut || few(steps), &mut || many(steps)])
}

fn compare(
    stage: &mut Stage<'_>,
    time: std::time::Duration,
    series: &str,
    [few, many]: [&mut dyn FnMut() -> Result<f64>; 2],
) -> Result<()> {
    let mut contestants = [Contestant::new("2 workers", few), Contestant::new("8 workers", many)];
    stage.alternate(series, time, &mut contestants, |t| t[0] / t[1])
}
