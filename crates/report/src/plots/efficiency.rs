//! Efficiency against granularity, one plot a workload.

use harness::{Configuration, Workload};

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
    Workload::ALL.into_iter().filter_map(|workload| plot(experiment, workload)).collect()
}

fn plot(experiment: &Experiment, workload: Workload) -> Option<Plot> {
    let blocks: Vec<&Block> =
        experiment.blocks.iter().filter(|block| block.job.workload == workload).collect();
    let series = series(&blocks);
    let xs = || series.iter().flat_map(|s| &s.points).map(|point| 10f64.powf(point.x));
    xs().next()?;
    let largest = series.iter().flat_map(|s| &s.points).map(|p| p.y).fold(1.0, f64::max);
    let x = Axis::logarithmic(
        "granularity: mean task time, time × workers ÷ tasks",
        10.0,
        xs(),
        format::time,
    );
    let title = format!("{}: efficiency by granularity", workload.name().replace('-', " "));
    let chart = Chart {
        title: title.clone(),
        guide: Some(Guide { points: vec![(x.low, 0.5), (x.high, 0.5)], label: "50 %".to_owned() }),
        x,
        y: Axis::from_zero("efficiency: speed-up ÷ workers", largest, |y| {
            format!("{:.0} %", y * 100.0)
        }),
        series,
        shaded_from: None,
    };
    let name = stem(&[&experiment.name, workload.name()]);
    let description = description(experiment, workload);
    let svg = chart.draw(&name, &description);
    Some(Plot { name, experiment: experiment.name.clone(), title, description, svg })
}

/// One line a strategy: with the most workers that still have a core each.
fn series(blocks: &[&Block]) -> Vec<Series> {
    let mut shown: Vec<&Configuration> = Vec::new();
    for cell in blocks.iter().flat_map(|block| &block.cells) {
        let this = &cell.configuration;
        if this.strategy.is_serial() || cell.oversubscribed {
            continue;
        }
        match shown.iter_mut().find(|known| known.strategy == this.strategy) {
            Some(known) if known.workers < this.workers => *known = this,
            Some(_) => {}
            None => shown.push(this),
        }
    }
    // A line joins task sizes that follow each other: where overhead outweighs
    // the work, larger tasks do not always have the larger granularity.
    let mut by_size = blocks.to_vec();
    by_size.sort_by_key(|block| block.job.task_size);
    let of_configuration = |configuration: &&Configuration| {
        let cells = by_size.iter().flat_map(|block| &block.cells);
        let points: Vec<Point> =
            cells.filter(|cell| cell.configuration == **configuration).filter_map(point).collect();
        let failed = if points.is_empty() { " (no figures)" } else { "" };
        Series {
            label: format!("{configuration}{failed}"),
            look: look(&configuration.strategy),
            points,
            predicted: Vec::new(),
        }
    };
    shown.iter().map(of_configuration).collect()
}

fn point(cell: &Cell) -> Option<Point> {
    let figures = cell.figures()?;
    let granularity_ns = figures.granularity_ns.filter(|&ns| ns > 0.0)?;
    let efficiency = figures.efficiency?;
    Some(Point { x: granularity_ns.log10(), y: efficiency.value, interval: efficiency.interval() })
}

fn description(experiment: &Experiment, workload: Workload) -> String {
    let findings = experiment.granularity.iter().filter(|finding| finding.workload == workload);
    let sentence = |finding: &crate::model::GranularityFinding| {
        let metg = match finding.metg {
            stats::Metg::At { granularity_ns } => format::time(granularity_ns.value),
            stats::Metg::BelowMeasured { smallest_ns } => {
                format!("below {}", format::time(smallest_ns))
            }
            stats::Metg::NeverReached { largest_ns } => {
                format!("above {}", format::time(largest_ns))
            }
            stats::Metg::NotMeasured => "not measured".to_owned(),
        };
        format!("{}: {metg}", finding.configuration)
    };
    let sentences: Vec<String> = findings.map(sentence).collect();
    format!(
        "Efficiency rises with granularity. Granularity at which it passes 50 %: {}.",
        sentences.join("; ")
    )
}
