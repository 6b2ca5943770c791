//! What measuring cost and how it went.

use harness::record::StopReason;

use super::{Column, Entry, Row, Table, Values, cell_rows, columns, job_title};
use crate::{
    format,
    model::{Block, Cell, Experiment},
};

/// Processor time, switches, faults and memory of each configuration; only
/// for blocks that have any.
pub(super) fn resources(experiment: &Experiment) -> Vec<Table> {
    let seen = |cell: &Cell| cell.figures().is_some_and(|figures| figures.resources.is_some());
    let with_any = experiment.blocks.iter().filter(|block| block.cells.iter().any(seen));
    with_any.map(resource_table).collect()
}

fn resource_table(block: &Block) -> Table {
    Table {
        title: format!("Resources a run: {}", job_title(block)),
        notes: vec![
            "Of the whole process tree of a runner, preparing and checking included. switches: \
             waited + displaced. peak: largest sum of proportional set sizes, shared pages counted \
             once."
                .to_owned(),
        ],
        columns: columns(
            &["strategy", "w"],
            &["CPU", "switches", "faults", "major", "peak", "processes"],
        ),
        keys: 2,
        rows: cell_rows(block, resource_values),
        detail: true,
    }
}

fn resource_values(cell: &Cell) -> Option<Vec<Entry>> {
    let Some(used) = cell.figures()?.resources else {
        return Some(vec![Entry::plain(format::NONE); 6]);
    };
    let switches = format!(
        "{} + {}",
        format::mean_count(used.voluntary_switches_per_run),
        format::mean_count(used.involuntary_switches_per_run)
    );
    Some(vec![
        Entry::plain(format::time(used.cpu_s_per_run * 1e9)),
        Entry::plain(switches),
        Entry::plain(format::mean_count(used.minor_faults_per_run)),
        Entry::plain(format::mean_count(used.major_faults_per_run)),
        Entry::plain(format::bytes(used.peak_pss_bytes as f64)),
        Entry::plain(used.processes.to_string()),
    ])
}

/// Rounds, contamination and why each block ended.
pub(super) fn rounds(experiment: &Experiment) -> Table {
    let heading = |title: &str, right| Column { title: title.to_owned(), right, spare: false };
    Table {
        title: format!("{}: how it was measured", experiment.name),
        notes: vec![
            "A round samples every configuration of a block once. lives: times that its runners \
             were started. widest, median: half-widths of the intervals of its speed-ups (of its \
             times, if it has no baseline); asked: where it would have ended."
                .to_owned(),
        ],
        columns: vec![
            heading("block", false),
            heading("rounds", true),
            heading("lives", true),
            heading("widest", true),
            heading("median", true),
            heading("asked", true),
            heading("contaminated", true),
            heading("because of", false),
            heading("ended because", false),
        ],
        keys: 1,
        rows: experiment.blocks.iter().map(rounds_row).collect(),
        detail: true,
    }
}

fn rounds_row(block: &Block) -> Row {
    let reasons: Vec<String> =
        block.contamination.iter().map(|c| format!("{} ({})", c.reason, c.rounds)).collect();
    let reasons = if reasons.is_empty() { format::NONE.to_owned() } else { reasons.join("; ") };
    let ended = ended(block.stop);
    let width = |width: Option<f64>| Entry::optional(width, half_width);
    Row {
        keys: vec![block.block.clone()],
        values: Values::Entries(vec![
            Entry::plain(block.rounds.to_string()),
            Entry::plain(block.incarnations.to_string()),
            Entry::plain(widest(block)),
            width(block.precision.and_then(|precision| precision.median)),
            width(block.precision_asked),
            Entry::plain(block.contaminated_rounds.to_string()),
            Entry::plain(reasons),
            Entry::plain(ended),
        ]),
    }
}

/// In a sentence: where the workers ran, if they were not left to the system.
pub(crate) fn placement(experiment: &Experiment) -> Option<String> {
    let pinned = || experiment.blocks.iter().filter(|block| block.placement.is_pinned());
    let is_shared = pinned().flat_map(|block| &block.cells).any(|cell| cell.oversubscribed);
    let beyond = if is_shared { " Those beyond the cores share them in turn." } else { "" };
    pinned().next().map(|_| {
        format!(
            "Pinned: every worker stays on a core of its own, the first on the first, so that the \
             system cannot put two on one.{beyond}"
        )
    })
}

/// In a sentence or two: why the blocks of an experiment ended, and how precise they
/// are if anything was measured. `None` without blocks.
pub(crate) fn stopping(experiment: &Experiment) -> Option<String> {
    let blocks = &experiment.blocks;
    let reasons = [
        Some(StopReason::Precise),
        Some(StopReason::Decided),
        Some(StopReason::TimeBudget),
        Some(StopReason::MaxRounds),
        Some(StopReason::AllFailed),
        None,
    ];
    let counted =
        reasons.map(|stop| (blocks.iter().filter(|b| b.stop == stop).count(), ended(stop)));
    let ended: Vec<String> = counted
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(
            |(count, why)| {
                if blocks.len() == 1 { why.to_owned() } else { format!("{why} ({count})") }
            },
        )
        .collect();
    let several = if blocks.len() == 1 { "the block" } else { "blocks" };
    let why = format!("Why {several} ended: {}.", ended.join(", "));
    match intervals(blocks) {
        _ if blocks.is_empty() => None,
        Some(intervals) => Some(format!("{why} {intervals}")),
        None => Some(why),
    }
}

/// In a sentence: how precise `blocks` are. `None` if none has a figure.
fn intervals(blocks: &[Block]) -> Option<String> {
    let medians: Vec<f64> = blocks.iter().filter_map(|b| b.precision?.median).collect();
    let worst = blocks.iter().filter(|block| block.precision.is_some());
    let worst = worst.max_by(|a, b| breadth(a).total_cmp(&breadth(b)))?;
    let who = &worst.cells.get(worst.precision?.widest_at)?.configuration;
    Some(format!(
        "Intervals: {} at the widest ({who}, {}), {} in the median.",
        widest(worst),
        worst.block,
        stats::median(&medians).map_or(format::NONE.to_owned(), half_width),
    ))
}

fn breadth(block: &Block) -> f64 {
    block.precision.and_then(|precision| precision.widest).unwrap_or(f64::INFINITY)
}

/// The widest half-width; a figure without an interval is wider than any.
fn widest(block: &Block) -> String {
    match block.precision {
        None => format::NONE.to_owned(),
        Some(precision) => precision.widest.map_or("too few".to_owned(), half_width),
    }
}

/// `±2.0 %`.
fn half_width(share: f64) -> String {
    format!("±{}", format::percent(share))
}

fn ended(stop: Option<StopReason>) -> &'static str {
    match stop {
        Some(StopReason::Precise) => "every interval is as narrow as asked",
        Some(StopReason::Decided) => "it is settled what pays",
        Some(StopReason::TimeBudget) => "its time was used up",
        Some(StopReason::MaxRounds) => "it had all its rounds",
        Some(StopReason::AllFailed) => "nothing could be measured",
        None => "it was interrupted",
    }
}
