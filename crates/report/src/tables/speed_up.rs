//! Who is how fast: one table a block.

use super::{Entry, Table, cell_rows, columns, inputs, job_title, marks};
use crate::{
    format,
    model::{Block, Cell, Experiment},
};

pub(super) fn tables(experiment: &Experiment) -> Vec<Table> {
    experiment.blocks.iter().map(table).collect()
}

fn table(block: &Block) -> Table {
    let mut notes = vec![
        "Speed-up: serial time ÷ this time within the same round, median and 95 % interval. \
         relative: the same strategy with one worker ÷ this. w: workers."
            .to_owned(),
    ];
    notes.push(format!(
        "{} rounds, {} of them contaminated by other load.",
        block.rounds, block.contaminated_rounds
    ));
    notes.extend(marks([block]));
    notes.extend(inputs([block]));
    Table {
        title: job_title(block),
        notes,
        columns: columns(&["strategy", "w"], &["time", "speed-up", "(95 %)", "relative", "effic."]),
        keys: 2,
        rows: cell_rows(block, values),
        detail: false,
    }
}

fn values(cell: &Cell) -> Option<Vec<Entry>> {
    let figures = cell.figures()?;
    let mark = if cell.counts.contaminated_used { "!" } else { "" };
    let (speed_up, interval) = if cell.configuration.strategy.is_serial() {
        (Entry::plain(format::ratio(1.0)), Entry::plain("baseline"))
    } else if let Some(estimate) = figures.speed_up {
        let interval = format::interval(&estimate, format::two_decimals);
        (Entry::judged(format::ratio(estimate.value), &estimate, 1.0), Entry::plain(interval))
    } else {
        (Entry::plain(format::NONE), Entry::plain("no baseline"))
    };
    Some(vec![
        Entry::plain(format!("{}{mark}", format::time(figures.time_ns.median))),
        speed_up,
        interval,
        Entry::optional(figures.relative_speed_up, |e| format::ratio(e.value)),
        Entry::optional(figures.efficiency, |e| format::percent(e.value)),
    ])
}
