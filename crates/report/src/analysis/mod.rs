//! From records to the model: every figure of the report is computed here.
//!
//! - `samples`: the records as one matrix of times a block.
//! - `cells`: what one configuration did in one block.
//! - `findings`: what several blocks tell together.
//! - `predictions`: what a simulation with the costs of all of them foretells.
//! - `verdicts`: the answers in plain words.

mod cells;
mod findings;
mod predictions;
pub(crate) mod samples;
mod standing;
mod verdicts;

use harness::record::{DriverCost, ExperimentKind, Record};
use stats::{Estimate, precision::Precision};

use crate::{
    model::{Block, Cell, DriverShare, Experiment, ReasonCount, Report, SCHEMA_VERSION},
    sweep::SweepData,
};

use samples::BlockSamples;

/// Computes every figure of the report. The same data give the same report,
/// bit for bit: bootstraps draw from the sweep's seed.
#[must_use]
pub fn analyse(data: &SweepData) -> Report {
    let seed = data.records.iter().find_map(|record| match record {
        Record::Sweep(sweep) => Some(sweep.seed),
        _ => None,
    });
    let seed = seed.unwrap_or_default();
    let blocks = samples::collect(&data.records);
    let groups = group(&blocks);
    let mut experiments: Vec<Experiment> =
        groups.iter().map(|blocks| experiment(blocks, &data.questions, seed)).collect();
    predictions::add(&mut experiments);
    let (headline, headline_detail) = verdicts::headline(&experiments, &groups, seed);
    Report {
        schema_version: SCHEMA_VERSION,
        headline,
        headline_detail,
        seed,
        complete: blocks.iter().filter(|block| block.stop.is_some()).count() >= data.planned_blocks,
        environment: data.environment.clone(),
        driver: driver_share(&data.records),
        config_toml: data.config_toml.clone(),
        experiments,
    }
}

/// `None` without rounds that tell.
fn driver_share(records: &[Record]) -> Option<DriverShare> {
    let costs: Vec<&DriverCost> = records
        .iter()
        .filter_map(|record| match record {
            Record::Round(round) => round.driver.as_ref(),
            _ => None,
        })
        .collect();
    let sum = |pick: fn(&DriverCost) -> u64| costs.iter().map(|cost| pick(cost)).sum::<u64>();
    let (elapsed, timed) = (sum(|cost| cost.elapsed_ns), sum(|cost| cost.timed_ns));
    (elapsed > 0 && timed > 0).then(|| DriverShare {
        of_a_core_while_timed: sum(|cost| cost.timed_cpu_ns) as f64 / timed as f64,
        between_requests: 1.0 - sum(|cost| cost.at_work_ns) as f64 / elapsed as f64,
    })
}

/// Blocks that belong to one experiment, in order of first appearance.
fn group<'a, 'b>(blocks: &'a [BlockSamples<'b>]) -> Vec<Vec<&'a BlockSamples<'b>>> {
    let mut groups: Vec<Vec<&BlockSamples>> = Vec::new();
    for block in blocks {
        let same = |group: &&mut Vec<&BlockSamples>| {
            let first = group[0].record;
            (&first.experiment, first.kind) == (&block.record.experiment, block.record.kind)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(block),
            None => groups.push(vec![block]),
        }
    }
    groups
}

/// `samples` holds at least one block.
fn experiment(
    samples: &[&BlockSamples<'_>],
    questions: &[(String, String)],
    seed: u64,
) -> Experiment {
    let blocks: Vec<Block> = samples.iter().map(|samples| block(samples, seed)).collect();
    let first = samples[0].record;
    let question = questions.iter().find(|(name, _)| *name == first.experiment);
    let mut experiment = Experiment {
        name: first.experiment.clone(),
        kind: first.kind,
        question: question.map(|(_, question)| question.clone()),
        verdicts: Vec::new(),
        granularity: Vec::new(),
        processes_against_threads: Vec::new(),
        predictions: Vec::new(),
        payload: Vec::new(),
        scaling: Vec::new(),
        table: Vec::new(),
        blocks,
    };
    findings::add(&mut experiment, samples, seed);
    experiment.verdicts = verdicts::of(&experiment, samples, seed);
    experiment
}

fn block(samples: &BlockSamples<'_>, seed: u64) -> Block {
    let job = samples.record.job;
    let cells = cells::all(samples, seed);
    Block {
        block: samples.record.block.clone(),
        job,
        payload_bytes: job.payload_bytes() as u64,
        available_cores: samples.record.available_cores,
        placement: samples.record.placement,
        rounds: samples.rounds.len(),
        contaminated_rounds: samples.rounds.iter().filter(|round| round.contaminated).count(),
        contamination: reasons(samples),
        stop: samples.stop,
        incarnations: lives(samples),
        precision_asked: samples.precision_asked,
        precision: precision(&cells, samples.record.kind),
        cells,
    }
}

/// Lives in which something has a time: failures are also told between two of them.
fn lives(samples: &BlockSamples<'_>) -> usize {
    let timed = samples.rounds.iter().filter(|round| round.has_time());
    let mut lives: Vec<u32> = timed.map(|round| round.incarnation).collect();
    lives.sort_unstable();
    lives.dedup();
    lives.len()
}

/// Of the figures that are compared: speed-ups, but not the baseline's own; times
/// if there is no baseline.
fn precision(cells: &[Cell], kind: ExperimentKind) -> Option<Precision> {
    let speed_up = |cell: &Cell| cell.figures()?.speed_up;
    let has_baseline = cells.iter().any(|cell| speed_up(cell).is_some());
    let time = |cell: &Cell| {
        let phases = cell.figures()?.phases;
        // Warm cells have a cold cycle too: that of each life.
        if kind.is_cold() { phases.cold_ns } else { phases.run_ns }
    };
    let judged: Vec<(usize, Option<Estimate>)> = cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| cell.figures().is_some())
        .filter(|(_, cell)| !(has_baseline && cell.configuration.strategy.is_serial()))
        .map(|(place, cell)| (place, if has_baseline { speed_up(cell) } else { time(cell) }))
        .collect();
    let estimates: Vec<Option<Estimate>> = judged.iter().map(|(_, estimate)| *estimate).collect();
    let precision = Precision::of(&estimates)?;
    Some(Precision { widest_at: judged[precision.widest_at].0, ..precision })
}

fn reasons(samples: &BlockSamples<'_>) -> Vec<ReasonCount> {
    let mut counts: Vec<ReasonCount> = Vec::new();
    for reason in &samples.contamination {
        match counts.iter_mut().find(|count| count.reason == *reason) {
            Some(count) => count.rounds += 1,
            None => counts.push(ReasonCount { reason: (*reason).to_owned(), rounds: 1 }),
        }
    }
    counts.sort_by(|a, b| b.rounds.cmp(&a.rounds).then_with(|| a.reason.cmp(&b.reason)));
    counts
}
