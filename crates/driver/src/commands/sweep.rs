//! `driver sweep`: measures everything that a config asks for.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use harness::environment::Environment;

use super::{
    drawing, limits,
    measuring::{self, Outcome},
};
use crate::{
    cli::SweepArgs,
    config::Config,
    environment,
    error::Error,
    outcome::End,
    printing,
    progress::Progress,
    storage::{self, Folder, Journal},
};

/// A sweep that is ready to begin or to go on.
struct Sweep {
    config: Config,
    environment: Environment,
    folder: Folder,
    journal: Journal,
    /// Whether `reports/latest` is to point at it.
    latest: bool,
}

/// Measures, draws, prints.
///
/// # Errors
///
/// If the arguments or the config are not usable, or the folder cannot be
/// written.
pub(super) fn execute(arguments: &SweepArgs) -> Result<End, Error> {
    let begun = Instant::now();
    match &arguments.resume {
        Some(folder) => measure(Sweep::resume(folder, arguments)?, begun),
        None => begin(arguments, begun),
    }
}

/// A new sweep, of experiments or of limits.
fn begin(arguments: &SweepArgs, begun: Instant) -> Result<End, Error> {
    let named = match &arguments.config {
        Some(named) => named.as_str(),
        None if arguments.quick => "quick",
        None => "default",
    };
    let mut config = Config::load(named)?;
    config.override_with(arguments)?;
    let environment = environment::gather();
    let path = arguments.out.clone().unwrap_or_else(|| {
        let stem = Path::new(named).file_stem().and_then(|stem| stem.to_str());
        storage::fresh_path(&environment, stem.unwrap_or("sweep"))
    });
    let is_latest = arguments.out.is_none();
    if let Some(figures) = config.limits.clone() {
        let place = limits::Place { path: &path, is_latest };
        return limits::execute(&mut config, &figures, arguments.quick, &environment, &place);
    }
    config.resolve_workers(environment::available_cores());
    let (folder, journal) = Folder::create(&path, &environment, &config)?;
    measure(Sweep { config, environment, folder, journal, latest: is_latest }, begun)
}

fn measure(mut sweep: Sweep, begun: Instant) -> Result<End, Error> {
    let mut progress = Progress::new();
    progress.say(&sweep.config.question);
    let cores = environment::available_cores();
    let outcome =
        measuring::measure(&sweep.config, cores, &mut sweep.journal, &mut progress, begun)?;
    progress.finish();
    if outcome == Outcome::Interrupted {
        printing::note(&interrupted(&sweep));
        return Ok(End::Interrupted);
    }
    let end = drawing::end_of(sweep.journal.records());
    let records = sweep.journal.records().to_vec();
    let config_toml = sweep.folder.config_text()?;
    let data = drawing::sweep_data(sweep.environment, &sweep.config, config_toml, records);
    drawing::draw(&sweep.folder, &data)?;
    if sweep.latest {
        storage::point_latest(sweep.folder.path())?;
    }
    printing::note(&drawing::where_it_is(&sweep.folder));
    Ok(end)
}

impl Sweep {
    fn resume(path: &Path, arguments: &SweepArgs) -> Result<Self, Error> {
        // `reports/latest` is a link, and it may point elsewhere by the end.
        let path: PathBuf = path.canonicalize().map_err(|cause| Error::System {
            what: format!("cannot resume `{}`", path.display()),
            cause,
            help: "name the folder of an interrupted sweep, e.g. one in `reports/`",
        })?;
        let folder = Folder::existing(&path);
        let mut config = Config::kept_in(&folder)?;
        if config.limits.is_some() {
            return Err(no_resumption(&path));
        }
        config.time_budget = arguments.time_budget.unwrap_or(config.time_budget);
        let environment = folder.environment()?;
        warn_of_change(&environment, &environment::gather());
        let journal = folder.resume()?;
        let latest = path.parent().is_some_and(|parent| parent.ends_with("reports"));
        Ok(Self { config, environment, folder, journal, latest })
    }
}

/// Its figures are measured one after the other, so there is little to go on with.
fn no_resumption(folder: &Path) -> Error {
    let folder = folder.display();
    Error::Argument(format!(
        "cannot resume `{folder}`: it is a sweep of limits\n\
         help: begin anew, e.g. `driver sweep --config {folder}/config.toml`"
    ))
}

/// A sweep that was begun on another machine or with another build compares
/// what should not be compared; the user may know better.
fn warn_of_change(then: &Environment, now: &Environment) {
    let facts = [
        ("processor", then.cpu != now.cpu),
        ("number of cores", then.available_cores != now.available_cores),
        ("build", then.commit != now.commit || then.profile != now.profile),
    ];
    for (fact, _) in facts.iter().filter(|(_, changed)| *changed) {
        printing::note(&format!(
            "warning: the {fact} is not the one that the sweep was begun with"
        ));
    }
}

fn interrupted(sweep: &Sweep) -> String {
    let rounds = drawing::rounds(sweep.journal.records());
    let folder = sweep.folder.path().display();
    format!(
        "interrupted: {rounds} rounds are saved in {folder}\nhelp: `driver sweep --resume {folder}` goes on, `driver report {folder}` draws what there is"
    )
}
