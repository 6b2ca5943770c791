//! What fitted laws foretell for more workers.

use harness::Workload;
use stats::Estimate;

use super::{Entry, Row, Table, Values, columns, scaling::fitted_job, spoken};
use crate::{
    format,
    model::{Experiment, PredictedSpeedUp, ScalingFinding},
};

/// Worker counts that the table shows; `report.json` and the plot have more.
const SHOWN: [usize; 3] = [16, 128, 1024];

/// A table a workload, where any law could be fitted.
pub(super) fn tables(experiment: &Experiment) -> Vec<Table> {
    let of_workload = |workload| {
        let findings: Vec<&ScalingFinding> =
            experiment.scaling.iter().filter(|finding| finding.workload == workload).collect();
        let any = findings.iter().any(|finding| !finding.predicted.is_empty());
        any.then(|| table(experiment, workload, &findings))
    };
    Workload::ALL.into_iter().filter_map(of_workload).collect()
}

fn table(experiment: &Experiment, workload: Workload, findings: &[&ScalingFinding]) -> Table {
    let headings = |law: &str| SHOWN.map(|w| format!("{law}, w={}", format::count(w)));
    let headings: Vec<String> = [headings("Amdahl"), headings("USL")].concat();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let mut notes = vec![
        "Predicted is not measured: the laws as they were fitted to worker counts within the \
         cores, carried on to as many cores as workers. In brackets what the interval of \
         Amdahl's serial fraction gives. –: the law was refused, or has no sense there."
            .to_owned(),
    ];
    notes.extend(fitted_job(experiment, workload));
    Table {
        title: format!("{}: speed-up with more workers, PREDICTED by laws", spoken(workload)),
        notes,
        columns: columns(&["strategy"], &headings),
        keys: 1,
        rows: findings.iter().map(|finding| row(finding)).collect(),
        detail: true,
    }
}

fn row(finding: &ScalingFinding) -> Row {
    let at = |workers: usize| finding.predicted.iter().find(move |at| at.workers == workers);
    let amdahl = |at: &PredictedSpeedUp| at.amdahl;
    let usl = |at: &PredictedSpeedUp| at.usl.map(Estimate::without_interval);
    let show = |estimate: Estimate| format::ratio_estimate(&estimate);
    let of_amdahl = SHOWN.map(|workers| Entry::optional(at(workers).and_then(amdahl), show));
    let of_usl = SHOWN.map(|workers| Entry::optional(at(workers).and_then(usl), show));
    Row {
        keys: vec![finding.strategy.to_string()],
        values: Values::Entries([of_amdahl, of_usl].concat()),
    }
}
