//! From records to the files of a report and the tables on the screen.

use std::num::NonZeroUsize;

use harness::{
    environment::Environment,
    record::{Outcome, Record},
};
use report::SweepData;

use crate::{config::Config, error::Error, outcome::End, plan, printing, storage::Folder};

/// What the report is made of.
pub(super) fn sweep_data(
    environment: Environment,
    config: &Config,
    config_toml: String,
    records: Vec<Record>,
) -> SweepData {
    let questions = config.experiments.iter();
    let questions = questions
        .map(|experiment| (experiment.name.clone(), experiment.question.clone()))
        .collect();
    let cores = NonZeroUsize::new(environment.available_cores).unwrap_or(NonZeroUsize::MIN);
    let planned_blocks = plan::blocks(config, cores).len();
    SweepData { environment, config_toml, questions, planned_blocks, records }
}

/// Writes every file of the report and prints its tables.
///
/// # Errors
///
/// If a file or standard output cannot be written.
pub(super) fn draw(folder: &Folder, data: &SweepData) -> Result<(), Error> {
    write(folder, data)?;
    let tables =
        report::terminal::render(&report::analyse(data), printing::width(), printing::color());
    printing::print(&tables).map_err(|cause| Error::output_of(folder.path(), cause))
}

/// Writes every file of the report.
///
/// # Errors
///
/// If one cannot be written.
pub(super) fn write(folder: &Folder, data: &SweepData) -> Result<(), Error> {
    for artefact in report::artefacts(data) {
        folder.replace(&artefact.path, &artefact.contents)?;
    }
    Ok(())
}

/// Complete, unless anything at all failed.
pub(super) fn end_of(records: &[Record]) -> End {
    let failed = records.iter().any(|record| match record {
        Record::Round(round) => {
            round.samples.iter().any(|sample| matches!(sample.outcome, Outcome::Failed(_)))
        }
        _ => false,
    });
    End::failed_if(failed)
}

/// How many rounds were taken.
pub(super) fn rounds(records: &[Record]) -> usize {
    records.iter().filter(|record| matches!(record, Record::Round(_))).count()
}

/// Where the page is.
pub(super) fn where_it_is(folder: &Folder) -> String {
    format!("report: {}", folder.path().join("index.html").display())
}
