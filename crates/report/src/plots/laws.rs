//! Speed-ups that fitted laws foretell, apart from those that were measured.

use harness::Workload;

use super::{
    Plot,
    axis::Axis,
    chart::{Chart, Guide, Point, Series},
    palette::look,
    stem,
};
use crate::{
    format,
    model::{Cell, Experiment, PredictedSpeedUp, ScalingFinding},
};

/// A plot a workload, where any law could be fitted.
pub(super) fn plots(experiment: &Experiment) -> Vec<Plot> {
    Workload::ALL.into_iter().filter_map(|workload| plot(experiment, workload)).collect()
}

fn plot(experiment: &Experiment, workload: Workload) -> Option<Plot> {
    let of_workload = experiment.scaling.iter().filter(|finding| finding.workload == workload);
    let findings: Vec<&ScalingFinding> = of_workload.collect();
    let counts = &findings.iter().find(|finding| !finding.predicted.is_empty())?.predicted;
    let series: Vec<Series> =
        findings.iter().map(|finding| series(experiment, finding, counts)).collect();
    let speed_ups = series.iter().flat_map(|s| s.points.iter().chain(&s.predicted));
    let most = counts.last().map_or(1, |at| at.workers) as f64;
    let values = speed_ups.map(|point| 2f64.powf(point.y)).chain([most]);
    let title = format!(
        "{}: speed-up, PREDICTED by laws; large marks: measured",
        workload.name().replace('-', " ")
    );
    let beyond = counts.iter().position(|at| at.beyond_cores);
    let chart = Chart {
        title: title.clone(),
        x: Axis::places("workers", counts.iter().map(|at| at.workers.to_string()).collect()),
        y: Axis::logarithmic("speed-up over serial", 2.0, values, |y| format!("{y}×")),
        series,
        guide: Some(Guide {
            points: (0..counts.len())
                .map(|place| (place as f64, (counts[place].workers as f64).log2()))
                .collect(),
            label: "ideal".to_owned(),
        }),
        shaded_from: beyond.map(|place| {
            (place as f64 - 0.5, "predicted: this machine has no such cores".to_owned())
        }),
    };
    let name = stem(&[&experiment.name, workload.name(), "predicted"]);
    let description = description(&findings);
    let svg = chart.draw(&name, &description);
    Some(Plot { name, experiment: experiment.name.clone(), title, description, svg })
}

/// What was measured within the cores, and what the richer law that could be
/// fitted says.
fn series(
    experiment: &Experiment,
    finding: &ScalingFinding,
    counts: &[PredictedSpeedUp],
) -> Series {
    let place = |workers: usize| Some(counts.iter().position(|at| at.workers == workers)? as f64);
    let blocks = experiment.blocks.iter().filter(|b| b.job.workload == finding.workload);
    let cells = blocks.flat_map(|block| &block.cells);
    let measured = |cell: &Cell| {
        let speed_up =
            cell.figures()?.speed_up.filter(|s| s.value > 0.0 && !cell.oversubscribed)?;
        let interval = speed_up.interval().filter(|(low, _)| *low > 0.0);
        Some(Point {
            x: place(cell.workers())?,
            y: speed_up.value.log2(),
            interval: interval.map(|(low, high)| (low.log2(), high.log2())),
        })
    };
    let predicted = |at: &PredictedSpeedUp| {
        let (_, value) = told(at)?;
        Some(Point { x: place(at.workers)?, y: value.log2(), interval: None })
    };
    let mut points: Vec<Point> = cells
        .filter(|cell| cell.configuration.strategy == finding.strategy)
        .filter_map(measured)
        .collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    let law = finding.predicted.iter().find_map(told).map_or("refused", |(law, _)| law);
    Series {
        label: format!("{} ({law})", finding.strategy),
        look: look(&finding.strategy),
        points,
        predicted: finding.predicted.iter().filter_map(predicted).collect(),
    }
}

fn told(at: &PredictedSpeedUp) -> Option<(&'static str, f64)> {
    let amdahl = at.amdahl.map(|estimate| ("Amdahl", estimate.value));
    at.usl.map(|value| ("USL", value)).or(amdahl)
}

fn description(findings: &[&ScalingFinding]) -> String {
    let sentence = |finding: &&ScalingFinding| {
        let last = finding.predicted.last().and_then(|at| Some((at.workers, told(at)?)));
        match last {
            Some((workers, (law, value))) => {
                format!("{}: {} with {workers} by {law}", finding.strategy, format::ratio(value))
            }
            None => format!("{}: refused", finding.strategy),
        }
    };
    let sentences: Vec<String> = findings.iter().map(sentence).collect();
    format!("Predicted by fitted laws, not measured. {}.", sentences.join("; "))
}
