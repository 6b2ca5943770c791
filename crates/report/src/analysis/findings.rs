//! What several blocks of an experiment tell together.

use harness::{
    Configuration, Strategy, Workload,
    record::{BlockRecord, ExperimentKind},
};
use stats::{
    AdvantagePoint, EfficiencyPoint, ScalingPoint, StatsError, amdahl, break_even,
    median_with_interval, metg, usl,
};

use super::{predictions, samples::BlockSamples};
use crate::model::{
    Block, Cell, Experiment, Fit, GranularityFinding, PayloadFinding, ProcessAdvantage,
    ScalingFinding, SerialFraction, TableFinding,
};

/// Efficiency at which a granularity still counts as effective.
pub(super) const METG_EFFICIENCY: f64 = 0.5;

/// Adds to `experiment` the findings that its kind allows. `samples` are the
/// records of its blocks, in the same order.
pub(crate) fn add(experiment: &mut Experiment, samples: &[&BlockSamples<'_>], seed: u64) {
    let blocks = &experiment.blocks;
    match experiment.kind {
        ExperimentKind::SpeedUp => experiment.scaling = scaling(experiment, samples, seed),
        ExperimentKind::Granularity => {
            experiment.granularity = granularity(blocks);
            experiment.processes_against_threads = processes_against_threads(blocks, samples, seed);
        }
        ExperimentKind::Payload => experiment.payload = payload(blocks),
        ExperimentKind::Table => experiment.table = table(blocks),
        ExperimentKind::StartMethods => {}
    }
}

/// Whether `strategy` runs its tasks on threads of one process. Runners that
/// a config adds are neither threads nor processes to us: we cannot know.
fn is_thread_strategy(strategy: &Strategy) -> bool {
    strategy.backend.starts_with("threads") || strategy.backend.starts_with("rayon")
}

/// Whether `strategy` is a process pool: only those have a start method.
pub(crate) fn is_process_strategy(strategy: &Strategy) -> bool {
    strategy.start_method.is_some()
}

/// Workload and configuration of every series of cells over the blocks,
/// without the baseline, in order of appearance.
fn series(blocks: &[Block]) -> Vec<(Workload, &Configuration)> {
    let mut series = Vec::new();
    for block in blocks {
        for cell in &block.cells {
            let key = (block.job.workload, &cell.configuration);
            if !cell.configuration.strategy.is_serial() && !series.contains(&key) {
                series.push(key);
            }
        }
    }
    series
}

/// The cells of one series with their blocks.
fn cells_of<'a>(
    blocks: &'a [Block],
    (workload, configuration): (Workload, &'a Configuration),
) -> impl Iterator<Item = (&'a Block, &'a Cell)> {
    blocks
        .iter()
        .filter(move |block| block.job.workload == workload)
        .flat_map(|block| block.cells.iter().map(move |cell| (block, cell)))
        .filter(move |(_, cell)| cell.configuration == *configuration)
}

fn granularity(blocks: &[Block]) -> Vec<GranularityFinding> {
    let finding = |key: (Workload, &Configuration)| {
        let efficiencies: Vec<EfficiencyPoint> = cells_of(blocks, key)
            .filter_map(|(block, cell)| {
                let figures = cell.figures()?;
                let granularity_ns = figures.granularity_ns.filter(|&ns| ns > 0.0)?;
                let task_size = block.job.task_size as f64;
                let efficiency = figures.efficiency?;
                Some(EfficiencyPoint { task_size, granularity_ns, efficiency })
            })
            .collect();
        let failures = cells_of(blocks, key).filter_map(|(block, cell)| {
            Some(format!("{} elements: {}", block.job.task_size, cell.why_not()?))
        });
        GranularityFinding {
            workload: key.0,
            configuration: key.1.clone(),
            oversubscribed: cells_of(blocks, key).any(|(_, cell)| cell.oversubscribed),
            metg: metg(&efficiencies, METG_EFFICIENCY),
            against_serial: break_even(&advantages(blocks, key, Block::serial_task_ns)),
            failures: failures.collect(),
        }
    };
    series(blocks).into_iter().map(finding).collect()
}

/// Speed-ups of one series over whatever `size` measures.
fn advantages(
    blocks: &[Block],
    key: (Workload, &Configuration),
    size: impl Fn(&Block) -> Option<f64>,
) -> Vec<AdvantagePoint> {
    cells_of(blocks, key)
        .filter_map(|(block, cell)| {
            let size = size(block).filter(|&size| size > 0.0)?;
            Some(AdvantagePoint { size, advantage: cell.figures()?.speed_up? })
        })
        .collect()
}

fn processes_against_threads(
    blocks: &[Block],
    samples: &[&BlockSamples<'_>],
    seed: u64,
) -> Vec<ProcessAdvantage> {
    let has_threads = blocks.iter().any(|block| {
        block.cells.iter().any(|cell| is_thread_strategy(&cell.configuration.strategy))
    });
    let mut findings = Vec::new();
    for key in series(blocks) {
        if !has_threads || !is_process_strategy(&key.1.strategy) {
            continue;
        }
        let points: Vec<AdvantagePoint> = blocks
            .iter()
            .zip(samples)
            .filter(|(block, _)| block.job.workload == key.0)
            .filter_map(|(block, samples)| advantage_over_threads(block, samples, key.1, seed))
            .collect();
        findings.push(ProcessAdvantage {
            workload: key.0,
            configuration: key.1.clone(),
            against_threads: break_even(&points),
        });
    }
    findings
}

/// How many times as fast as the block's best thread strategy `configuration` is.
fn advantage_over_threads(
    block: &Block,
    samples: &BlockSamples<'_>,
    configuration: &Configuration,
    seed: u64,
) -> Option<AdvantagePoint> {
    let place = block.cells.iter().position(|cell| cell.configuration == *configuration)?;
    block.cells[place].figures()?;
    let best_threads = block
        .cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| is_thread_strategy(&cell.configuration.strategy))
        .filter_map(|(place, cell)| Some((place, cell.figures()?.time_ns.median)))
        .min_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(AdvantagePoint {
        size: block.serial_task_ns().filter(|&ns| ns > 0.0)?,
        advantage: median_with_interval(&samples.ratios(best_threads.0, place), seed)?,
    })
}

fn payload(blocks: &[Block]) -> Vec<PayloadFinding> {
    let finding = |key: (Workload, &Configuration)| {
        let best = cells_of(blocks, key)
            .filter_map(|(block, cell)| {
                Some((cell.figures()?.payload_bytes_per_s, block.payload_bytes))
            })
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let bytes = |block: &Block| Some(block.payload_bytes as f64);
        PayloadFinding {
            workload: key.0,
            configuration: key.1.clone(),
            against_serial: break_even(&advantages(blocks, key, bytes)),
            best_bytes_per_s: best.map(|(rate, _)| rate),
            best_at_bytes: best.map(|(_, bytes)| bytes),
        }
    };
    series(blocks).into_iter().map(finding).collect()
}

/// A law holds for the job that it was fitted to: the largest of each workload.
fn scaling(
    experiment: &Experiment,
    samples: &[&BlockSamples<'_>],
    seed: u64,
) -> Vec<ScalingFinding> {
    let largest =
        |block: &BlockRecord| experiment.largest_job(block.job.workload) == Some(block.job);
    let samples: Vec<&BlockSamples<'_>> =
        samples.iter().copied().filter(|block| largest(block.record)).collect();
    let mut keys: Vec<(Workload, &Strategy)> = Vec::new();
    for block in &samples {
        for configuration in &block.record.configurations {
            let key = (block.record.job.workload, &configuration.strategy);
            if !key.1.is_serial() && !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    keys.into_iter().map(|key| scaling_of(&samples, key, seed)).collect()
}

fn scaling_of(
    samples: &[&BlockSamples<'_>],
    (workload, strategy): (Workload, &Strategy),
    seed: u64,
) -> ScalingFinding {
    let points: Vec<ScalingPoint> = samples
        .iter()
        .filter(|block| block.record.job.workload == workload)
        .flat_map(|block| scaling_points(block, strategy))
        .collect();
    let serial_fractions = points.iter().filter_map(|point| {
        let speed_up = median_with_interval(&point.speed_ups, seed)?;
        stats::karp_flatt(speed_up.value, point.workers).ok()?;
        let fraction =
            |speed_up| stats::karp_flatt(speed_up, point.workers).unwrap_or(f64::INFINITY);
        let serial_fraction = speed_up.map_monotonic(fraction);
        Some(SerialFraction { workers: point.workers.get(), serial_fraction })
    });
    let (amdahl, usl) = (fit(amdahl::fit(&points, seed)), fit(usl::fit(&points, seed)));
    let cores = samples.first().map_or(1, |block| block.record.available_cores);
    ScalingFinding {
        workload,
        strategy: strategy.clone(),
        serial_fractions: serial_fractions.collect(),
        predicted: predictions::by_laws(&amdahl, &usl, cores),
        amdahl,
        usl,
    }
}

/// Speed-ups of `strategy` at each number of workers that is not oversubscribed.
fn scaling_points(block: &BlockSamples<'_>, strategy: &Strategy) -> Vec<ScalingPoint> {
    let Some(serial) = block.serial() else { return Vec::new() };
    let cores = block.record.available_cores;
    let places = block.record.configurations.iter().enumerate();
    places
        .filter(|(_, c)| c.strategy == *strategy && c.workers.get() <= cores)
        .filter(|&(place, _)| block.failure(place).is_none())
        .map(|(place, c)| ScalingPoint {
            workers: c.workers,
            speed_ups: block.ratios(serial, place),
        })
        .collect()
}

/// A model, or its refusal in words.
pub(super) fn fit<T>(result: Result<T, StatsError>) -> Fit<T> {
    match result {
        Ok(fitted) => Fit::Fitted(fitted),
        Err(refusal) => Fit::Refused(refusal.to_string()),
    }
}

fn table(blocks: &[Block]) -> Vec<TableFinding> {
    let rows = blocks.iter().flat_map(|block| {
        let tasks = block.job.tasks;
        let serial_ns =
            block.serial().and_then(Cell::figures).map(|figures| figures.time_ns.median);
        let single_s = serial_ns.filter(|_| tasks > 0).map(|ns| ns / tasks as f64 / 1e9);
        block.cells.iter().map(move |cell| {
            let figures = cell.figures();
            let pool_s = figures.map(|figures| figures.time_ns.median / 1e9);
            TableFinding {
                configuration: cell.configuration.clone(),
                tasks,
                single_s,
                pool_s,
                ratio: figures.and_then(|figures| figures.speed_up),
                single_over_pool: single_s.zip(pool_s).map(|(single, pool)| single / pool),
                why_not: cell.why_not(),
            }
        })
    });
    rows.collect()
}
