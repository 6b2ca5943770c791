//! A history as paragraphs and tables.

use stats::{Estimate, median};

use super::{CellTrend, Change, History, Run, Trend};
use crate::{
    comparison::drawing::{Sheet, TimedJob, jobs, timed_job, title},
    format,
    tables::{Column, Entry, Row, Table, Tone, Values, keys},
};

/// One of the whole, and one of each trend.
pub(super) fn sheets(history: &History) -> Vec<Sheet> {
    let mut sheets = vec![summary(history)];
    sheets.extend(history.trends.iter().map(sheet));
    if let Some(last) = sheets.last_mut() {
        last.notes = notes(history);
        last.missing = history
            .skipped
            .iter()
            .map(|s| format!("not used: {}: {}", s.folder, s.reason))
            .collect();
    }
    sheets
}

fn summary(history: &History) -> Sheet {
    let runs: usize = history.trends.iter().map(|trend| trend.runs.len()).sum();
    let identities = match history.trends.len() {
        1 => "one identity (config and machine)".to_owned(),
        count => format!("{count} identities (config and machine), never mixed"),
    };
    let paragraphs = vec![format!("{} of {identities}. {}", plural(runs, "run"), found(history))];
    blank(format!("History of {}", plural(runs, "sweep")), paragraphs)
}

/// What was looked for, and what was found.
pub(super) fn found(history: &History) -> String {
    let cells = history.cells_tested;
    let changed: usize = history.trends.iter().map(|trend| trend.changed().count()).sum();
    let rate = format::percent(history.alarm_rate);
    if cells == 0 {
        let fewest = history.fewest_runs;
        return format!(
            "Too few runs for change points: at least {fewest} of one identity are needed to show \
             one among so many cells."
        );
    }
    let what = match changed {
        0 => format!("No change points in {}", plural(cells, "cell")),
        _ => format!("Change points in {changed} of {}", plural(cells, "cell")),
    };
    format!("{what}; if nothing had changed, the probability of any would be {rate} at most.")
}

fn sheet(trend: &Trend) -> Sheet {
    let mut paragraphs = vec![trend.question.clone(), about(trend)];
    if trend.runs.len() < 2 {
        paragraphs.push("A single run has no trend yet.".to_owned());
        return blank(heading(trend), paragraphs);
    }
    if trend.cells.iter().all(|cell| !cell.tested) {
        let fewest = trend.fewest_runs;
        paragraphs.push(format!("Too few runs for change points, which take {fewest}."));
    }
    let tables = trend_jobs(trend).into_iter().map(|job| table(trend, job, Form::Terminal));
    Sheet {
        differences: marked_runs(trend),
        tables: tables.collect(),
        ..blank(heading(trend), paragraphs)
    }
}

fn blank(title: String, paragraphs: Vec<String>) -> Sheet {
    let (differences, tables, missing, notes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    Sheet { title, paragraphs, differences, tables, missing, notes }
}

pub(super) fn heading(trend: &Trend) -> String {
    format!("Identity {}: {}", trend.identity, plural(trend.runs.len(), "run"))
}

/// The machine, and from when to when.
pub(super) fn about(trend: &Trend) -> String {
    let cpu = trend.cpu.as_deref().unwrap_or("unknown processor");
    let cores = plural(trend.available_cores, "core");
    let dates: Vec<&str> = trend.runs.iter().map(|run| run.started.as_str()).collect();
    match dates[..] {
        [first, .., last] => format!("{cpu} · {cores} · {first} to {last}"),
        _ => format!("{cpu} · {cores} · {}", dates.concat()),
    }
}

/// The first, the last, and those with which something changed.
fn marked_runs(trend: &Trend) -> Vec<String> {
    let last = trend.runs.len() - 1;
    let changed = |index: usize| {
        trend.cells.iter().flat_map(|cell| &cell.changes).filter(|c| c.run == index).count()
    };
    let line = |(index, run): (usize, &Run)| match changed(index) {
        0 if index != 0 && index != last => None,
        0 => Some(run_line(index, run)),
        count => Some(format!("{}: {} here", run_line(index, run), plural(count, "change"))),
    };
    trend.runs.iter().enumerate().filter_map(line).collect()
}

fn run_line(index: usize, run: &Run) -> String {
    let commit = run.commit.as_deref().unwrap_or("commit unknown");
    format!("{} {}, {commit}, {}", number(index), run.started, run.folder)
}

/// How runs are called: they count from 1.
pub(super) fn number(run: usize) -> String {
    format!("#{}", run + 1)
}

pub(super) fn trend_jobs(trend: &Trend) -> Vec<TimedJob> {
    jobs(trend.cells.iter().map(|cell| &cell.name))
}

/// Who draws a table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Narrow, with a line of blocks for the trend.
    Terminal,
    /// Wide, beside figures: with the times.
    Page,
}

