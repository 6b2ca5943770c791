//! A comparison as paragraphs and tables.

use harness::{Configuration, Job, Placement, Strategy, record::Failure};
use stats::{Estimate, paired::Verdict};

use super::{CellName, CellSide, ComparedCell, Comparison};
use crate::{
    format,
    tables::{Entry, Row, Table, Tone, Values, columns, job_words, keys},
};

const VERDICTS: [Verdict; 4] =
    [Verdict::Faster, Verdict::Slower, Verdict::Same, Verdict::Inconclusive];

/// What the terminal and Markdown show, in this order.
pub(crate) struct Sheet {
    pub(crate) title: String,
    pub(crate) paragraphs: Vec<String>,
    /// What is not the same between the machines.
    pub(crate) differences: Vec<String>,
    pub(crate) tables: Vec<Table>,
    /// What only one side has.
    pub(crate) missing: Vec<String>,
    /// How to read the tables; none without any.
    pub(crate) notes: Vec<String>,
}

/// The whole of it.
pub(super) fn of(comparison: &Comparison) -> Sheet {
    let paragraphs = vec![
        format!("A: {}   B: {}", comparison.a, comparison.b),
        "Unpaired, and therefore weak: measured at different times. A duel is the strong \
         comparison: `driver duel --base BIN --head BIN` with two builds of the driver."
            .to_owned(),
        environments(comparison),
        counts(comparison),
    ];
    let differ = comparison.differences.iter();
    let differences =
        differ.map(|differ| format!("{}: {} → {}", differ.fact, differ.a, differ.b)).collect();
    let shared = jobs(comparison.cells.iter().map(|cell| &cell.name));
    let missing = [
        missing(&comparison.only_in_a, "A", &shared),
        missing(&comparison.only_in_b, "B", &shared),
    ];
    let tables = shared.into_iter().map(|job| table(comparison, job)).collect();
    let notes = if comparison.cells.is_empty() { Vec::new() } else { notes(comparison) };
    Sheet {
        title: "Comparison of two sweeps".to_owned(),
        paragraphs,
        differences,
        tables,
        missing: missing.concat(),
        notes,
    }
}

fn environments(comparison: &Comparison) -> String {
    match (&comparison.unknown_environments[..], comparison.differences.len()) {
        ([], 0) => "Both ran on the same machine and build, as far as is known.".to_owned(),
        ([], 1) => "Machine or build differ in one fact:".to_owned(),
        ([], count) => format!("Machine or build differ in {count} facts:"),
        (unknown, _) => format!(
            "Whether machine and build differ is not known: no `environment.json` in {}.",
            unknown.join(" and ")
        ),
    }
}

fn counts(comparison: &Comparison) -> String {
    let count = |wanted: Verdict| {
        let cells = comparison.cells.iter().filter(|cell| !is_failed(cell));
        cells.filter(|cell| cell.verdict == wanted).count()
    };
    let failed = comparison.cells.iter().filter(|cell| is_failed(cell)).count();
    let mut parts: Vec<String> = VERDICTS
        .map(|verdict| (count(verdict), verdict.to_string()))
        .into_iter()
        .chain([(failed, "failed".to_owned())])
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if parts.is_empty() {
        parts.push("nothing to compare".to_owned());
    }
    let only = [&comparison.only_in_a, &comparison.only_in_b].map(Vec::len);
    format!(
        "Cells that both have: {} ({}). Only in A: {}; only in B: {}.",
        comparison.cells.len(),
        parts.join(", "),
        only[0],
        only[1]
    )
}

fn notes(comparison: &Comparison) -> Vec<String> {
    let mut notes = vec![
        "time: B's median ÷ A's, below 1 is faster. speed-up: B's speed-up over serial ÷ A's, \
         above 1 is faster; drift within a sweep has cancelled in it. (95 %): intervals. w: \
         workers."
            .to_owned(),
        format!(
            "verdict: on the speed-up, where there is one, otherwise on the time; a change is \
             what exceeds {} beyond doubt. It gates nothing.",
            format::percent(comparison.margin)
        ),
    ];
    let intervals = comparison.cells.iter().filter(|cell| cell.time_ratio.is_some()).count();
    if intervals >= 20 {
        let by_chance = (intervals as f64 * (1.0 - stats::estimate::LEVEL)).round();
        notes.push(format!(
            "Of {intervals} intervals at 95 %, about {by_chance} miss the truth by chance alone."
        ));
    }
    let any = |mark: fn(&CellSide) -> bool| {
        comparison.cells.iter().any(|cell| mark(&cell.a) || mark(&cell.b))
    };
    if any(|side| side.oversubscribed) {
        notes.push("* more workers than cores.".to_owned());
    }
    if any(|side| side.contaminated_used) {
        notes.push("! contaminated rounds are used, for want of clean ones.".to_owned());
    }
    notes
}

