//! The smallest job that two cores finish sooner than one.

use std::time::{Duration, Instant};

use crate::{
    Sample,
    bisect::{Crossing, Probe, crossing},
    contest::{Contestant, count_for, each, fastest, nanoseconds, order},
    machine::WORKERS,
    peers::rayon::{Rayon, Setup},
    pools,
    stage::Stage,
    task::chain,
    trouble::Result,
};

/// Two cores are worth it if they are faster by more than what noise makes of
/// two equal times.
const WORTH: f64 = 1.05;

/// Some 100 ns, in steps of both halves together.
const LEAST_STEPS: u64 = 64;

/// Some 20 ms.
const MOST_STEPS: u64 = 1 << 24;

/// Back to back, for so long, serial and parallel in turn.
const BLOCK: Duration = Duration::from_millis(1);

/// Nanoseconds of each of `count` jobs, one after the other, of so many steps.
type Jobs<'a> = Box<dyn FnMut(usize, u64) -> Result<f64> + 'a>;

pub(crate) fn smallest(stage: &mut Stage<'_>) -> Result<()> {
    let pool = pools::shm(WORKERS)?;
    let mut ours = on_pool(&pool)?;
    let time = stage.part(1);
    let mut is_first = true;
    stage.rounds(time, |stage, _| {
        let found = break_even(&mut ours)?;
        warn(stage, "shm-pool", found, &mut is_first)?;
        let sample = Sample { contestant: "shm-pool".to_owned(), value: found.cost };
        stage.report("back to back", found.cost / 1e3, vec![sample])
    })
}

pub(crate) fn against_rayon(stage: &mut Stage<'_>) -> Result<()> {
    let pool = pools::shm(WORKERS)?;
    let mut setups = Vec::new();
    for setup in Setup::ALL {
        setups.push((setup.name(), on_rayon(setup)?));
    }
    let expert = best(&mut setups)?;
    let (name, theirs) = setups.swap_remove(expert);
    stage.note(format!("the rayon with the smallest jobs here: {name}"))?;
    let mut contestants = [("shm-pool".to_owned(), on_pool(&pool)?), (name, theirs)];
    let mut is_first = [true; 2];
    let time = stage.part(1);
    stage.rounds(time, |stage, round| {
        let mut found = [0.0; 2];
        for place in order(2, round) {
            let (name, jobs) = &mut contestants[place];
            let crossing = break_even(jobs)?;
            warn(stage, name, crossing, &mut is_first[place])?;
            found[place] = crossing.cost;
        }
        let samples = contestants.iter().zip(found);
        let samples = samples.map(|((name, _), value)| Sample { contestant: name.clone(), value });
        stage.report("back to back", found[0] / found[1], samples.collect())
    })
}

/// Says once that somebody is never worth it.
fn warn(stage: &mut Stage<'_>, name: &str, found: Crossing, is_first: &mut bool) -> Result<()> {
    if !found.is_reached && std::mem::take(is_first) {
        stage.note(format!("{name} is not worth two cores up to the largest job tried"))?;
    }
    Ok(())
}

/// The setup that finishes jobs of some 100 µs soonest.
fn best(setups: &mut [(String, Jobs<'_>)]) -> Result<usize> {
    const STEPS: u64 = 1 << 16;
    const JOBS: usize = 20;
    let candidates =
        setups.iter_mut().map(|(name, jobs)| Contestant::new(&**name, || jobs(JOBS, STEPS)));
    fastest(&mut candidates.collect::<Vec<_>>())
}

fn break_even(parallel: &mut Jobs<'_>) -> Result<Crossing> {
    let mut serial = alone();
    crossing(LEAST_STEPS, MOST_STEPS, WORTH, |steps| advantage(&mut serial, parallel, steps))
}

/// Serial time over parallel time, the median of some blocks.
fn advantage(serial: &mut Jobs<'_>, parallel: &mut Jobs<'_>, steps: u64) -> Result<Probe> {
    const BLOCKS: usize = 5;
    let count = count_for(BLOCK, |count| serial(count, steps))?.max(2);
    let (mut ratios, mut costs) = (Vec::new(), Vec::new());
    for block in 0..BLOCKS {
        let (alone, together) = match block % 2 {
            0 => (serial(count, steps)?, parallel(count, steps)?),
            _ => {
                let together = parallel(count, steps)?;
                (serial(count, steps)?, together)
            }
        };
        ratios.push(alone / together);
        costs.push(alone);
    }
    let median = |values: &[f64]| stats::median(values).unwrap_or(f64::NAN);
    Ok(Probe { benefit: median(&ratios), cost: median(&costs) })
}

/// Steps of each of the two parts.
const fn half(steps: u64) -> u64 {
    steps / WORKERS as u64
}

fn alone<'a>() -> Jobs<'a> {
    let mut parts = [3; WORKERS];
    Box::new(move |count, steps| {
        each(count, || {
            for _ in 0..count {
                parts.iter_mut().for_each(|x| *x = chain(*x, half(steps)));
                std::hint::black_box(&mut parts);
            }
            Ok(())
        })
    })
}

fn on_pool<'a>(pool: &'a shm_pool::Pool) -> Result<Jobs<'a>> {
    /// Numbers between two parts: who works on one does not take the other's
    /// cache line away, as rayon's closures, each with its own, do not.
    const APART: usize = 16;
    let mut parts = pool.array_from(&[3u64; WORKERS * APART])?;
    Ok(Box::new(move |count, steps| {
        each(count, || {
            for _ in 0..count {
                pool.for_each_chunk(
                    &mut parts,
                    APART,
                    half(steps),
                    |steps: u64, x: &mut [u64]| {
                        x[0] = chain(x[0], steps);
                    },
                )?;
            }
            Ok(())
        })
    }))
}

fn on_rayon<'a>(setup: Setup) -> Result<Jobs<'a>> {
    let rayon = Rayon::start(setup)?;
    Ok(Box::new(move |count, steps| {
        let took = rayon.ask(move |pool| {
            let [mut left, mut right] = [3; WORKERS];
            let begun = Instant::now();
            for _ in 0..count {
                let parts =
                    || rayon::join(|| chain(left, half(steps)), || chain(right, half(steps)));
                (left, right) = pool.install(parts);
            }
            std::hint::black_box((left, right));
            begun.elapsed()
        });
        Ok(nanoseconds(took) / count as f64)
    }))
}
