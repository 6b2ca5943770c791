//! What more cores would do, by simulation: apart from every other plot, and
//! shaded where nothing was or could be measured.

use stats::{Metg, simulation::Ranged};

use super::{
    Plot,
    axis::Axis,
    chart::{Chart, Guide, Point, Series},
    palette::look,
    stem,
};
use crate::{
    format,
    model::{Experiment, Foretold, PredictedAt, PredictionFinding},
    tables::predictions::{foretold, off_by},
};

pub(super) fn plots(experiment: &Experiment) -> Vec<Plot> {
    let findings = &experiment.predictions;
    let Some(model) = findings.iter().find_map(foretold) else { return Vec::new() };
    vec![metg(experiment, model), efficiency(experiment, model)]
}

fn metg(experiment: &Experiment, model: &Foretold) -> Plot {
    let metg = |at: &PredictedAt| at.metg_ns.map(|metg| logarithms(&metg));
    let series = series(experiment, model, metg, |finding, cores| {
        let mut here = experiment.granularity.iter().filter(|found| {
            found.workload == finding.workload
                && found.configuration.strategy == finding.strategy
                && found.configuration.workers.get() == cores
        });
        match here.next()?.metg {
            Metg::At { granularity_ns } => Some(granularity_ns.value.log10()),
            _ => None,
        }
    });
    let values = series.iter().flat_map(Series::all_points).flat_map(|point| {
        let (low, high) = point.interval.unwrap_or((point.y, point.y));
        [low, high].map(|exponent| 10f64.powf(exponent))
    });
    let y = Axis::logarithmic("METG(50%): mean task time", 10.0, values, format::time);
    draw(experiment, model, "METG(50%), PREDICTED; large marks: measured", "metg", y, None, series)
}

fn efficiency(experiment: &Experiment, model: &Foretold) -> Plot {
    let predicted = |at: &PredictedAt| Some(at.efficiency);
    let series = series(experiment, model, predicted, |_, _| None);
    let task = format::time(model.efficiency_task_ns);
    let title = format!("efficiency with tasks of {task}, PREDICTED");
    let y =
        Axis::from_zero("efficiency: speed-up ÷ workers", 1.0, |y| format!("{:.0} %", y * 100.0));
    let places = model.at.len() as f64;
    let half = Guide { points: vec![(-0.5, 0.5), (places - 0.5, 0.5)], label: "50 %".to_owned() };
    draw(experiment, model, &title, "efficiency", y, Some(half), series)
}

fn draw(
    experiment: &Experiment,
    model: &Foretold,
    figure: &str,
    short: &str,
    y: Axis,
    guide: Option<Guide>,
    series: Vec<Series>,
) -> Plot {
    let workload = experiment.predictions[0].workload;
    let title = format!("{}: {figure}", workload.name().replace('-', " "));
    let beyond = model.at.iter().position(|at| at.beyond_cores);
    let chart = Chart {
        title: title.clone(),
        x: Axis::places(
            "workers, each on a core of its own; in the legend: how far jobs are off, half of them \
             and at most",
            model.at.iter().map(|at| at.workers.to_string()).collect(),
        ),
        y,
        series,
        guide,
        shaded_from: beyond.map(|place| {
            (
                place as f64 - 0.5,
                "predicted by simulation: this machine has no such cores".to_owned(),
            )
        }),
    };
    let name = stem(&[&experiment.name, workload.name(), short, "predicted"]);
    let description = description(experiment);
    let svg = chart.draw(&name, &description);
    Plot { name, experiment: experiment.name.clone(), title, description, svg }
}

/// One line a strategy, a little beside each other. Only what was `measured`
/// has a place among a series' points.
fn series(
    experiment: &Experiment,
    model: &Foretold,
    predicted: impl Fn(&PredictedAt) -> Option<Ranged>,
    measured: impl Fn(&PredictionFinding, usize) -> Option<f64>,
) -> Vec<Series> {
    let findings = &experiment.predictions;
    let cores = experiment.blocks.first().map_or(1, |block| block.available_cores);
    let of_finding = |(index, finding): (usize, &PredictionFinding)| {
        let middle = (findings.len() as f64 - 1.0) / 2.0;
        let beside = (index as f64 - middle) * 0.5 / findings.len() as f64;
        let at = foretold(finding).map_or(&[][..], |model| &model.at);
        let place = |workers: usize| model.at.iter().position(|at| at.workers == workers);
        let points = measured(finding, cores).zip(place(cores)).map(|(y, place)| Point {
            x: place as f64 + beside,
            y,
            interval: None,
        });
        let predicted = at.iter().enumerate().map(|(place, at)| {
            let figure = predicted(at)?;
            let x = place as f64 + beside;
            Some(Point { x, y: figure.value, interval: Some((figure.low, figure.high)) })
        });
        Series {
            label: format!("{} ({})", finding.strategy, error(finding)),
            look: look(&finding.strategy),
            points: points.into_iter().collect(),
            predicted: predicted.collect(),
        }
    };
    findings.iter().enumerate().map(of_finding).collect()
}

fn error(finding: &PredictionFinding) -> String {
    match foretold(finding).map(|model| model.model.check.jobs) {
        None => "refused".to_owned(),
        Some(None) => "unchecked".to_owned(),
        Some(Some(errors)) => off_by(&errors),
    }
}

fn logarithms(ranged: &Ranged) -> Ranged {
    Ranged { value: ranged.value.log10(), low: ranged.low.log10(), high: ranged.high.log10() }
}

fn description(experiment: &Experiment) -> String {
    let sentence = |finding: &PredictionFinding| {
        let last = foretold(finding).and_then(|model| model.at.last());
        let metg = last.and_then(|at| Some((at.workers, at.metg_ns?)));
        match metg {
            Some((workers, metg)) => format!(
                "{}: METG(50%) {} with {workers} workers ({})",
                finding.strategy,
                format::time(metg.value),
                format::range(&format::time(metg.low), &format::time(metg.high))
            ),
            None => format!("{}: {}", finding.strategy, error(finding)),
        }
    };
    let sentences: Vec<String> = experiment.predictions.iter().map(sentence).collect();
    format!("Predicted by simulation, not measured. {}.", sentences.join("; "))
}
