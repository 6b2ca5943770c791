//! Verdicts on what parallelism costs: from which size on it pays.

use harness::{Configuration, Workload};
use stats::{BreakEven, Metg};

use super::{counts_as_process, named, spoken};
use crate::{
    format,
    model::{Experiment, GranularityFinding},
};

/// "processes pay from tasks of 40 µs (38–43 µs) on, in jobs of 1 000 tasks on a
/// running pool (shm-pool/fork, 2 workers)"; `None` if no process pool has a
/// figure.
pub(crate) fn processes_pay(experiment: &Experiment, workload: Workload) -> Option<String> {
    let processes = experiment
        .granularity
        .iter()
        .filter(|f| f.workload == workload && counts_as_process(experiment, &f.configuration));
    let best = earliest(processes.map(|f| (&f.configuration, &f.against_serial)))?;
    let pool = format!("in {} on a running pool", jobs(experiment, workload));
    Some(match best {
        (who, BreakEven::From { size }) => format!(
            "processes pay from tasks of {} on, {pool} ({})",
            format::time_estimate(size),
            named(who)
        ),
        (who, BreakEven::Always { smallest }) => format!(
            "processes are at no task size that tells slower than serial, from {} on, and faster at \
             some, {pool} ({})",
            format::time(*smallest),
            named(who)
        ),
        (who, BreakEven::Level { largest }) => format!(
            "processes ({}) cannot be told apart from serial at the largest tasks that tell, {}, {pool}",
            named(who),
            format::time(*largest)
        ),
        (_, BreakEven::Never { largest }) => format!(
            "processes are slower than serial at the largest tasks that tell, {}, {pool}",
            format::time(*largest)
        ),
        (_, BreakEven::NotMeasured) => return None,
    })
}

/// "jobs of 1 000 tasks": how often a task's advantage counts.
fn jobs(experiment: &Experiment, workload: Workload) -> String {
    let blocks = experiment.blocks.iter().filter(|block| block.job.workload == workload);
    let tasks = || blocks.clone().map(|block| block.job.tasks);
    let (fewest, most) = (tasks().min().unwrap_or_default(), tasks().max().unwrap_or_default());
    if fewest == most {
        format!("jobs of {} task{}", format::count(most), if most == 1 { "" } else { "s" })
    } else {
        format!("jobs of {} to {} tasks", format::count(fewest), format::count(most))
    }
}

/// How small tasks may be, and from which size on processes pay.
pub(crate) fn granularity(experiment: &Experiment) -> Vec<String> {
    let mut workloads: Vec<Workload> = Vec::new();
    for finding in &experiment.granularity {
        if !workloads.contains(&finding.workload) {
            workloads.push(finding.workload);
        }
    }
    workloads
        .into_iter()
        .flat_map(|workload| {
            [
                smallest_tasks(experiment, workload),
                processes_pay(experiment, workload)
                    .map(|pays| format!("For {}, {pays}.", spoken(workload))),
                processes_beat_threads(experiment, workload),
            ]
        })
        .flatten()
        .collect()
}

fn smallest_tasks(experiment: &Experiment, workload: Workload) -> Option<String> {
    let findings = || {
        let of_workload = experiment.granularity.iter().filter(move |f| f.workload == workload);
        of_workload.filter(|f| !f.oversubscribed)
    };
    let below = |f: &&GranularityFinding| matches!(f.metg, Metg::BelowMeasured { .. });
    if let Some(Metg::BelowMeasured { smallest_ns }) = findings().find(below).map(|f| f.metg) {
        let names: Vec<String> =
            findings().filter(below).map(|f| f.configuration.to_string()).collect();
        return Some(format!(
            "{} keep half the ideal throughput of {} down to the smallest tasks measured ({}).",
            names.join(", "),
            spoken(workload),
            format::time(smallest_ns)
        ));
    }
    let (best, granularity) = findings()
        .filter_map(|f| match f.metg {
            Metg::At { granularity_ns } => Some((f, granularity_ns)),
            _ => None,
        })
        .min_by(|a, b| a.1.value.total_cmp(&b.1.value))?;
    Some(format!(
        "The smallest tasks of {} that keep half the ideal throughput: {}, with {}.",
        spoken(workload),
        format::time_estimate(&granularity),
        named(&best.configuration)
    ))
}

