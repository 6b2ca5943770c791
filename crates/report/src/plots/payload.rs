//! Bandwidth over array size, one plot a workload.

use harness::{Configuration, Workload};

use super::{
    Plot,
    axis::Axis,
    chart::{Chart, Point, Series},
    palette::look,
    stem,
};
use crate::{
    format,
    model::{Block, Experiment},
};

pub(super) fn plots(experiment: &Experiment) -> Vec<Plot> {
    Workload::ALL.into_iter().filter_map(|workload| plot(experiment, workload)).collect()
}

fn plot(experiment: &Experiment, workload: Workload) -> Option<Plot> {
    let blocks: Vec<&Block> =
        experiment.blocks.iter().filter(|block| block.job.workload == workload).collect();
    let series = series(&blocks);
    let points = || series.iter().flat_map(|series| &series.points);
    points().next()?;
    let largest = points().map(|point| point.y).fold(0.0, f64::max);
    let xs = points().map(|point| 2f64.powf(point.x));
    let title = format!("{}: bandwidth by array size", workload.name().replace('-', " "));
    let chart = Chart {
        title: title.clone(),
        x: Axis::logarithmic("size of the array", 2.0, xs, format::bytes),
        y: Axis::from_zero("bytes of the array ÷ time", largest, format::bandwidth),
        series,
        guide: None,
        shaded_from: None,
    };
    let name = stem(&[&experiment.name, workload.name()]);
    let description = description(experiment, workload);
    let svg = chart.draw(&name, &description);
    Some(Plot { name, experiment: experiment.name.clone(), title, description, svg })
}

/// One line a configuration that is not oversubscribed.
fn series(blocks: &[&Block]) -> Vec<Series> {
    let mut configurations: Vec<&Configuration> = Vec::new();
    for cell in blocks.iter().flat_map(|block| &block.cells) {
        if !cell.oversubscribed && !configurations.contains(&&cell.configuration) {
            configurations.push(&cell.configuration);
        }
    }
    let of_configuration = |configuration: &&Configuration| {
        let mut points: Vec<Point> = blocks
            .iter()
            .filter(|block| block.payload_bytes > 0)
            .filter_map(|block| {
                let cell = block.cells.iter().find(|c| c.configuration == **configuration)?;
                let y = cell.figures()?.payload_bytes_per_s;
                Some(Point { x: (block.payload_bytes as f64).log2(), y, interval: None })
            })
            .collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        let failed = if points.is_empty() { " (no figures)" } else { "" };
        Series {
            label: format!("{configuration}{failed}"),
            look: look(&configuration.strategy),
            points,
            predicted: Vec::new(),
        }
    };
    configurations.iter().map(of_configuration).collect()
}

fn description(experiment: &Experiment, workload: Workload) -> String {
    let findings = experiment.payload.iter().filter(|finding| finding.workload == workload);
    let sentences = findings.map(|finding| match finding.best_bytes_per_s {
        Some(rate) => format!("{}: at most {}", finding.configuration, format::bandwidth(rate)),
        None => format!("{}: no figures", finding.configuration),
    });
    format!("Bytes a second over array size. {}.", sentences.collect::<Vec<_>>().join("; "))
}
