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
    model::{Cell, Experiment, Fit, PredictedSpeedUp, ScalingFinding},
};

/// A plot a workload, where any law could be fitted.
pub(super) fn plots(experiment: &Experiment) -> Vec<Plot> {
    Workload::ALL.into_iter().filter_map(|workload| plot(experiment, workload)).collect()
}

fn plot(experiment: &Experiment, workload: Workload) -> Option<Plot> {
    let of_workload = experiment.scaling.iter().filter(|finding| finding.workload == workload);
    let findings: Vec<&ScalingFinding> = of_workload.collect();
    let counts = &findings.iter().find(|finding| !finding.predicted.is_empty())?.predicted;
    let series: Vec<Series> = findings.iter().map(|finding| series(experiment, finding)).collect();
    let speed_ups = series.iter().flat_map(Series::all_points);
    let most = counts.last().map_or(1, |at| at.workers) as f64;
    let values = speed_ups.map(|point| 2f64.powf(point.y)).chain([most]);
    let title = format!(
        "{}: speed-up, PREDICTED by laws; large marks: measured",
        workload.name().replace('-', " ")
    );
    // Half way from the cores to the first count that is more.
    let cores = experiment.blocks.first().map_or(1, |block| block.available_cores);
    let beyond = counts.iter().find(|at| at.beyond_cores);
    let beyond = beyond.map(|at| f64::midpoint(place(cores), place(at.workers)));
    let chart = Chart {
        title: title.clone(),
        x: Axis::places("workers", counts.iter().map(|at| at.workers.to_string()).collect()),
        y: Axis::logarithmic("speed-up over serial", 2.0, values, |y| format!("{y}×")),
        series,
        guide: Some(Guide {
            points: counts.iter().map(|at| (place(at.workers), place(at.workers))).collect(),
            label: "ideal".to_owned(),
        }),
        shaded_from: beyond
            .map(|from| (from, "predicted: this machine has no such cores".to_owned())),
    };
    let name = stem(&[&experiment.name, workload.name(), "predicted"]);
    let description = description(&findings);
    let svg = chart.draw(&name, &description);
    Some(Plot { name, experiment: experiment.name.clone(), title, description, svg })
}

/// Where a number of workers stands among the powers of two, from one on.
fn place(workers: usize) -> f64 {
    (workers as f64).log2()
}

/// What was measured within the cores, and what the richer law that could be
/// fitted says.
fn series(experiment: &Experiment, finding: &ScalingFinding) -> Series {
    let fitted = experiment.largest_job(finding.workload);
    let blocks = experiment.blocks.iter().filter(|block| Some(block.job) == fitted);
    let cells = blocks.flat_map(|block| &block.cells);
    let measured = |cell: &Cell| {
        let speed_up =
            cell.figures()?.speed_up.filter(|s| s.value > 0.0 && !cell.oversubscribed)?;
        let interval = speed_up.interval().filter(|(low, _)| *low > 0.0);
        Some(Point {
            x: place(cell.workers()),
            y: speed_up.value.log2(),
            interval: interval.map(|(low, high)| (low.log2(), high.log2())),
        })
    };
    let mut points: Vec<Point> = cells
        .filter(|cell| cell.configuration.strategy == finding.strategy)
        .filter_map(measured)
        .collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    let law = law(finding);
    let predicted = |at: &PredictedSpeedUp| {
        let (_, told) = law?;
        Some(Point { x: place(at.workers), y: told(at)?.log2(), interval: None })
    };
    Series {
        label: format!("{} ({})", finding.strategy, law.map_or("refused", |(name, _)| name)),
        look: look(&finding.strategy),
        points,
        predicted: finding.predicted.iter().map(predicted).collect(),
    }
}

/// A law's name, and where a speed-up that it foretells stands.
type Law = (&'static str, fn(&PredictedSpeedUp) -> Option<f64>);

/// The richer law that could be fitted: one for the whole line, even where it
/// has no sense and another would have.
fn law(finding: &ScalingFinding) -> Option<Law> {
    match (&finding.usl, &finding.amdahl) {
        (Fit::Fitted(_), _) => Some(("USL", |at| at.usl)),
        (_, Fit::Fitted(_)) => Some(("Amdahl", |at| at.amdahl.map(|estimate| estimate.value))),
        _ => None,
    }
}

fn description(findings: &[&ScalingFinding]) -> String {
    let sentence = |finding: &&ScalingFinding| {
        let told = law(finding).zip(finding.predicted.last());
        let told = told.map(|((name, told), last)| (name, last.workers, told(last)));
        match told {
            Some((name, workers, Some(value))) => {
                format!("{}: {} with {workers} by {name}", finding.strategy, format::ratio(value))
            }
            Some((name, workers, None)) => {
                format!("{}: {name} has no sense with {workers}", finding.strategy)
            }
            None => format!("{}: refused", finding.strategy),
        }
    };
    let sentences: Vec<String> = findings.iter().map(sentence).collect();
    format!("Predicted by fitted laws, not measured. {}.", sentences.join("; "))
}
