//! The parts of a whole cycle.

use stats::Estimate;

use super::{Entry, Table, cell_rows, columns, job_title, marks};
use crate::{
    format,
    model::{Block, Cell, Experiment},
};

pub(super) fn tables(experiment: &Experiment) -> Vec<Table> {
    experiment.blocks.iter().map(table).collect()
}

fn table(block: &Block) -> Table {
    let mut notes = vec![
        "start-up: until every worker answered. first: one task on the fresh pool. stop: until \
         every worker is gone. cold: their sum, with its 95 % interval. Medians."
            .to_owned(),
    ];
    notes.extend(marks([block]));
    Table {
        title: format!("Whole cycle: {}", job_title(block)),
        notes,
        columns: columns(
            &["strategy", "w"],
            &["start-up", "first", "run", "stop", "cold", "(95 %)"],
        ),
        keys: 2,
        rows: cell_rows(block, values),
        detail: false,
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
