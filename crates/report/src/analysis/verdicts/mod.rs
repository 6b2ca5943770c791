//! The answers in plain words. They claim no more than the figures do: what
//! cannot be told apart is said to be so.

mod cost;
mod cycles;

use std::cmp::Reverse;

use harness::{Configuration, record::ExperimentKind};
use stats::Estimate;

use super::{
    findings::is_process_strategy,
    samples::BlockSamples,
    standing::{self, Contest, Standing},
};
use crate::{
    format,
    model::{Block, Cell, Experiment},
};

/// The verdict that a page begins with, what is fastest, and what belongs to it:
/// ties, and from which task size on processes pay. `groups` are the records of
/// the experiments' blocks, in the same order.
///
/// Speed-up is the question that most people come with; a sweep without it
/// begins with its first experiment's verdict.
pub(crate) fn headline(
    experiments: &[Experiment],
    groups: &[Vec<&BlockSamples<'_>>],
    seed: u64,
) -> (String, Option<String>) {
    let speed_up = experiments
        .iter()
        .zip(groups)
        .filter(|(experiment, _)| experiment.kind == ExperimentKind::SpeedUp)
        .find_map(|(experiment, samples)| Some((experiment.blocks.first()?, samples.first()?)));
    let Some((block, samples)) = speed_up else {
        let first = experiments.iter().find_map(|experiment| experiment.verdicts.first());
        let verdict = first.map_or("Nothing was measured.", String::as_str);
        return (verdict.to_owned(), None);
    };
    let (winner, rivals) = comparison(block, samples, seed);
    let mut granularity = experiments.iter().filter(|e| e.kind == ExperimentKind::Granularity);
    let pays = granularity.find_map(|e| cost::processes_pay(e, block.job.workload));
    let parts: Vec<String> = rivals.into_iter().chain(pays).collect();
    let detail = (!parts.is_empty()).then(|| capitalised(&format!("{}.", parts.join("; "))));
    (winner, detail)
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The answers of one experiment, most important first; at least one.
pub(crate) fn of(experiment: &Experiment, samples: &[&BlockSamples<'_>], seed: u64) -> Vec<String> {
    let mut verdicts = match experiment.kind {
        ExperimentKind::SpeedUp => experiment
            .blocks
            .iter()
            .zip(samples)
            .map(|(block, samples)| sentence(comparison(block, samples, seed)))
            .collect(),
        ExperimentKind::Granularity => cost::granularity(experiment),
        ExperimentKind::StartMethods => cycles::cold_cycles(experiment, samples, seed),
        ExperimentKind::Payload => largest_arrays(experiment, samples, seed),
        ExperimentKind::Table => cost::table(experiment),
    };
    if verdicts.is_empty() {
        verdicts.push("Nothing could be measured.".to_owned());
    }
    verdicts.extend(failures(experiment));
    verdicts.extend(contamination(experiment));
    verdicts
}

/// "shm-pool/fork, 2 workers".
pub(crate) fn named(configuration: &Configuration) -> String {
    let workers = configuration.workers.get();
    let plural = if workers == 1 { "" } else { "s" };
    format!("{}, {workers} worker{plural}", configuration.strategy)
}

/// The workload's name in running text.
pub(crate) fn spoken(workload: harness::Workload) -> String {
    workload.name().replace('-', " ")
}

/// Who is fastest in one block, and how its rivals compare; without a full stop.
fn comparison(block: &Block, samples: &BlockSamples<'_>, seed: u64) -> (String, Option<String>) {
    let size = match block.serial_task_ns() {
        Some(ns) => format!("tasks of {}", format::time(ns)),
        None => format!("tasks of {} elements", format::count(block.job.task_size)),
    };
    let opening = format!("For {} with {size} on this machine", spoken(block.job.workload));
    let (outcome, rivals) = outcome(block, samples, seed);
    (format!("{opening}: {outcome}"), rivals)
}

fn sentence((winner, rivals): (String, Option<String>)) -> String {
    match rivals {
        Some(rivals) => format!("{winner}; {rivals}."),
        None => format!("{winner}."),
    }
}

/// Who is fastest with each workload's largest array that was sampled often
/// enough to tell; the largest of all if none was.
fn largest_arrays(
    experiment: &Experiment,
    samples: &[&BlockSamples<'_>],
    seed: u64,
) -> Vec<String> {
    let mut pairs: Vec<_> = experiment.blocks.iter().zip(samples).collect();
    pairs.sort_by_key(|(block, _)| (block.job.workload, Reverse(block.payload_bytes)));
    let told = |(block, samples): &&(&Block, &&BlockSamples<'_>)| {
        matches!(
            standing::of(block, samples, seed),
            Standing::SerialWins(..) | Standing::NoneFaster(..) | Standing::Faster(..)
        )
    };
    let verdict = |(block, samples): &(&Block, &&BlockSamples<'_>)| {
        let size = format::bytes(block.payload_bytes as f64);
        let workload = spoken(block.job.workload);
        let (outcome, rivals) = outcome(block, samples, seed);
        sentence((format!("For {workload} over an array of {size}: {outcome}"), rivals))
    };
    let of_workload = pairs.chunk_by(|(a, _), (b, _)| a.job.workload == b.job.workload);
    let sentences = of_workload.flat_map(|sizes| {
        let largest = sizes.iter().find(told).or(sizes.first());
        let workload = sizes.first().map(|(block, _)| block.job.workload);
        let pay = workload.and_then(|workload| cost::arrays_pay(experiment, workload));
        largest.map(verdict).into_iter().chain(pay)
    });
    sentences.collect()
}

fn outcome(block: &Block, samples: &BlockSamples<'_>, seed: u64) -> (String, Option<String>) {
    let shown = |cell: &Cell, speed_up: &Estimate| {
        format!("{}, {}", named(&cell.configuration), format::ratio_estimate(speed_up))
    };
    let winner = match standing::of(block, samples, seed) {
        Standing::NothingMeasured => "nothing could be measured".to_owned(),
        Standing::NoComparison => {
            "there is no baseline to compare with, or nothing but the baseline".to_owned()
        }
        Standing::TooFewRounds(best, speed_up) => format!(
            "too few rounds ({}) to tell; {} has {} so far",
            best.counts.used,
            named(&best.configuration),
            format::ratio(speed_up.value)
        ),
        Standing::SerialWins(best, speed_up) => {
            format!("serial wins; the best of the others is {}", shown(best, &speed_up))
        }
        Standing::NoneFaster(speed_up, contest) => format!(
            "nothing is clearly faster than serial{}; best is {}",
            // Its own interval may well exclude 1: one of many does by chance.
            allowed_for(&contest),
            shown(contest.best, &speed_up)
        ),
        Standing::Faster(speed_up, contest) => {
            return (shown(contest.best, &speed_up), against(&contest));
        }
    };
    (winner, None)
}

/// "cannot be told apart from rayon and threads", or by how much the runner-up
/// is slower; `None` without rivals.
fn against(contest: &Contest<'_>) -> Option<String> {
    if !contest.tied.is_empty() {
        return Some(format!("cannot be told apart from {}", list(contest.best, &contest.tied)));
    }
    let (cell, ratio) = contest.runner_up?;
    let (name, ratio) = (list(contest.best, &[cell]), format::ratio_estimate(&ratio));
    Some(format!("the runner-up, {name}, takes {ratio} as long{}", allowed_for(contest)))
}

/// ", 8 comparisons allowed for".
fn allowed_for(contest: &Contest<'_>) -> String {
    if contest.compared < 2 {
        return String::new();
    }
    format!(", {} comparisons allowed for", contest.compared)
}

/// "rayon, threads × 1 and 3 more": workers only where they are not those of
/// the `best`.
fn list(best: &Cell, cells: &[&Cell]) -> String {
    const NAMED: usize = 3;
    let name = |cell: &&Cell| match &cell.configuration {
        other if other.workers == best.configuration.workers => other.strategy.to_string(),
        other => other.to_string(),
    };
    let mut names: Vec<String> = cells.iter().take(NAMED).map(name).collect();
    if cells.len() > NAMED {
        names.push(format!("{} more", cells.len() - NAMED));
    }
    let last = names.pop().unwrap_or_default();
    if names.is_empty() { last } else { format!("{} and {last}", names.join(", ")) }
}

/// One sentence for each configuration and kind of failure.
fn failures(experiment: &Experiment) -> Vec<String> {
    let mut kinds: Vec<(String, String, usize)> = Vec::new();
    for cell in experiment.blocks.iter().flat_map(|block| &block.cells) {
        let Some(why_not) = cell.why_not() else { continue };
        let name = cell.configuration.to_string();
        match kinds.iter_mut().find(|(n, why, _)| (n, why) == (&name, &why_not)) {
            Some((_, _, blocks)) => *blocks += 1,
            None => kinds.push((name, why_not, 1)),
        }
    }
    let all = experiment.blocks.len();
    let sentence = |(name, why, blocks): (String, String, usize)| {
        let within = if all == 1 { String::new() } else { format!(" in {blocks} of {all} blocks") };
        format!("No figures for {name}{within}: {why}.")
    };
    kinds.into_iter().map(sentence).collect()
}

/// That rounds were left out, or had to be used although contaminated.
fn contamination(experiment: &Experiment) -> Option<String> {
    let blocks = &experiment.blocks;
    let spoiled: usize = blocks.iter().map(|block| block.contaminated_rounds).sum();
    let rounds: usize = blocks.iter().map(|block| block.rounds).sum();
    let used = |block: &Block| block.cells.iter().any(|cell| cell.counts.contaminated_used);
    if spoiled == 0 {
        return None;
    }
    let treated = if blocks.iter().any(used) {
        "some are used all the same, marked !, where fewer than half, or fewer than three, are clean"
    } else {
        "they are left out"
    };
    Some(format!("Rounds contaminated by other load: {spoiled} of {rounds}; {treated}."))
}

/// Whether `configuration` is a process pool without more workers than cores.
pub(crate) fn counts_as_process(experiment: &Experiment, configuration: &Configuration) -> bool {
    let cores = experiment.blocks.first().map_or(usize::MAX, |block| block.available_cores);
    is_process_strategy(&configuration.strategy) && configuration.workers.get() <= cores
}
