//! `driver table`: the table that every tutorial on multiprocessing opens with.

use std::time::Instant;

use super::{
    drawing,
    measuring::{self, Outcome},
};
use crate::{
    cli::TableArgs,
    config::Config,
    environment,
    error::Error,
    outcome::End,
    printing,
    progress::Progress,
    storage::{Folder, Journal},
};

/// Measures cold cycles of every backend and start method and prints them.
///
/// # Errors
///
/// If the arguments are not usable, or the folder cannot be written.
pub(super) fn execute(arguments: &TableArgs) -> Result<End, Error> {
    let begun = Instant::now();
    let cores = environment::available_cores();
    let config = config(arguments, cores)?;
    let environment = environment::gather();
    let (folder, mut journal) = match &arguments.out {
        Some(path) => {
            let (folder, journal) = Folder::create(path, &environment, &config)?;
            (Some(folder), journal)
        }
        None => (None, Journal::in_memory(config.seed)),
    };
    let mut progress = Progress::quiet();
    let outcome = measuring::measure(&config, cores, &mut journal, &mut progress, begun)?;
    progress.finish();
    if outcome == Outcome::Interrupted {
        printing::note("interrupted");
        return Ok(End::Interrupted);
    }
    let records = journal.records().to_vec();
    let end = drawing::end_of(&records);
    let data = drawing::sweep_data(environment, &config, config.to_toml(), records);
    // If either cannot be done, the other has kept the table.
    let written = folder.as_ref().map_or(Ok(()), |folder| drawing::write(folder, &data));
    printing::print(&report::terminal::classic_table(&report::analyse(&data)))
        .map_err(Error::output)?;
    written?;
    if let Some(folder) = folder {
        printing::note(&drawing::where_it_is(&folder));
    }
    Ok(end)
}

fn config(arguments: &TableArgs, cores: std::num::NonZeroUsize) -> Result<Config, Error> {
    let mut config = Config::shipped("table")?;
    config.choose_backends(&arguments.backends)?;
    config.choose_start_methods(&arguments.start_methods);
    config.time_budget = arguments.time_budget.unwrap_or(config.time_budget);
    config.seed = arguments.seed.unwrap_or(config.seed);
    config.resolve_workers(cores);
    Ok(config)
}
