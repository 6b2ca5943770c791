//! How many bytes a second.

use harness::Workload;
use stats::BreakEven;

use super::{Entry, Row, Table, Values, by_workload, columns, inputs, keys, marks, matrix, spoken};
use crate::{
    format,
    model::{Block, Cell, Experiment, PayloadFinding},
};

pub(super) fn tables(experiment: &Experiment) -> Vec<Table> {
    by_workload(experiment, |block| block.payload_bytes)
        .into_iter()
        .flat_map(|(workload, blocks)| {
            [
                bandwidths(workload, &blocks),
                speed_ups(workload, &blocks),
                findings(experiment, workload, &blocks),
            ]
        })
        .collect()
}

fn heading(block: &Block) -> String {
    format::bytes(block.payload_bytes as f64)
}

fn bandwidths(workload: Workload, blocks: &[&Block]) -> Table {
    let entry = |cell: &Cell| {
        let mark = if cell.counts.contaminated_used { "!" } else { "" };
        Entry::optional(cell.figures(), |figures| {
            format!("{}{mark}", format::bandwidth(figures.payload_bytes_per_s))
        })
    };
    let (columns, rows) = matrix(blocks, heading, entry);
    let mut notes = vec![
        "Bytes of the array ÷ time; every byte is read once and written once. Columns: size of the \
         array."
            .to_owned(),
    ];
    notes.extend(marks(blocks.iter().copied()));
    notes.extend(inputs(blocks.iter().copied()));
    let title = format!("{}: bandwidth by array size", spoken(workload));
    Table { title, notes, columns, keys: 2, rows, detail: false }
}

fn speed_ups(workload: Workload, blocks: &[&Block]) -> Table {
    let entry = |cell: &Cell| match cell.figures().and_then(|figures| figures.speed_up) {
        Some(_) if cell.configuration.strategy.is_serial() => Entry::plain("baseline"),
        Some(speed_up) => Entry::judged(format::ratio(speed_up.value), &speed_up, 1.0),
        None => Entry::plain("no baseline"),
    };
    let (columns, rows) = matrix(blocks, heading, entry);
    Table {
        title: format!("{}: speed-up by array size", spoken(workload)),
        notes: vec!["Serial time ÷ this time within the same round.".to_owned()],
        columns,
        keys: 2,
        rows,
        detail: true,
    }
}

fn findings(experiment: &Experiment, workload: Workload, blocks: &[&Block]) -> Table {
    let of_workload = experiment.payload.iter().filter(|finding| finding.workload == workload);
    Table {
        title: format!("{}: arrays that pay", spoken(workload)),
        notes: vec![
            "pays from: the array from which on it is faster than serial. always: slower at no size, \
             faster at some; level: neither is faster at the largest sizes; never: slower at the \
             largest size. Sizes with too few rounds for an interval tell nothing."
                .to_owned(),
        ],
        columns: columns(&["strategy", "w"], &["pays from", "(95 %)", "best bandwidth", "at"]),
        keys: 2,
        rows: of_workload.map(|finding| row(finding, blocks)).collect(),
        detail: true,
    }
}

fn row(finding: &PayloadFinding, blocks: &[&Block]) -> Row {
    let mut cells = blocks
        .iter()
        .flat_map(|block| &block.cells)
        .filter(|cell| cell.configuration == finding.configuration);
    let oversubscribed = cells.clone().any(|cell| cell.oversubscribed);
    let values = match (finding.best_bytes_per_s, finding.best_at_bytes) {
        (Some(rate), Some(bytes)) => {
            let [from, interval] = pays(&finding.against_serial);
            Values::Entries(vec![
                from,
                interval,
                Entry::plain(format::bandwidth(rate)),
                Entry::plain(format::bytes(bytes as f64)),
            ])
        }
        _ => Values::Instead(
            cells.find_map(Cell::why_not).unwrap_or_else(|| "not measured".to_owned()),
        ),
    };
    Row { keys: keys(&finding.configuration, oversubscribed), values }
}

fn pays(break_even: &BreakEven) -> [Entry; 2] {
    let without_interval = |text: &str| [Entry::plain(text), Entry::plain(format::NONE)];
    match break_even {
        BreakEven::From { size } => [
            Entry::plain(format::bytes(size.value)),
            Entry::plain(format::interval_of_size(size, format::bytes)),
        ],
        BreakEven::Always { .. } => without_interval("always"),
        BreakEven::Never { .. } => without_interval("never"),
        BreakEven::Level { .. } => without_interval("level"),
        BreakEven::NotMeasured => without_interval("no baseline"),
    }
}
