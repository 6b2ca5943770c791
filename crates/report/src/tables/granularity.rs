//! How small tasks may be.

use stats::{BreakEven, Metg};

use super::{Entry, Row, Table, Values, by_workload, columns, inputs, keys, marks, matrix, spoken};
use crate::{
    format,
    model::{Block, Cell, Experiment, GranularityFinding},
};

pub(super) fn tables(experiment: &Experiment) -> Vec<Table> {
    let groups = by_workload(experiment, |block| block.job.task_size as u64);
    groups
        .into_iter()
        .flat_map(|(workload, blocks)| {
            [
                findings(experiment, workload, &blocks),
                efficiencies(workload, &blocks),
                throughputs(workload, &blocks),
            ]
        })
        .collect()
}

fn findings(experiment: &Experiment, workload: harness::Workload, blocks: &[&Block]) -> Table {
    let mut notes = vec![
        "METG(50%): the smallest mean task time (time × workers ÷ tasks) that keeps half the ideal \
         throughput. vs serial, vs threads: the task, by its serial time, from which on it is \
         faster than serial and than the best threads. always: slower at no size, faster at some; \
         level: neither is faster at the largest sizes; never: slower at the largest size. \
         Sizes with too few rounds for an interval tell nothing."
            .to_owned(),
    ];
    notes.extend(marks(blocks.iter().copied()));
    notes.extend(inputs(blocks.iter().copied()));
    let of_workload = experiment.granularity.iter().filter(|f| f.workload == workload);
    Table {
        title: format!("{}: smallest tasks that pay", spoken(workload)),
        notes,
        columns: columns(&["strategy", "w"], &["METG(50%)", "(95 %)", "vs serial", "vs threads"]),
        keys: 2,
        rows: of_workload.map(|finding| row(experiment, finding, blocks)).collect(),
        detail: false,
    }
}

fn row(experiment: &Experiment, finding: &GranularityFinding, blocks: &[&Block]) -> Row {
    let measured = |block: &&Block| {
        let here = block.cells.iter().find(|c| c.configuration == finding.configuration);
        here.is_some_and(|cell| cell.figures().is_some())
    };
    let values = match finding.failures.first() {
        Some(failure) if !blocks.iter().any(measured) => {
            let why = failure.split_once(": ").map_or(failure.as_str(), |(_, why)| why);
            Values::Instead(why.to_owned())
        }
        _ => {
            let against_threads = experiment.processes_against_threads.iter().find(|advantage| {
                advantage.workload == finding.workload
                    && advantage.configuration == finding.configuration
            });
            let [value, interval] = metg(&finding.metg);
            Values::Entries(vec![
                value,
                interval,
                pays(&finding.against_serial),
                against_threads
                    .map_or(Entry::plain(format::NONE), |found| pays(&found.against_threads)),
            ])
        }
    };
    Row { keys: keys(&finding.configuration, finding.oversubscribed), values }
}

fn metg(metg: &Metg) -> [Entry; 2] {
    match metg {
        Metg::At { granularity_ns } => [
            Entry::plain(format::time(granularity_ns.value)),
            Entry::plain(format::interval_of_size(granularity_ns, format::time)),
        ],
        Metg::BelowMeasured { smallest_ns } => [
            Entry::plain(format!("below {}", format::time(*smallest_ns))),
            Entry::plain(format::NONE),
        ],
        Metg::NeverReached { largest_ns } => [
            Entry::plain(format!("above {}", format::time(*largest_ns))),
            Entry::plain(format::NONE),
        ],
        Metg::NotMeasured => [Entry::failed("not measured"), Entry::plain(format::NONE)],
    }
}

fn pays(break_even: &BreakEven) -> Entry {
    match break_even {
        BreakEven::From { size } => Entry::plain(format::time(size.value)),
        BreakEven::Always { .. } => Entry::plain("always"),
        BreakEven::Never { .. } => Entry::plain("never"),
        BreakEven::Level { .. } => Entry::plain("level"),
        BreakEven::NotMeasured => Entry::failed("not measured"),
    }
}

/// "1 000" and below it the serial time of such a task.
fn heading(block: &Block) -> String {
    format::count(block.job.task_size)
}

fn efficiencies(workload: harness::Workload, blocks: &[&Block]) -> Table {
    let mark = |cell: &Cell| if cell.counts.contaminated_used { "!" } else { "" };
    let entry = |cell: &Cell| match cell.figures().and_then(|figures| figures.efficiency) {
        Some(baseline) if cell.configuration.strategy.is_serial() => {
            Entry::plain(format::percent(baseline.value))
        }
        Some(efficiency) => {
            let text = format!("{}{}", format::percent(efficiency.value), mark(cell));
            Entry::judged(text, &efficiency, 0.5)
        }
        None => Entry::plain("no baseline"),
    };
    let (columns, rows) = matrix(blocks, heading, entry);
    let mut notes = vec!["Speed-up ÷ workers; columns: elements in a task.".to_owned()];
    let serial = blocks.iter().filter_map(|block| {
        Some(format!("{}: {}", heading(block), format::time(block.serial_task_ns()?)))
    });
    let serial: Vec<String> = serial.collect();
    if !serial.is_empty() {
        notes.push(format!("Serial time of a task: {}.", serial.join("; ")));
    }
    notes.extend(marks(blocks.iter().copied()));
    let title = format!("{}: efficiency by task size", spoken(workload));
    Table { title, notes, columns, keys: 2, rows, detail: false }
}

fn throughputs(workload: harness::Workload, blocks: &[&Block]) -> Table {
    let entry =
        |cell: &Cell| Entry::optional(cell.figures(), |figures| format::rate(figures.tasks_per_s));
    let (columns, rows) = matrix(blocks, heading, entry);
    Table {
        title: format!("{}: tasks a second by task size", spoken(workload)),
        notes: vec!["Columns: elements in a task.".to_owned()],
        columns,
        keys: 2,
        rows,
        detail: true,
    }
}
