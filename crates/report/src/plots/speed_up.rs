//! Speed-up over workers, one plot a workload.

use harness::{Strategy, Workload};

use super::{
    Plot,
    axis::Axis,
    chart::{Chart, Guide, Point, Series},
    palette::look,
    stem,
};
use crate::{
    format,
    model::{Block, Cell, Experiment},
};

pub(super) fn plots(experiment: &Experiment) -> Vec<Plot> {
    let of_workload = |workload: Workload| {
        let blocks: Vec<&Block> =
            experiment.blocks.iter().filter(|block| block.job.workload == workload).collect();
        plot(experiment, workload, &blocks)
    };
    Workload::ALL.into_iter().filter_map(of_workload).collect()
}

fn plot(experiment: &Experiment, workload: Workload, blocks: &[&Block]) -> Option<Plot> {
    let cells: Vec<&Cell> = blocks.iter().flat_map(|block| &block.cells).collect();
    let speed_up = |cell: &Cell| cell.figures().and_then(|figures| figures.speed_up);
    let largest = cells.iter().filter_map(|cell| speed_up(cell)).map(|e| e.high.unwrap_or(e.value));
    let largest = largest.fold(None, |most: Option<f64>, s| Some(most.map_or(s, |m| m.max(s))))?;
    let mut worker_counts: Vec<usize> = cells.iter().map(|cell| cell.workers()).collect();
    worker_counts.sort_unstable();
    worker_counts.dedup();
    let cores = blocks.first()?.available_cores;
    let title = format!("{}: speed-up over workers", workload.name().replace('-', " "));
    let ideal = worker_counts.iter().take_while(|&&w| w <= cores).copied().max().unwrap_or(1);
    let chart = Chart {
        title: title.clone(),
        x: Axis::places("workers", worker_counts.iter().map(ToString::to_string).collect()),
        y: Axis::from_zero("speed-up over serial", largest.max(ideal as f64), |y| {
            format!("{}×", (y * 100.0).round() / 100.0)
        }),
        series: series(&cells, &worker_counts),
        guide: Some(ideal_line(&worker_counts, cores)),
        shaded_from: worker_counts
            .iter()
            .position(|&workers| workers > cores)
            .map(|place| (place as f64 - 0.5, "more workers than cores".to_owned())),
    };
    let name = stem(&[&experiment.name, workload.name()]);
    let description = description(&cells);
    let svg = chart.draw(&name, &description);
    Some(Plot { name, experiment: experiment.name.clone(), title, description, svg })
}

/// One line a strategy. Strategies stand a little beside each other, so that
/// equal ones do not hide each other.
fn series(cells: &[&Cell], worker_counts: &[usize]) -> Vec<Series> {
    let mut strategies: Vec<&Strategy> = Vec::new();
    for cell in cells {
        if !strategies.contains(&&cell.configuration.strategy) {
            strategies.push(&cell.configuration.strategy);
        }
    }
    let beside = |index: usize| {
        let middle = (strategies.len() as f64 - 1.0) / 2.0;
        (index as f64 - middle) * 0.3 / strategies.len() as f64
    };
    let of_strategy = |(index, strategy): (usize, &&Strategy)| {
        let mut points: Vec<Point> = cells
            .iter()
            .filter(|cell| cell.configuration.strategy == **strategy)
            .filter_map(|cell| {
                let estimate = cell.figures()?.speed_up?;
                let place = worker_counts.iter().position(|&w| w == cell.workers())?;
                let x = place as f64 + beside(index);
                Some(Point { x, y: estimate.value, interval: estimate.interval() })
            })
            .collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        let failed = if points.is_empty() { " (no figures)" } else { "" };
        let label = format!("{strategy}{failed}");
        Series { label, look: look(strategy), points, predicted: Vec::new() }
    };
    strategies.iter().enumerate().map(of_strategy).collect()
}

/// As many times as fast as there are workers, up to the cores.
fn ideal_line(worker_counts: &[usize], cores: usize) -> Guide {
    let places = worker_counts.iter().enumerate();
    let points = places.map(|(place, &w)| (place as f64, w.min(cores) as f64)).collect();
    Guide { points, label: "ideal".to_owned() }
}

fn description(cells: &[&Cell]) -> String {
    let shown = cells.iter().filter(|cell| !cell.configuration.strategy.is_serial());
    let sentence = |cell: &&Cell| match cell.figures().and_then(|figures| figures.speed_up) {
        Some(speed_up) => format!("{}: {}", cell.configuration, format::ratio(speed_up.value)),
        None => {
            let why = cell.why_not().unwrap_or_else(|| "no baseline".to_owned());
            format!("{}: {why}", cell.configuration)
        }
    };
    format!("Speed-up over serial. {}.", shown.map(sentence).collect::<Vec<_>>().join("; "))
}