fn processes_beat_threads(experiment: &Experiment, workload: Workload) -> Option<String> {
    let findings = experiment
        .processes_against_threads
        .iter()
        .filter(|f| f.workload == workload && counts_as_process(experiment, &f.configuration));
    let best = earliest(findings.map(|f| (&f.configuration, &f.against_threads)))?;
    let opening = format!("For {}, processes", spoken(workload));
    Some(match best {
        (who, BreakEven::From { size }) => format!(
            "{opening} beat the best threads from tasks of {} on ({}).",
            format::time_estimate(size),
            named(who)
        ),
        (who, BreakEven::Always { .. }) => format!(
            "{opening} are at no task size that tells slower than the best threads, and faster at \
             some ({}).",
            named(who)
        ),
        (who, BreakEven::Level { largest }) => format!(
            "{opening} ({}) cannot be told apart from the best threads at the largest tasks \
             that tell, {}.",
            named(who),
            format::time(*largest)
        ),
        (_, BreakEven::Never { largest }) => format!(
            "{opening} are slower than the best threads at the largest tasks that tell, {}.",
            format::time(*largest)
        ),
        (_, BreakEven::NotMeasured) => return None,
    })
}

/// From which array of a workload on the first process pool pays.
pub(crate) fn arrays_pay(experiment: &Experiment, workload: Workload) -> Option<String> {
    let processes = experiment
        .payload
        .iter()
        .filter(|f| f.workload == workload && counts_as_process(experiment, &f.configuration))
        .map(|f| (&f.configuration, &f.against_serial));
    let opening = format!("For {}, processes", spoken(workload));
    Some(match earliest(processes)? {
        (who, BreakEven::From { size }) => format!(
            "{opening} pay from arrays of {} on ({}).",
            format::bytes_estimate(size),
            named(who)
        ),
        (who, BreakEven::Always { .. }) => format!(
            "{opening} are at no array size that tells slower than serial, and faster at some ({}).",
            named(who)
        ),
        (who, BreakEven::Level { largest }) => format!(
            "{opening} ({}) cannot be told apart from serial at the largest arrays that tell, {}.",
            named(who),
            format::bytes(*largest)
        ),
        (_, BreakEven::Never { largest }) => format!(
            "{opening} are slower than serial at the largest arrays that tell, {}.",
            format::bytes(*largest)
        ),
        (_, BreakEven::NotMeasured) => return None,
    })
}

/// The best ratio of the classic table.
pub(crate) fn table(experiment: &Experiment) -> Vec<String> {
    let rows = experiment.table.iter().filter(|row| !row.configuration.strategy.is_serial());
    let best = rows
        .filter_map(|row| Some((row, row.single_s?, row.pool_s?, row.ratio?)))
        .max_by(|a, b| a.3.value.total_cmp(&b.3.value));
    let sentence = best.map(|(row, single, pool, ratio)| {
        format!(
            "One task alone takes {single:.4} s; {} of them on {}, start-up and shutdown included, \
             take {pool:.4} s: {}.",
            row.tasks,
            named(&row.configuration),
            format::ratio_estimate(&ratio)
        )
    });
    sentence.into_iter().collect()
}

/// The configuration that pays first: anything that pays before anything that
/// never does.
fn earliest<'a>(
    findings: impl Iterator<Item = (&'a Configuration, &'a BreakEven)>,
) -> Option<(&'a Configuration, &'a BreakEven)> {
    let rank = |break_even: &BreakEven| match *break_even {
        BreakEven::Always { smallest } => (0, smallest),
        BreakEven::From { size } => (1, size.value),
        BreakEven::Level { largest } => (2, largest),
        BreakEven::Never { largest } => (3, largest),
        BreakEven::NotMeasured => (4, 0.0),
    };
    findings.min_by(|a, b| {
        let (a, b) = (rank(a.1), rank(b.1));
        a.0.cmp(&b.0).then_with(|| a.1.total_cmp(&b.1))
    })
}
