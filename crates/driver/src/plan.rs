//! From a config and the machine to a list of blocks.

pub(crate) mod memory;

use std::{num::NonZeroUsize, time::Duration};

use harness::{
    Configuration, Job, Strategy, Workload,
    record::{BlockRecord, ExperimentKind},
};

use crate::{
    backends,
    config::{Config, Experiment, values::WorkerCount},
};

/// A block and its share of the time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlannedBlock {
    /// What is compared with what.
    pub(crate) record: BlockRecord,
    /// Of the time budget, relative to the other blocks' weights.
    pub(crate) weight: f64,
}

/// Every block of `config` on a machine with `cores` available cores, in the
/// order in which they are measured.
pub(crate) fn blocks(config: &Config, cores: NonZeroUsize) -> Vec<PlannedBlock> {
    config.experiments.iter().flat_map(|experiment| weighted(config, experiment, cores)).collect()
}

/// The blocks of one experiment, which share its share by what they cost.
fn weighted(config: &Config, experiment: &Experiment, cores: NonZeroUsize) -> Vec<PlannedBlock> {
    let configurations = configurations(config, experiment, cores);
    let blocks: Vec<BlockRecord> = jobs(experiment, &configurations)
        .into_iter()
        .map(|(size, job)| BlockRecord {
            block: format!("{}/{}/{size}", experiment.name, job.workload),
            experiment: experiment.name.clone(),
            kind: experiment.kind,
            job,
            configurations: configurations.clone(),
            available_cores: cores.get(),
            placement: experiment.placement(),
        })
        .collect();
    let cost = |block: &BlockRecord| cost(block, config.incarnations).as_secs_f64();
    let costs: Vec<f64> = blocks.iter().map(|block| cost(block).powf(DAMPING)).collect();
    let total: f64 = costs.iter().sum();
    let weight = |cost: f64| experiment.share * cost / total;
    blocks
        .into_iter()
        .zip(costs)
        .map(|(record, cost)| PlannedBlock { record, weight: weight(cost) })
        .collect()
}

/// Serial first, then every other strategy with every worker count.
fn configurations(
    config: &Config,
    experiment: &Experiment,
    cores: NonZeroUsize,
) -> Vec<Configuration> {
    let counts = WorkerCount::resolve(&experiment.workers, cores);
    let strategies = strategies(config, &experiment.backends, experiment);
    let others = strategies.into_iter().filter(|strategy| !strategy.is_serial());
    let mut all = vec![Configuration::serial()];
    all.extend(others.flat_map(|strategy| {
        counts.iter().map(move |&workers| Configuration { strategy: strategy.clone(), workers })
    }));
    all
}

fn strategies(config: &Config, names: &[String], experiment: &Experiment) -> Vec<Strategy> {
    let methods = &experiment.start_methods;
    let built_in = backends::ALL.iter().filter(|entry| names.iter().any(|name| name == entry.name));
    let external = config.runners.iter().filter(|runner| {
        names.contains(&runner.name)
            && runner.start_method.is_none_or(|method| methods.contains(&method))
    });
    built_in
        .flat_map(|entry| entry.strategies(methods))
        .chain(external.map(|runner| runner.strategy()))
        .collect()
}

/// The jobs of an experiment, one a block, with the size that names it.
fn jobs(experiment: &Experiment, configurations: &[Configuration]) -> Vec<(String, Job)> {
    let task_sizes = |workload: Workload| {
        let sizes = experiment.task_size.get(&workload).into_iter().flatten();
        sizes.map(move |size| {
            let job = Job { workload, tasks: experiment.tasks.get(), task_size: size.get() };
            (size.to_string(), job)
        })
    };
    let array_sizes = |workload: Workload| {
        let workers = configurations.iter().map(|one| one.workers.get()).max().unwrap_or(1);
        let most = experiment.tasks.get().saturating_mul(workers);
        experiment.sizes.iter().map(move |size| {
            let elements = usize::try_from(size.0).unwrap_or(usize::MAX) / size_of::<u64>();
            (size.to_string(), split(workload, elements, most))
        })
    };
    let of_workload = |&workload| -> Vec<(String, Job)> {
        match experiment.kind {
            ExperimentKind::Payload => array_sizes(workload).collect(),
            _ => task_sizes(workload).collect(),
        }
    };
    experiment.workloads.iter().flat_map(of_workload).collect()
}

/// A job of exactly `elements` in at most `most` equal tasks.
fn split(workload: Workload, elements: usize, most: usize) -> Job {
    let tasks = (1..=most).rev().find(|&tasks| elements.is_multiple_of(tasks)).unwrap_or(1);
    Job { workload, tasks, task_size: elements / tasks }
}

/// Starting a runner and its workers, warming up and ending, per incarnation;
/// generous, so that small blocks can afford all their incarnations.
const LAUNCH: Duration = Duration::from_millis(40);

/// Starting and ending a pool in a cold cycle.
const COLD_CYCLE: Duration = Duration::from_millis(10);

/// A block's time grows with this power of its cost: in proportion, the one or
/// two largest would take nearly everything and still have few rounds; with
/// equal shares they would have one.
const DAMPING: f64 = 0.75;

/// Rounds that a block should have time for, whatever a round costs.
const ROUNDS: u32 = 6;

/// Roughly what measuring a block takes. Only the ratios between blocks
/// matter, and only for how the time is shared out: 0.1 ns an element is what
/// the kernels need, 1 ns a byte is what writing, moving and checking a
/// payload needs over all strategies (both from measurements on one machine).
fn cost(block: &BlockRecord, incarnations: u32) -> Duration {
    let arithmetic = block.job.elements() as f64 * 0.1e-9;
    let moving = block.job.payload_bytes() as f64 * 1e-9;
    let run = Duration::from_secs_f64((arithmetic + moving).min(1e6));
    let cycle = if block.kind.is_cold() { COLD_CYCLE } else { Duration::from_millis(1) };
    let each = LAUNCH * incarnations + (run + cycle) * ROUNDS;
    each * u32::try_from(block.configurations.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(name: &str, cores: usize) -> Vec<PlannedBlock> {
        let cores = NonZeroUsize::new(cores).expect("not zero");
        blocks(&Config::shipped(name).expect(name), cores)
    }

    #[test]
    fn payload_jobs_have_exactly_the_bytes_that_were_asked_for() {
        for cores in [1, 2, 3, 6, 64] {
            for block in plan("payload", cores) {
                let size = block.record.block.rsplit('/').next().expect("a size").to_owned();
                let size: crate::config::values::ByteSize = size.parse().expect("a size");
                assert_eq!(block.record.job.payload_bytes() as u64, size.0);
            }
        }
    }

    #[test]
    fn the_default_plan_has_all_four_experiments_and_serial_in_every_block() {
        let plan = plan("default", 2);
        for kind in [
            ExperimentKind::SpeedUp,
            ExperimentKind::Granularity,
            ExperimentKind::StartMethods,
            ExperimentKind::Payload,
        ] {
            assert!(plan.iter().any(|block| block.record.kind == kind), "{kind:?}");
        }
        assert!(plan.iter().all(|block| block.record.configurations[0] == Configuration::serial()));
    }

    #[test]
    fn blocks_have_names_of_their_own() {
        let plan = plan("default", 2);
        let mut names: Vec<_> = plan.iter().map(|block| &block.record.block).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), plan.len());
    }
}
