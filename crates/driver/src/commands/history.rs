//! `driver history`: what many sweeps tell together.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use harness::record::Record;
use report::history::{self, Skipped, Sweep};

use crate::{
    cli::HistoryArgs,
    config::Config,
    error::Error,
    outcome::End,
    plan, printing,
    storage::{self, Folder},
};

/// Where the history goes if nobody says otherwise, in the folder of reports.
const FOLDER: &str = "history";

/// Draws trends of all sweeps of a folder and prints them. Whatever has changed,
/// the end is complete.
///
/// # Errors
///
/// If there is no sweep that could be used, or no folder in which the history can be
/// written.
pub(super) fn execute(arguments: &HistoryArgs) -> Result<End, Error> {
    let root = &arguments.folder;
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None => folder_in(root)?,
    };
    let (mut sweeps, mut skipped) = (Vec::new(), Vec::new());
    for folder in storage::sweep_folders(root)? {
        let shown = folder.display().to_string();
        match read(&folder, &shown) {
            Ok(sweep) => sweeps.push(sweep),
            Err(reason) => skipped.push(Skipped { folder: shown, reason }),
        }
    }
    if sweeps.is_empty() {
        return Err(nothing_found(root, &skipped));
    }
    let history = history::history(sweeps, skipped);
    let out = Folder::existing(&out);
    out.replace("history.json", &history.json())?;
    out.replace("history.html", &history.html())?;
    let text = history.terminal(printing::width(), printing::color());
    printing::print(&text).map_err(Error::output)?;
    printing::note(&format!("history: {}", out.path().join("history.html").display()));
    Ok(End::Complete)
}

/// Where the history of what is in `root` goes: not among the files of a sweep.
fn folder_in(root: &Path) -> Result<PathBuf, Error> {
    if storage::has_records(root) {
        return Err(Error::Argument(format!(
            "`{}` is one sweep, and its folder is its own\nhelp: name the folder of all \
             sweeps, e.g. `driver history reports`, or another for the history with `--out`",
            root.display()
        )));
    }
    Ok(root.join(FOLDER))
}

/// The sweep in `path`, or why it cannot be used.
fn read(path: &Path, shown: &str) -> Result<Sweep, String> {
    let folder = Folder::existing(path);
    let config = Config::kept_in(&folder).map_err(reason)?;
    if config.limits.is_some() {
        return Err("it measures limits, which are no cells of a sweep".to_owned());
    }
    let environment = folder.environment().map_err(reason)?;
    let records = folder.records().map_err(reason)?;
    let cores = NonZeroUsize::new(environment.available_cores).unwrap_or(NonZeroUsize::MIN);
    let planned = plan::blocks(&config, cores).len();
    let ended = records.iter().filter(|record| matches!(record, Record::BlockEnd(_))).count();
    if ended < planned {
        return Err(format!(
            "it is unfinished, {ended} of {planned} blocks: `driver sweep --resume {shown}` goes on"
        ));
    }
    let cells = history::cells(&records);
    if cells.iter().all(|cell| cell.figures.is_none()) {
        return Err("no cell of it has a speed-up over serial".to_owned());
    }
    Ok(Sweep {
        folder: shown.to_owned(),
        environment,
        config_toml: config.to_toml(),
        question: config.question,
        cells,
    })
}

/// An error without the help, which is for the one command that it would end.
fn reason(error: impl ToString) -> String {
    let text = error.to_string();
    text.split("\nhelp:").next().unwrap_or_default().replace('\n', " ")
}

fn nothing_found(root: &Path, skipped: &[Skipped]) -> Error {
    let root = root.display();
    let what = match skipped.len() {
        0 => format!("no sweep in `{root}`"),
        _ => format!("no sweep in `{root}` that could be used"),
    };
    let why: String =
        skipped.iter().map(|skipped| format!("\n{}: {}", skipped.folder, skipped.reason)).collect();
    let help = "`driver sweep` writes one; `driver history DIR` looks in another folder";
    Error::Argument(format!("{what}{why}\nhelp: {help}"))
}
