//! The report's tables, before they are drawn: the terminal, Markdown and
//! HTML show the same rows.

mod classic;
mod granularity;
mod laws;
mod measuring;
mod payload;
mod phases;
pub(crate) mod predictions;
mod scaling;
mod speed_up;

use std::collections::BTreeMap;

use harness::{Configuration, Input, Job, Workload, record::ExperimentKind};
use stats::Estimate;

use crate::{
    format,
    model::{Block, Cell, Experiment},
};

pub(crate) use classic::classic;
pub(crate) use measuring::{placement, stopping};

/// A table whose first columns name the row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    /// What it shows.
    pub(crate) title: String,
    /// How to read it; one sentence each.
    pub(crate) notes: Vec<String>,
    /// Headings of all columns.
    pub(crate) columns: Vec<Column>,
    /// Columns at the left that name the row.
    pub(crate) keys: usize,
    /// In the order of the configurations.
    pub(crate) rows: Vec<Row>,
    /// Whether only those who look closer want it: the terminal leaves it
    /// out, and HTML folds it.
    pub(crate) detail: bool,
}

/// A column's heading.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) title: String,
    /// Numbers stand at the right.
    pub(crate) right: bool,
    /// Whether a narrow terminal may leave it out; for a last column only.
    pub(crate) spare: bool,
}

/// One row: its keys and what stands beside them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) keys: Vec<String>,
    pub(crate) values: Values,
}

/// What stands beside a row's keys.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Values {
    /// One entry a column.
    Entries(Vec<Entry>),
    /// Why there are no values; spans the columns.
    Instead(String),
}

/// A value and how it is meant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// How a value is meant; shown by colour beside the text, never by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// No judgement.
    Plain,
    /// Faster than the baseline beyond doubt.
    Better,
    /// Slower than the baseline beyond doubt.
    Worse,
    /// A failure.
    Failed,
}

/// All tables of an experiment, those that answer its question first.
pub(crate) fn of(experiment: &Experiment) -> Vec<Table> {
    let mut tables = match experiment.kind {
        ExperimentKind::SpeedUp => {
            let mut tables = speed_up::tables(experiment);
            tables.extend(scaling::tables(experiment));
            tables.extend(laws::tables(experiment));
            tables
        }
        ExperimentKind::Granularity => {
            let mut tables = granularity::tables(experiment);
            tables.extend(predictions::tables(experiment));
            tables
        }
        ExperimentKind::StartMethods => phases::tables(experiment),
        ExperimentKind::Payload => payload::tables(experiment),
        ExperimentKind::Table => {
            let mut tables = vec![classic(experiment)];
            tables.extend(phases::tables(experiment).into_iter().map(Table::into_detail));
            tables
        }
    };
    tables.extend(measuring::resources(experiment));
    tables.push(measuring::rounds(experiment));
    tables
}

impl Table {
    fn into_detail(self) -> Self {
        Self { detail: true, ..self }
    }
}

impl Entry {
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Plain }
    }

    fn failed(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Failed }
    }

    /// `text`, toned by which side of `threshold` the whole interval lies on.
    fn judged(text: String, estimate: &Estimate, threshold: f64) -> Self {
        let tone = if estimate.is_above(threshold) {
            Tone::Better
        } else if estimate.is_below(threshold) {
            Tone::Worse
        } else {
            Tone::Plain
        };
        Self { text, tone }
    }

    /// `show` of a figure, or a dash where it does not apply.
    fn optional<T>(figure: Option<T>, show: impl FnOnce(T) -> String) -> Self {
        Self::plain(figure.map_or(format::NONE.to_owned(), show))
    }
}

/// Headings at the left, then headings at the right.
pub(crate) fn columns(keys: &[&str], values: &[&str]) -> Vec<Column> {
    let column = |right: bool| {
        move |title: &&str| Column { title: (*title).to_owned(), right, spare: false }
    };
    // The strategy is the only key that is text.
    let (text, numbers) = keys.split_at(1.min(keys.len()));
    let left = text.iter().map(column(false));
    left.chain(numbers.iter().map(column(true))).chain(values.iter().map(column(true))).collect()
}

/// Keys of a configuration: strategy, and workers with `*` if oversubscribed.
pub(crate) fn keys(configuration: &Configuration, oversubscribed: bool) -> Vec<String> {
    let mark = if oversubscribed { "*" } else { "" };
    vec![configuration.strategy.to_string(), format!("{}{mark}", configuration.workers)]
}

/// A row for each cell of a block: its values, or why there are none.
fn cell_rows(block: &Block, values: impl Fn(&Cell) -> Option<Vec<Entry>>) -> Vec<Row> {
    let row = |cell: &Cell| Row {
        keys: keys(&cell.configuration, cell.oversubscribed),
        values: match values(cell) {
            Some(entries) => Values::Entries(entries),
            None => Values::Instead(why_not(cell)),
        },
    };
    block.cells.iter().map(row).collect()
}

