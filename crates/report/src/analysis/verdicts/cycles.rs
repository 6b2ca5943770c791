//! Verdicts on whole cycles: start, job and stop.

use harness::{Job, StartMethod};
use stats::Estimate;

use super::{against, spoken};
use crate::{
    analysis::{
        samples::BlockSamples,
        standing::{self, Baseline, Pools},
    },
    format,
    model::{Block, Cell, Experiment},
};

/// Who has the shortest whole cycle at each number of workers, whether any pool
/// is worth starting at all, and what each start method costs at best.
pub(crate) fn cold_cycles(
    experiment: &Experiment,
    samples: &[&BlockSamples<'_>],
    seed: u64,
) -> Vec<String> {
    let jobs: Vec<Job> = experiment.blocks.iter().map(|block| block.job).collect();
    let several_jobs = jobs.iter().any(|job| *job != jobs[0]);
    let of_block = |(block, samples): (&Block, &&BlockSamples<'_>)| {
        let of_count = |workers: usize| {
            let pools = standing::pools(block, samples, workers, seed)?;
            let plural = if workers == 1 { "" } else { "s" };
            let with = format!("{workers} worker{plural}");
            let opening = if several_jobs {
                let (name, size) = (spoken(block.job.workload), format::count(block.job.task_size));
                format!("For {name} with tasks of {size} elements and {with}")
            } else {
                format!("With {with}")
            };
            Some(format!("{opening}, {}.{}", outcome(block, &pools)?, at_best(&pools)))
        };
        worker_counts(block).into_iter().filter_map(of_count).collect::<Vec<String>>()
    };
    experiment.blocks.iter().zip(samples).flat_map(of_block).collect()
}

/// Numbers of workers that any pool of the block has, ascending.
fn worker_counts(block: &Block) -> Vec<usize> {
    let pools = block.cells.iter().filter(|cell| !cell.configuration.strategy.is_serial());
    let mut counts: Vec<usize> = pools.map(Cell::workers).collect();
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// Who has the shortest cycle; `None` without times.
fn outcome(block: &Block, pools: &Pools<'_>) -> Option<String> {
    let best = pools.contest.best;
    let (name, time) = (&best.configuration.strategy, cycle(best)?);
    let shown = format::time_estimate(&time);
    if time.interval().is_none() {
        return Some(format!(
            "too few rounds ({}) to tell; {name} takes {shown} so far",
            best.counts.used
        ));
    }
    let against = against(&pools.contest);
    let against = against.map_or(String::new(), |against| format!("; {against}"));
    let serial = block.serial().and_then(cycle).zip(pools.contest.baseline);
    let serial = serial.map(|(serial, stands)| (format::time_estimate(&serial), stands));
    Some(match serial {
        Some((serial, Baseline::Faster)) => format!(
            "serial (no pool at all) has the shortest whole cycle of start, job and stop: {serial}. \
             The quickest pool is {name}: {shown}{against}"
        ),
        Some((serial, Baseline::Level)) => format!(
            "no pool has a clearly shorter whole cycle of start, job and stop than serial: {serial}. \
             The quickest pool is {name}: {shown}{against}"
        ),
        _ => {
            format!("{name} has the shortest whole cycle of start, job and stop: {shown}{against}")
        }
    })
}

/// The quickest process pool of each start method.
fn at_best(pools: &Pools<'_>) -> String {
    let best_of = |method: StartMethod| {
        let has_it = |cell: &&&Cell| cell.configuration.strategy.start_method == Some(method);
        let cell = pools.ranked.iter().find(has_it)?;
        let (time, backend) = (cycle(cell)?.value, &cell.configuration.strategy.backend);
        Some(format!("{method} {} ({backend})", format::time(time)))
    };
    let methods: Vec<String> = StartMethod::ALL.into_iter().filter_map(best_of).collect();
    if methods.is_empty() {
        return String::new();
    }
    format!(" Process pools at best: {}.", methods.join(", "))
}

fn cycle(cell: &Cell) -> Option<Estimate> {
    cell.figures()?.phases.cold_ns
}
