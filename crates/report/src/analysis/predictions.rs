//! What more cores would do, by simulation.

use std::{collections::BTreeSet, num::NonZeroUsize};

use harness::{Strategy, Workload, record::ExperimentKind};
use stats::{
    Estimate,
    amdahl::Amdahl,
    simulation::{self, Fitted, Job, Observation},
    usl::Usl,
};

use super::findings::{METG_EFFICIENCY, fit};
use crate::model::{
    Block, Cell, Experiment, Fit, Foretold, PredictedAt, PredictedSpeedUp, PredictionFinding,
};

/// Predicted for: what a task computes must not bring more bytes the longer it
/// takes, since a search for the smallest task would otherwise change both.
const WORKLOAD: Workload = Workload::SumOfSquares;

/// Worker counts that are predicted: powers of two up to this, and the cores.
const MOST_WORKERS: usize = 1024;

/// Work of a task for which efficiencies are predicted: so short that dispatch
/// shows, and still one that most programs would not call small.
const EFFICIENCY_TASK_NS: f64 = 10_000.0;

/// Adds predictions to every granularity experiment, from the costs that all
/// warm experiments together tell.
pub(super) fn add(experiments: &mut [Experiment]) {
    for index in 0..experiments.len() {
        if experiments[index].kind == ExperimentKind::Granularity {
            experiments[index].predictions = of(&experiments[index], experiments);
        }
    }
}

/// What the laws that could be fitted foretell, from one worker on.
pub(super) fn by_laws(amdahl: &Fit<Amdahl>, usl: &Fit<Usl>, cores: usize) -> Vec<PredictedSpeedUp> {
    if matches!((amdahl, usl), (Fit::Refused(_), Fit::Refused(_))) {
        return Vec::new();
    }
    // A fit may leave its law's range: a serial fraction below zero makes the
    // speed-up pass through infinity.
    let sense = |speed_up: f64| (speed_up.is_finite() && speed_up > 0.0).then_some(speed_up);
    let at = |workers: usize| {
        let p = workers as f64;
        PredictedSpeedUp {
            workers,
            beyond_cores: workers > cores,
            amdahl: match amdahl {
                Fit::Fitted(law) => sense(law.predict(p)).map(|value| {
                    let of = |fraction: f64| {
                        let law = Amdahl { serial_fraction: Estimate::without_interval(fraction) };
                        sense(law.predict(p))
                    };
                    let fraction = law.serial_fraction;
                    let (low, high) = (fraction.high.and_then(of), fraction.low.and_then(of));
                    Estimate { value, low, high, level: fraction.level }
                }),
                Fit::Refused(_) => None,
            },
            usl: match usl {
                Fit::Fitted(law) => sense(law.predict(p)),
                Fit::Refused(_) => None,
            },
        }
    };
    (0..).map(|power| 1 << power).take_while(|&workers| workers <= MOST_WORKERS).map(at).collect()
}

fn of(granularity: &Experiment, experiments: &[Experiment]) -> Vec<PredictionFinding> {
    let found = |workload: Workload, prediction: &dyn Fn(&Strategy) -> Fit<Foretold>| {
        let strategies = strategies(granularity, workload).into_iter();
        let finding = |strategy: &Strategy| {
            let prediction = prediction(strategy);
            PredictionFinding { workload, strategy: strategy.clone(), prediction }
        };
        strategies.map(finding).collect()
    };
    let Some(first) = granularity.blocks.first() else { return Vec::new() };
    match granularity.blocks.iter().find(|block| block.job.workload == WORKLOAD) {
        Some(block) => found(WORKLOAD, &|strategy| {
            let seen = observations(experiments, strategy);
            match fit(simulation::fit(&seen)) {
                Fit::Fitted(model) => Fit::Fitted(foretold(model, seen.len(), block)),
                Fit::Refused(why) => Fit::Refused(why),
            }
        }),
        None => found(first.job.workload, &|_| Fit::Refused(other_workload(first.job.workload))),
    }
}

fn other_workload(workload: Workload) -> String {
    format!(
        "tasks of {workload} have more bytes the longer they take, so that none can be made \
         smaller by its time alone\nhelp: add `{WORKLOAD}` to `workloads`"
    )
}

/// All but the baseline that were measured with `workload`.
fn strategies(experiment: &Experiment, workload: Workload) -> Vec<&Strategy> {
    let mut strategies: Vec<&Strategy> = Vec::new();
    let blocks = experiment.blocks.iter().filter(|block| block.job.workload == workload);
    for cell in blocks.flat_map(|block| &block.cells) {
        let strategy = &cell.configuration.strategy;
        if !strategy.is_serial() && !strategies.contains(&strategy) {
            strategies.push(strategy);
        }
    }
    strategies
}

/// Every warm job of `strategy` that had a core for each worker.
fn observations(experiments: &[Experiment], strategy: &Strategy) -> Vec<Observation> {
    let mut tasks: Vec<(Workload, usize)> = Vec::new();
    let mut number = |block: &Block| {
        let task = (block.job.workload, block.job.task_size);
        tasks.iter().position(|known| *known == task).unwrap_or_else(|| {
            tasks.push(task);
            tasks.len() - 1
        })
    };
    let warm = experiments.iter().filter(|experiment| !experiment.kind.is_cold());
    warm.flat_map(|experiment| &experiment.blocks)
        .flat_map(|block| block.cells.iter().map(move |cell| (block, cell)))
        .filter(|(_, cell)| cell.configuration.strategy == *strategy && !cell.oversubscribed)
        .filter_map(|(block, cell)| observation(block, cell, number(block)))
        .collect()
}

/// The wall is the baseline's ÷ the speed-up, which was taken within rounds:
/// the machine's drift between the two has cancelled.
fn observation(block: &Block, cell: &Cell, task: usize) -> Option<Observation> {
    let task_ns = block.serial_task_ns()?;
    let tasks = NonZeroUsize::new(block.job.tasks)?;
    let speed_up = cell.figures()?.speed_up?.value;
    let task_bytes = block.payload_bytes as f64 / tasks.get() as f64;
    let job = Job { workers: cell.configuration.workers, tasks, task_bytes };
    Some(Observation { job, task, task_ns, wall_ns: task_ns * tasks.get() as f64 / speed_up })
}

/// `block` is one of those whose METG was measured.
fn foretold(model: Fitted, walls: usize, block: &Block) -> Foretold {
    let cores = block.available_cores.max(1);
    let tasks_per_worker = (block.job.tasks / cores).max(1);
    let task_bytes = block.payload_bytes as f64 / block.job.tasks.max(1) as f64;
    let at = |workers: NonZeroUsize| {
        let tasks = workers.saturating_mul(NonZeroUsize::MIN.saturating_add(tasks_per_worker - 1));
        let job = Job { workers, tasks, task_bytes };
        let found = simulation::predict(&model, &job, EFFICIENCY_TASK_NS, METG_EFFICIENCY);
        PredictedAt {
            workers: workers.get(),
            beyond_cores: workers.get() > cores,
            metg_ns: found.metg_ns,
            efficiency: found.efficiency,
        }
    };
    let powers = (1..).map(|power| 1 << power).take_while(|&workers| workers <= MOST_WORKERS);
    // At the cores there is a measurement to hold the prediction against.
    let counts: BTreeSet<usize> = powers.chain([cores]).collect();
    let at = counts.into_iter().filter_map(NonZeroUsize::new).map(at).collect();
    Foretold { model, walls, tasks_per_worker, efficiency_task_ns: EFFICIENCY_TASK_NS, at }
}
