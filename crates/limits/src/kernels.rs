//! The kernels that all strategies run, against hand-written ones.

use std::{cell::RefCell, hint::black_box, time::Duration};

use crate::{
    contest::{Contestant, count_for, each, fastest},
    peers::intrinsics::{self, Map, Sum, Variant},
    stage::Stage,
    trouble::{Result, Trouble},
};

/// What a sample takes.
const SAMPLE: Duration = Duration::from_millis(5);

/// Elements that lie in a first-level cache, a second-level one, and neither.
const LENS: [(&str, usize); 3] = [("16 KiB", 2 << 10), ("256 KiB", 32 << 10), ("32 MiB", 4 << 20)];

/// Elements of a sum, which lie nowhere.
const SUM_LEN: u64 = 1_000_000;

pub(crate) fn sum_of_squares(stage: &mut Stage<'_>) -> Result<()> {
    let expected = workloads::answers::sum_of_squares(SUM_LEN);
    let contestant = |name: &str, sum: Sum| -> Result<Contestant<'_>> {
        let times = move |count: usize| {
            each(count * SUM_LEN as usize, || {
                (0..count).try_for_each(|_| match sum(black_box(SUM_LEN)) {
                    right if right == expected => Ok(()),
                    wrong => Err(Trouble::WrongAnswer(format!("a kernel said {wrong}"))),
                })
            })
        };
        let count = count_for(SAMPLE, |count| Ok(times(count)? * SUM_LEN as f64))?;
        Ok(Contestant::new(name, move || times(count)))
    };
    let peers = intrinsics::sums().into_iter();
    let peers = peers.map(|Variant { name, run }| contestant(name, run));
    let ours = contestant(OURS, Box::new(workloads::sum_of_squares))?;
    let time = stage.part(1);
    against_best(stage, "range", time, ours, peers.collect::<Result<_>>()?)
}

pub(crate) fn square(stage: &mut Stage<'_>) -> Result<()> {
    maps(stage, workloads::square, intrinsics::squares)
}

pub(crate) fn cube(stage: &mut Stage<'_>) -> Result<()> {
    maps(stage, workloads::cube, intrinsics::cubes)
}

const OURS: &str = "workloads";

fn maps(
    stage: &mut Stage<'_>,
    ours: fn(&mut [u64]),
    peers: impl Fn() -> Vec<Variant<Map>>,
) -> Result<()> {
    for (series, len) in LENS {
        // All of them work on the same memory: where a buffer lies decides more
        // than who works on it.
        let elements = RefCell::new(vec![3; len]);
        let contestant = |name: &str, run: Map| -> Result<Contestant<'_>> {
            let count = count_for(SAMPLE, |count| Ok(times(&elements, &run, count)? * len as f64))?;
            let elements = &elements;
            Ok(Contestant::new(name, move || times(elements, &run, count)))
        };
        let time = stage.part(LENS.len());
        let peers = peers().into_iter().map(|Variant { name, run }| contestant(name, run));
        let peers = peers.collect::<Result<_>>()?;
        against_best(stage, series, time, contestant(OURS, Box::new(ours))?, peers)?;
    }
    Ok(())
}

/// Nanoseconds an element, of so many runs over all of them.
fn times(elements: &RefCell<Vec<u64>>, run: &Map, count: usize) -> Result<f64> {
    let mut elements = elements.borrow_mut();
    each(count * elements.len(), || {
        (0..count).for_each(|_| run(black_box(&mut elements)));
        Ok(())
    })
}

/// Rounds against the fastest of `peers`.
fn against_best(
    stage: &mut Stage<'_>,
    series: &str,
    time: Duration,
    ours: Contestant<'_>,
    mut peers: Vec<Contestant<'_>>,
) -> Result<()> {
    if peers.is_empty() {
        return Err(Trouble::lacking("no hand-written kernels for this processor"));
    }
    let best = fastest(&mut peers)?;
    let best = peers.swap_remove(best);
    stage.note(format!("{series}: the fastest intrinsics here: {}", best.name))?;
    stage.alternate(series, time, &mut [ours, best], |t| t[1] / t[0])
}
