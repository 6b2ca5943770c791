//! The parts of a whole cycle, one plot a block.

use stats::Estimate;

use super::{
    Plot,
    bars::{Bar, Bars},
    stem,
};
use crate::{
    format,
    model::{Block, Cell, Experiment},
};

pub(super) fn plots(experiment: &Experiment) -> Vec<Plot> {
    experiment.blocks.iter().filter_map(|block| plot(experiment, block)).collect()
}

fn plot(experiment: &Experiment, block: &Block) -> Option<Plot> {
    block.cells.iter().find(|cell| cell.figures().is_some())?;
    let title = format!("{}: parts of a whole cycle", block.job.workload.name().replace('-', " "));
    let bars = Bars { title: title.clone(), bars: block.cells.iter().map(bar).collect() };
    let name = stem(&[&experiment.name, &block.block]);
    let description = description(block);
    let svg = bars.draw(&name, &description);
    Some(Plot { name, experiment: experiment.name.clone(), title, description, svg })
}

fn bar(cell: &Cell) -> Bar {
    let mark = if cell.oversubscribed { "*" } else { "" };
    let label = format!("{}{mark}", cell.configuration);
    let Some(figures) = cell.figures() else {
        let note = cell.why_not().unwrap_or_default();
        return Bar { label, parts_ns: [0.0; 4], note };
    };
    let phases = figures.phases;
    let parts_ns = [phases.start_up_ns, phases.first_task_ns, phases.run_ns, phases.shutdown_ns]
        .map(|phase| phase.map_or(0.0, |estimate: Estimate| estimate.value));
    let note = phases.cold_ns.map(|cold| format::time(cold.value)).unwrap_or_default();
    Bar { label, parts_ns, note }
}

fn description(block: &Block) -> String {
    let sentence = |cell: &Cell| {
        let cold = cell.figures().and_then(|figures| figures.phases.cold_ns);
        let told = cold.map(|cold| format::time(cold.value)).or_else(|| cell.why_not());
        format!("{}: {}", cell.configuration, told.unwrap_or_default())
    };
    let sentences: Vec<String> = block.cells.iter().map(sentence).collect();
    format!("Whole cycle of start-up, first task, run and shutdown. {}.", sentences.join("; "))
}
