//! The classic table: a single task against a pool, start-up and shutdown
//! inside the clock.

use super::{Entry, Row, Table, Values, columns, inputs, keys, marks};
use crate::{
    format,
    model::{Cell, Experiment, TableFinding},
};

/// Seconds with four decimals and the ratio beside, as tutorials show it.
pub(crate) fn classic(experiment: &Experiment) -> Table {
    let tasks = experiment.table.first().map_or(0, |row| row.tasks);
    let mut notes = vec![format!(
        "single: one task, alone, without a pool. pool: {tasks} such tasks, start-up and shutdown \
         included. ratio: {tasks} × single ÷ pool, within rounds, with its 95 % interval: the \
         number of workers that the pool is worth. The last column is single ÷ pool: 1 would be \
         {tasks} tasks in the time of one."
    )];
    notes.extend(marks(&experiment.blocks));
    notes.extend(inputs(&experiment.blocks));
    Table {
        title: "Single against a pool".to_owned(),
        notes,
        columns: columns(
            &["strategy", "w"],
            &["single s", "pool s", "ratio", "(95 %)", "single ÷ pool"],
        ),
        keys: 2,
        rows: experiment.table.iter().map(|finding| row(experiment, finding)).collect(),
        detail: false,
    }
}

fn row(experiment: &Experiment, finding: &TableFinding) -> Row {
    let cell = experiment
        .blocks
        .iter()
        .flat_map(|block| &block.cells)
        .find(|cell| cell.configuration == finding.configuration);
    let values = match (finding.pool_s, cell) {
        (Some(pool_s), Some(cell)) => Values::Entries(entries(finding, pool_s, cell)),
        (_, cell) => {
            Values::Instead(cell.map_or_else(|| "not measured".to_owned(), super::why_not))
        }
    };
    Row { keys: keys(&finding.configuration, cell.is_some_and(|cell| cell.oversubscribed)), values }
}

fn entries(finding: &TableFinding, pool_s: f64, cell: &Cell) -> Vec<Entry> {
    let mark = if cell.counts.contaminated_used { "!" } else { "" };
    let (ratio, interval) = match finding.ratio {
        Some(ratio) => (
            Entry::judged(format!("{:.2}", ratio.value), &ratio, 1.0),
            Entry::plain(if cell.configuration.strategy.is_serial() {
                "baseline".to_owned()
            } else {
                format::interval(&ratio, format::two_decimals)
            }),
        ),
        None => (Entry::plain(format::NONE), Entry::plain("no baseline")),
    };
    vec![
        Entry::optional(finding.single_s, |s| format!("{s:.4}")),
        Entry::plain(format!("{pool_s:.4}{mark}")),
        ratio,
        interval,
        Entry::optional(finding.single_over_pool, |ratio| format!("{ratio:.2}")),
    ]
}
