//! The parts of a whole cycle, one plot a job.

use harness::Job;
use stats::Estimate;

use super::{
    Plot,
    bars::{Bar, Bars},
    stem,
};
use crate::{
    format,
    model::{Cell, Experiment},
};

/// Blocks of the same job share a plot, whatever their worker counts.
pub(super) fn plots(experiment: &Experiment) -> Vec<Plot> {
    let mut jobs: Vec<Job> = Vec::new();
    for block in &experiment.blocks {
        if !jobs.contains(&block.job) {
            jobs.push(block.job);
        }
    }
    jobs.into_iter().filter_map(|job| plot(experiment, job)).collect()
}

fn plot(experiment: &Experiment, job: Job) -> Option<Plot> {
    let blocks = experiment.blocks.iter().filter(|block| block.job == job);
    let cells: Vec<&Cell> = blocks.flat_map(|block| &block.cells).collect();
    cells.iter().find(|cell| cell.figures().is_some())?;
    let workload = job.workload.name().replace('-', " ");
    let tasks = format::count(job.tasks);
    let size = format::count(job.task_size);
    let title = format!("whole cycle: {workload}, {tasks} tasks of {size} elements");
    let bars = Bars { title: title.clone(), bars: cells.iter().map(|cell| bar(cell)).collect() };
    let name = stem(&[
        &experiment.name,
        job.workload.name(),
        &job.tasks.to_string(),
        &job.task_size.to_string(),
    ]);
    let description = description(&cells);
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

fn description(cells: &[&Cell]) -> String {
    let sentence = |cell: &&Cell| {
        let cold = cell.figures().and_then(|figures| figures.phases.cold_ns);
        let told = cold.map(|cold| format::time(cold.value)).or_else(|| cell.why_not());
        format!("{}: {}", cell.configuration, told.unwrap_or_default())
    };
    let sentences: Vec<String> = cells.iter().map(sentence).collect();
    format!("Whole cycle of start-up, first task, run and shutdown. {}.", sentences.join("; "))
}
