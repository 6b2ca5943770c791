//! `driver duel`: two builds of the driver against each other.

use std::path::Path;

use super::{
    files::{Files, driver_at},
    measuring,
};
use crate::{
    cli::DuelArgs,
    config::Config,
    duel::{self, Build, Ring, Terms, telling::Told},
    environment,
    error::Error,
    outcome::End,
    plan, printing,
};

/// Has both builds take turns, prints the verdicts and writes them down.
///
/// # Errors
///
/// If the arguments or the config are not usable, or the folder cannot be
/// written.
pub(super) fn execute(arguments: &DuelArgs) -> Result<End, Error> {
    let builds = [build(&arguments.base, "--base")?, build(&arguments.head, "--head")?];
    let config = config(arguments)?;
    let terms = terms(arguments, &config);
    let blocks = plan::blocks(&config, environment::available_cores());
    let interrupt = measuring::watch_signals()?;
    let ring =
        Ring { builds: builds.each_ref(), config: &config, terms: &terms, interrupt: &interrupt };
    let Ok(judged) = duel::fight(&ring, &blocks) else {
        printing::note("interrupted: a duel that is not over shows nothing");
        return Ok(End::Interrupted);
    };
    let names = [&arguments.base, &arguments.head].map(|path| path.display().to_string());
    let told = Told {
        judged: &judged,
        terms: &terms,
        builds: names.each_ref().map(String::as_str),
        outcome: duel::outcome(&judged, terms.margin),
    };
    // If either cannot be done, the other has kept the verdicts.
    let written = arguments.out.as_ref().map_or(Ok(()), |folder| write(folder, &told));
    printing::print(&told.text()).map_err(Error::output)?;
    written?;
    Ok(told.outcome.end())
}

fn build(path: &Path, flag: &str) -> Result<Build, Error> {
    Ok(Build { program: driver_at(path, flag)?, arguments: Vec::new() })
}

fn config(arguments: &DuelArgs) -> Result<Config, Error> {
    let named = arguments.config.as_deref().unwrap_or("duel");
    let mut config = Config::load(named)?;
    config.choose_backends(&arguments.backends)?;
    duel::require_duel(&config, named)?;
    config.resolve_workers(environment::available_cores());
    Ok(config)
}

fn terms(arguments: &DuelArgs, config: &Config) -> Terms {
    Terms {
        time: arguments.time_budget.unwrap_or(config.time_budget),
        lives: config.incarnations,
        margin: arguments.margin / 100.0,
        false_alarms: duel::FALSE_ALARMS,
        seed: arguments.seed.unwrap_or(config.seed),
    }
}

/// The files of a duel's folder.
fn write(folder: &Path, told: &Told<'_>) -> Result<(), Error> {
    let files = Files {
        json: ("duel.json", told.json()),
        summary: told.markdown(),
        annotations: told.annotations(),
        figures: told.figures(),
    };
    files.write(folder)
}