fn is_failed(cell: &ComparedCell) -> bool {
    cell.a.failure.is_some() || cell.b.failure.is_some()
}

/// A job, whether whole cold cycles of it were timed, and where workers ran.
pub(crate) type TimedJob = (Job, bool, Placement);

pub(crate) fn timed_job(name: &CellName) -> TimedJob {
    (name.job, name.is_cold, name.placement)
}

/// Each once, in order of first appearance.
pub(crate) fn jobs<'a>(names: impl Iterator<Item = &'a CellName>) -> Vec<TimedJob> {
    let mut jobs: Vec<TimedJob> = Vec::new();
    for job in names.map(timed_job) {
        if !jobs.contains(&job) {
            jobs.push(job);
        }
    }
    jobs
}

pub(crate) fn title((job, is_cold, placement): TimedJob) -> String {
    let cold = if is_cold { ", whole cold cycles" } else { "" };
    let pinned = if placement.is_pinned() { ", pinned workers" } else { "" };
    format!("{}{cold}{pinned}", job_words(job))
}

fn table(comparison: &Comparison, job: TimedJob) -> Table {
    let cells = comparison.cells.iter().filter(|cell| timed_job(&cell.name) == job);
    Table {
        title: title(job),
        notes: Vec::new(),
        columns: columns(&["strategy", "w"], &["time", "(95 %)", "speed-up", "(95 %)", "verdict"]),
        keys: 2,
        rows: cells.map(row).collect(),
        detail: false,
    }
}

fn row(cell: &ComparedCell) -> Row {
    let oversubscribed = cell.a.oversubscribed || cell.b.oversubscribed;
    let values = if is_failed(cell) {
        Values::Instead(failures(cell))
    } else {
        let mark = if cell.a.contaminated_used || cell.b.contaminated_used { "!" } else { "" };
        let verdict = Entry { text: cell.verdict.to_string(), tone: tone(cell.verdict) };
        let [time, time_ends] = ratio(cell.time_ratio, mark, format::NONE);
        let is_serial = cell.name.configuration.strategy.is_serial();
        let [speed_up, ends] =
            ratio(cell.speed_up_ratio, "", if is_serial { "baseline" } else { "no baseline" });
        Values::Entries(vec![time, time_ends, speed_up, ends, verdict])
    };
    Row { keys: keys(&cell.name.configuration, oversubscribed), values }
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Faster => Tone::Better,
        Verdict::Slower => Tone::Worse,
        Verdict::Same | Verdict::Inconclusive => Tone::Plain,
    }
}

/// A ratio and its interval, or `without` where there is none.
fn ratio(estimate: Option<Estimate>, mark: &str, without: &str) -> [Entry; 2] {
    match estimate {
        Some(estimate) => [
            Entry::plain(format!("{}{mark}", format::two_decimals(estimate.value))),
            Entry::plain(format::interval(&estimate, format::two_decimals)),
        ],
        None => [Entry::plain(format::NONE), Entry::plain(without)],
    }
}

fn failures(cell: &ComparedCell) -> String {
    let alone =
        |failure: &Failure, name: &str| format!("{name}: {} (in {})", failure.kind, failure.phase);
    match (&cell.a.failure, &cell.b.failure) {
        (Some(a), Some(b)) if a.kind == b.kind => format!("both: {}", a.kind),
        (Some(a), Some(b)) => format!("A: {}; B: {}", a.kind, b.kind),
        (Some(a), None) => alone(a, "A"),
        (None, b) => b.as_ref().map(|b| alone(b, "B")).unwrap_or_default(),
    }
}

/// What only one side has, a line a job. Of a job that the other side does not
/// have at all, no configuration needs to be named.
fn missing(names: &[CellName], side: &str, shared: &[TimedJob]) -> Vec<String> {
    let line = |job: TimedJob| {
        let here: Vec<&CellName> = names.iter().filter(|name| timed_job(name) == job).collect();
        let which = match shared.contains(&job) {
            true => configurations(&here),
            false => format!("all of it ({})", here.len()),
        };
        format!("only in {side}: {}: {which}", title(job))
    };
    jobs(names.iter()).into_iter().map(line).collect()
}

/// `threads × 1, 2, 4; rayon × 2`.
fn configurations(names: &[&CellName]) -> String {
    let mut strategies: Vec<(&Strategy, Vec<String>)> = Vec::new();
    for Configuration { strategy, workers } in names.iter().map(|name| &name.configuration) {
        match strategies.iter_mut().find(|(known, _)| *known == strategy) {
            Some((_, counts)) => counts.push(workers.to_string()),
            None => strategies.push((strategy, vec![workers.to_string()])),
        }
    }
    let words = strategies
        .into_iter()
        .map(|(strategy, counts)| format!("{strategy}\u{a0}×\u{a0}{}", counts.join(",\u{a0}")));
    words.collect::<Vec<_>>().join("; ")
}
