//! What more cores would do, by simulation.

use stats::{
    Metg,
    simulation::{Errors, Ranged},
};

use super::{Entry, Row, Table, Values, columns, spoken};
use crate::{
    format,
    model::{Experiment, Fit, Foretold, PredictedAt, PredictionFinding},
};

/// Workers of the table that everybody sees; the plot and the folded tables
/// have the rest.
const SHOWN: usize = 1024;

pub(super) fn tables(experiment: &Experiment) -> Vec<Table> {
    let Some(first) = experiment.predictions.first() else { return Vec::new() };
    let spoken = spoken(first.workload);
    let mut tables = vec![overview(experiment, &spoken)];
    let Some(model) = experiment.predictions.iter().find_map(foretold) else { return tables };
    let task = format::time(model.efficiency_task_ns);
    tables.push(every_count(
        experiment,
        model,
        format!("{spoken}: METG(50%) by workers, predicted"),
        |at| at.metg_ns.map_or(Entry::plain(format::NONE), |metg| range(&metg, format::time)),
    ));
    tables.push(every_count(
        experiment,
        model,
        format!("{spoken}: efficiency with tasks of {task} by workers, predicted"),
        |at| range(&at.efficiency, format::percent),
    ));
    tables.push(costs(experiment, &spoken));
    tables
}

pub(crate) fn foretold(finding: &PredictionFinding) -> Option<&Foretold> {
    match &finding.prediction {
        Fit::Fitted(foretold) => Some(foretold),
        Fit::Refused(_) => None,
    }
}

fn overview(experiment: &Experiment, spoken: &str) -> Table {
    let cores = experiment.blocks.first().map_or(1, |block| block.available_cores);
    let mut notes = vec![
        "Predicted is not measured: a simulation of the job with as many cores as workers, fed \
         with the costs of dispatch that fit the times measured here. range: what costs give \
         that fit about as well. off by: how far a job's predicted time was from the measured one, \
         half of the jobs and at most, each predicted from all others, where those tell the costs."
            .to_owned(),
    ];
    notes.extend(extrapolation(experiment));
    notes.extend(refusals(experiment));
    let headings = ["measured", "predicted", "(range)", "off by"];
    Table {
        title: format!(
            "{spoken}: METG(50%) measured with w={cores}, and PREDICTED with w={}",
            format::count(SHOWN)
        ),
        notes,
        columns: columns(&["strategy"], &headings),
        keys: 1,
        rows: rows(experiment, |finding, model| {
            let metg = model.at.iter().find(|at| at.workers == SHOWN).and_then(|at| at.metg_ns);
            vec![
                measured_metg(experiment, finding, cores),
                Entry::optional(metg, |metg| format::time(metg.value)),
                Entry::optional(metg, |metg| ends(&metg, format::time)),
                Entry::optional(model.model.check.jobs, |errors| off_by(&errors)),
            ]
        }),
        detail: false,
    }
}

/// Whether the most workers could be predicted from fewer, and how far that was off.
fn extrapolation(experiment: &Experiment) -> Option<String> {
    let checks = || experiment.predictions.iter().filter_map(foretold).map(|f| &f.model.check);
    checks().next()?;
    if let Some(most) = checks().filter_map(|check| check.most_workers).max_by(by_median) {
        return Some(format!(
            "The most workers that have a core here, predicted from fewer: off by {} in the worst \
             strategy.",
            off_by(&most)
        ));
    }
    let why = match checks().find_map(|check| check.most_workers_refused.as_deref()) {
        Some(refusal) => format!(
            "without the jobs of the most workers, {}",
            refusal.lines().next().unwrap_or_default()
        ),
        None => "fewer than three worker counts have cores here".to_owned(),
    };
    Some(format!("No prediction for more workers could be held against a measurement: {why}."))
}

fn by_median(a: &Errors, b: &Errors) -> std::cmp::Ordering {
    a.median.total_cmp(&b.median)
}

