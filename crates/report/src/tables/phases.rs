//! The parts of a whole cycle.

use stats::Estimate;

use super::{Entry, Table, cell_rows, columns, inputs, job_title, marks};
use crate::{
    format,
    model::{Block, Cell, Experiment},
};

pub(super) fn tables(experiment: &Experiment) -> Vec<Table> {
    experiment.blocks.iter().map(table).collect()
}

fn table(block: &Block) -> Table {
    let mut columns =
        columns(&["strategy", "w"], &["start-up", "first", "run", "stop", "cold", "(95 %)"]);
    if let Some(interval) = columns.last_mut() {
        interval.spare = true;
    }
    let mut notes = vec![
        "start-up: until every worker answered. first: one task on the fresh pool. stop: until \
         every worker is gone. cold: their sum. Medians."
            .to_owned(),
    ];
    notes.extend(marks([block]));
    notes.extend(inputs([block]));
    Table {
        title: format!("Whole cycle: {}{}", job_title(block), same_workers(block)),
        notes,
        columns,
        keys: 2,
        rows: cell_rows(block, values),
        detail: false,
    }
}

/// ", 2 workers" if every pool of the block has as many.
fn same_workers(block: &Block) -> String {
    let pools = block.cells.iter().filter(|cell| !cell.configuration.strategy.is_serial());
    let mut workers: Vec<usize> = pools.map(Cell::workers).collect();
    workers.dedup();
    match workers.as_slice() {
        [1] => ", 1 worker".to_owned(),
        [workers] => format!(", {workers} workers"),
        _ => String::new(),
    }
}

fn values(cell: &Cell) -> Option<Vec<Entry>> {
    let phases = cell.figures()?.phases;
    let phase = |ns: Option<Estimate>| Entry::optional(ns, |e| format::time(e.value));
    let mark = if cell.counts.contaminated_used { "!" } else { "" };
    Some(vec![
        phase(phases.start_up_ns),
        phase(phases.first_task_ns),
        phase(phases.run_ns),
        phase(phases.shutdown_ns),
        Entry::optional(phases.cold_ns, |e| format!("{}{mark}", format::time(e.value))),
        Entry::optional(phases.cold_ns, |e| format::interval(&e, format::time)),
    ])
}