/// The cells of a job, a row each and one for every further change.
pub(super) fn table(trend: &Trend, job: TimedJob, form: Form) -> Table {
    let heading = |title: &str, right| Column { title: title.to_owned(), right, spare: false };
    let shape = match form {
        Form::Terminal => heading("trend", false),
        Form::Page => heading("time (weak)", true),
    };
    let cells = trend.cells.iter().filter(|cell| timed_job(&cell.name) == job);
    Table {
        title: title(job),
        notes: Vec::new(),
        columns: vec![
            heading("strategy", false),
            heading("w", true),
            heading("runs", true),
            shape,
            heading("speed-up", true),
            heading("change", true),
            heading("(95 %)", true),
        ],
        keys: 2,
        rows: cells.flat_map(|cell| rows(cell, form)).collect(),
        detail: false,
    }
}

fn rows(cell: &CellTrend, form: Form) -> Vec<Row> {
    let shape = match form {
        Form::Terminal => spark(cell),
        Form::Page => ends(cell, |point| format::time(point.time_ns)),
    };
    let speed_up = ends(cell, |point| format::two_decimals(point.speed_up.value));
    let mut left = [cell.points.len().to_string(), shape, speed_up].map(Entry::plain);
    let row = |left: &[Entry; 3], right: [Entry; 2]| Row {
        keys: keys(&cell.name.configuration, cell.oversubscribed),
        values: Values::Entries([left.as_slice(), right.as_slice()].concat()),
    };
    if cell.changes.is_empty() {
        let none = if cell.tested { format::NONE } else { "too few" };
        return vec![row(&left, [Entry::plain(none), Entry::plain(format::NONE)])];
    }
    let mut rows = Vec::new();
    for change in &cell.changes {
        rows.push(row(&left, change_entries(change)));
        left = std::array::from_fn(|_| Entry::plain(""));
    }
    rows
}

fn change_entries(change: &Change) -> [Entry; 2] {
    let Estimate { value, .. } = change.speed_up_ratio;
    let tone = if value > 1.0 { Tone::Better } else { Tone::Worse };
    let text = format!("{}\u{a0}{}", number(change.run), format::ratio(value));
    let interval = format::interval(&change.speed_up_ratio, format::two_decimals);
    [Entry { text, tone }, Entry::plain(interval)]
}

/// First and last.
fn ends(cell: &CellTrend, show: impl Fn(&super::TrendPoint) -> String) -> String {
    match &cell.points[..] {
        [first, .., last] => format!("{}\u{a0}→\u{a0}{}", show(first), show(last)),
        points => points.iter().map(show).collect(),
    }
}

/// Columns of a spark line at most.
const SPARK: usize = 10;

/// The speed-ups between their extremes, as blocks; each is the median of as many
/// runs in a row as make them fit.
fn spark(cell: &CellTrend) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let values: Vec<f64> = cell.points.iter().map(|point| point.speed_up.value).collect();
    let each = values.len().div_ceil(SPARK).max(1);
    let levels: Vec<f64> = values.chunks(each).filter_map(median).collect();
    let lowest = levels.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = levels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let block = |level: f64| {
        // A line that is nearly level is drawn as that, not as noise of full height.
        let height = (level - lowest) / (highest - lowest).max(0.05 * highest);
        BLOCKS[((height * 7.0).round() as usize).min(7)]
    };
    levels.into_iter().map(block).collect()
}

/// How to read the tables.
pub(super) fn notes(history: &History) -> Vec<String> {
    if history.trends.iter().all(|trend| trend.runs.len() < 2) {
        return Vec::new();
    }
    let mut notes = vec![
        "speed-up: over serial in the same rounds, of the first and the last run. change: the run \
         from which on the level is another, and the new level ÷ the old; (95 %) its interval, if \
         both levels have six runs. w: workers."
            .to_owned(),
        "Machines that drift, or are busy for days, change speed-ups too: a change point says \
         when, not why. `driver duel` tells whether it was the build."
            .to_owned(),
    ];
    if history.trends.iter().flat_map(|trend| &trend.cells).any(|cell| cell.oversubscribed) {
        notes.push("* more workers than cores.".to_owned());
    }
    notes
}

pub(super) fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