/// The reasons of all refusals, each once.
fn refusals(experiment: &Experiment) -> Vec<String> {
    let mut notes = Vec::new();
    for finding in &experiment.predictions {
        if let Fit::Refused(reason) = &finding.prediction {
            let note = format!("Refused: {}.", reason.lines().next().unwrap_or_default());
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}

/// What was measured with the most workers that have a core.
fn measured_metg(experiment: &Experiment, finding: &PredictionFinding, cores: usize) -> Entry {
    let here = experiment.granularity.iter().filter(|found| {
        found.workload == finding.workload
            && found.configuration.strategy == finding.strategy
            && found.configuration.workers.get() == cores
    });
    Entry::optional(here.map(|found| &found.metg).next(), |metg| match metg {
        Metg::At { granularity_ns } => format::time(granularity_ns.value),
        Metg::BelowMeasured { smallest_ns } => format!("below {}", format::time(*smallest_ns)),
        Metg::NeverReached { largest_ns } => format!("above {}", format::time(*largest_ns)),
        Metg::NotMeasured => format::NONE.to_owned(),
    })
}

fn every_count(
    experiment: &Experiment,
    model: &Foretold,
    title: String,
    entry: impl Fn(&PredictedAt) -> Entry,
) -> Table {
    let headings: Vec<String> = model.at.iter().map(|at| format::count(at.workers)).collect();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    Table {
        title,
        notes: vec![format!(
            "PREDICTED by simulation, also for worker counts that were measured. {} tasks a \
             worker. In brackets: costs that fit about as well.",
            format::count(model.tasks_per_worker)
        )],
        columns: columns(&["strategy"], &headings),
        keys: 1,
        rows: rows(experiment, |_, model| model.at.iter().map(&entry).collect()),
        detail: true,
    }
}

fn costs(experiment: &Experiment, spoken: &str) -> Table {
    Table {
        title: format!("{spoken}: costs that the predictions rest on"),
        notes: vec![
            "Fitted to the warm jobs of all experiments. dispatch: of a task, and only one worker \
             at a time can be served (in brackets what fits about as well). claim: of a task, on \
             the worker's own core. wake: of a job. copy: of a KiB, one worker at a time. \
             checked: times that were predicted from the jobs of others, where those tell the \
             costs."
                .to_owned(),
        ],
        columns: columns(
            &["strategy"],
            &["dispatch", "(range)", "claim", "wake", "copy", "fitted to", "checked"],
        ),
        keys: 1,
        rows: rows(experiment, |_, model| {
            let (best, shared) = (
                model.model.costs,
                [model.model.least_shared.dispatch_ns, model.model.most_shared.dispatch_ns],
            );
            let range = Ranged { value: best.dispatch_ns, low: shared[0], high: shared[1] };
            let checked = model.model.check.jobs;
            vec![
                Entry::plain(format::time(best.dispatch_ns)),
                Entry::plain(ends(&range, format::time)),
                Entry::plain(format::time(best.claim_ns)),
                Entry::plain(format::time(best.wake_ns)),
                Entry::plain(format::time(best.copy_ns_per_byte * 1024.0)),
                Entry::plain(format!("{} times", model.walls)),
                Entry::plain(format!("{} of them", checked.map_or(0, |errors| errors.walls))),
            ]
        }),
        detail: true,
    }
}

fn rows(
    experiment: &Experiment,
    entries: impl Fn(&PredictionFinding, &Foretold) -> Vec<Entry>,
) -> Vec<Row> {
    let row = |finding: &PredictionFinding| Row {
        keys: vec![finding.strategy.to_string()],
        values: match foretold(finding) {
            Some(model) => Values::Entries(entries(finding, model)),
            None => Values::Instead("refused".to_owned()),
        },
    };
    experiment.predictions.iter().map(row).collect()
}

/// `8.1 %, 31 %`: the median and the largest.
pub(crate) fn off_by(errors: &Errors) -> String {
    format!("{}, {}", format::percent(errors.median), format::percent(errors.largest))
}

fn range(ranged: &Ranged, show: impl Fn(f64) -> String) -> Entry {
    Entry::plain(format!("{} ({})", show(ranged.value), ends(ranged, show)))
}

fn ends(ranged: &Ranged, show: impl Fn(f64) -> String) -> String {
    format::range(&show(ranged.low), &show(ranged.high))
}
