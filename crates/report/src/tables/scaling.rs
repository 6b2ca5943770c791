//! Serial fractions and scaling models.

use harness::Workload;
use stats::{amdahl::Amdahl, usl::Usl};

use super::{Column, Entry, Row, Table, Values, columns, spoken};
use crate::{
    format,
    model::{Experiment, Fit, ScalingFinding},
};

pub(super) fn tables(experiment: &Experiment) -> Vec<Table> {
    let of_workload = |workload| {
        let findings: Vec<&ScalingFinding> =
            experiment.scaling.iter().filter(|finding| finding.workload == workload).collect();
        (!findings.is_empty()).then(|| table(experiment, workload, &findings))
    };
    Workload::ALL.into_iter().filter_map(of_workload).collect()
}

fn table(experiment: &Experiment, workload: Workload, findings: &[&ScalingFinding]) -> Table {
    let mut worker_counts: Vec<usize> =
        findings.iter().flat_map(|f| &f.serial_fractions).map(|f| f.workers).collect();
    worker_counts.sort_unstable();
    worker_counts.dedup();
    let headings: Vec<String> =
        worker_counts.iter().map(|w| format!("Karp–Flatt, w={w}")).collect();
    let mut values: Vec<&str> = headings.iter().map(String::as_str).collect();
    values.extend(["Amdahl σ", "USL γ, α, β"]);
    Table {
        title: format!("{}: serial fraction", spoken(workload)),
        notes: notes(findings).into_iter().chain(fitted_job(experiment, workload)).collect(),
        columns: columns(&["strategy"], &values).into_iter().collect::<Vec<Column>>(),
        keys: 1,
        rows: findings.iter().map(|finding| row(finding, &worker_counts)).collect(),
        detail: true,
    }
}

fn row(finding: &ScalingFinding, worker_counts: &[usize]) -> Row {
    let fraction = |workers: &usize| {
        let at = finding.serial_fractions.iter().find(|f| f.workers == *workers);
        match at {
            Some(fraction) => Entry::plain(format::number_estimate(&fraction.serial_fraction)),
            None => Entry::failed("no figures"),
        }
    };
    let mut entries: Vec<Entry> = worker_counts.iter().map(fraction).collect();
    entries.push(model(&finding.amdahl, |amdahl: &Amdahl| {
        format::number_estimate(&amdahl.serial_fraction)
    }));
    entries.push(model(&finding.usl, |usl: &Usl| {
        [usl.one_worker, usl.contention, usl.coherency]
            .map(|parameter| format::number_estimate(&parameter))
            .join(", ")
    }));
    Row { keys: vec![finding.strategy.to_string()], values: Values::Entries(entries) }
}

fn model<T>(fit: &Fit<T>, show: impl Fn(&T) -> String) -> Entry {
    match fit {
        Fit::Fitted(parameters) => Entry::plain(show(parameters)),
        Fit::Refused(_) => Entry::plain("refused"),
    }
}

/// How to read it, and each reason for a refusal once.
fn notes(findings: &[&ScalingFinding]) -> Vec<String> {
    let mut notes = vec![
        "Share of the serial time that more workers do not shorten: 0 is ideal, 1 is no gain, \
         below 0 is more than ideal. Points with more workers than cores are left out."
            .to_owned(),
    ];
    for finding in findings {
        let reasons = [refusal(&finding.amdahl), refusal(&finding.usl)];
        for reason in reasons.into_iter().flatten() {
            let note = format!("Refused: {}.", reason.lines().next().unwrap_or_default());
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}

/// Of which job a workload's laws are, where it has several.
pub(super) fn fitted_job(experiment: &Experiment, workload: Workload) -> Option<String> {
    let largest = experiment.largest_job(workload)?;
    let mut jobs = experiment.blocks.iter().map(|block| block.job);
    let is_one = jobs.all(|job| job.workload != workload || job == largest);
    let size = format::count(largest.task_size);
    (!is_one).then(|| {
        format!(
            "Of the largest tasks that were measured, {size} elements: a law holds for one job."
        )
    })
}

fn refusal<T>(fit: &Fit<T>) -> Option<&str> {
    match fit {
        Fit::Fitted(_) => None,
        Fit::Refused(reason) => Some(reason),
    }
}