/// The kind of failure and the phase in which it happened.
fn why_not(cell: &Cell) -> String {
    match &cell.outcome {
        crate::model::Outcome::Failed { failure } => {
            format!("{} (in {})", failure.kind, failure.phase)
        }
        _ => "not measured".to_owned(),
    }
}

/// Explains the marks that the rows of `blocks` carry, if there are any.
fn marks<'a>(blocks: impl IntoIterator<Item = &'a Block> + Clone) -> Vec<String> {
    let any = |mark: fn(&Cell) -> bool| {
        blocks.clone().into_iter().flat_map(|block| &block.cells).any(mark)
    };
    let mut notes = Vec::new();
    if any(|cell| cell.oversubscribed) {
        notes.push("* more workers than cores: left out of every fit.".to_owned());
    }
    if any(|cell| cell.counts.contaminated_used) {
        notes.push("! contaminated rounds are used, for want of clean ones.".to_owned());
    }
    notes
}

/// Tells whose time has the copies of an array in it and whose has not.
fn inputs<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> Option<String> {
    let mut by_input: BTreeMap<Input, Vec<&str>> = BTreeMap::new();
    for cell in blocks.into_iter().flat_map(|block| &block.cells) {
        let Some(input) = cell.input else { continue };
        let backends = by_input.entry(input).or_default();
        let backend = &*cell.configuration.strategy.backend;
        if !backends.contains(&backend) {
            backends.push(backend);
        }
    }
    let spoken = |input| match input {
        Input::InProcess => "in the process's own memory",
        Input::BornShared => "born shared, so that nothing is copied",
        Input::CopiedIn => "copied to the workers and back within the time",
    };
    let told = by_input
        .into_iter()
        .map(|(input, backends)| format!("{} ({})", spoken(input), backends.join(", ")));
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| format!("Arrays: {}.", told.join("; ")))
}

/// "sum of squares, 64 tasks of 1 000 elements".
pub(crate) fn job_words(job: Job) -> String {
    let (tasks, size) = (format::count(job.tasks), format::count(job.task_size));
    let plural = if job.tasks == 1 { "" } else { "s" };
    format!("{}, {tasks} task{plural} of {size} elements", spoken(job.workload))
}

/// The job in words, and what a task takes.
fn job_title(block: &Block) -> String {
    let job = job_words(block.job);
    match block.serial_task_ns() {
        Some(ns) => format!("{job}; serial takes {} a task", format::time(ns)),
        None => job,
    }
}

fn spoken(workload: Workload) -> String {
    workload.name().replace('-', " ")
}

/// Workloads of an experiment's blocks, each with its blocks in ascending
/// order of `size`.
fn by_workload(
    experiment: &Experiment,
    size: impl Fn(&Block) -> u64,
) -> Vec<(Workload, Vec<&Block>)> {
    let of_workload = |workload: Workload| {
        let mut blocks: Vec<&Block> =
            experiment.blocks.iter().filter(|block| block.job.workload == workload).collect();
        blocks.sort_by_key(|block| size(block));
        (workload, blocks)
    };
    let groups = Workload::ALL.into_iter().map(of_workload);
    groups.filter(|(_, blocks)| !blocks.is_empty()).collect()
}

/// A matrix: a row for each configuration that any of `blocks` has, a column
/// for each block.
fn matrix(
    blocks: &[&Block],
    heading: impl Fn(&Block) -> String,
    entry: impl Fn(&Cell) -> Entry,
) -> (Vec<Column>, Vec<Row>) {
    let mut configurations: Vec<(&Configuration, bool)> = Vec::new();
    for cell in blocks.iter().flat_map(|block| &block.cells) {
        if !configurations.iter().any(|(known, _)| *known == &cell.configuration) {
            configurations.push((&cell.configuration, cell.oversubscribed));
        }
    }
    let place = |configuration: &Configuration, block: &Block| {
        let cell = block.cells.iter().find(|cell| cell.configuration == *configuration);
        match cell {
            None => Entry::failed("not measured"),
            Some(cell) => match cell.why_not() {
                Some(why_not) => Entry::failed(why_not),
                None => entry(cell),
            },
        }
    };
    let row = |(configuration, oversubscribed): (&Configuration, bool)| Row {
        keys: keys(configuration, oversubscribed),
        values: Values::Entries(blocks.iter().map(|block| place(configuration, block)).collect()),
    };
    let headings: Vec<String> = blocks.iter().map(|block| heading(block)).collect();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let rows = configurations.into_iter().map(row).collect();
    (columns(&["strategy", "w"], &headings), rows)
}
