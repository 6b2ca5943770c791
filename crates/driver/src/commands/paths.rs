//! `driver paths`: what instructions can be counted of, and doing it.

use nix::{sys::signal::Signal, unistd::alarm};

use super::tether;
use crate::{cli::PathsArgs, error::Error, instructions::paths, outcome::End, printing};

/// Far more than a path takes under valgrind on a busy machine: it only ends a
/// hang. SIGALRM kills, whatever the process waits for.
const PATIENCE_SECONDS: u32 = 300;

/// Tells of all paths, or follows one and tells by which instruction set.
///
/// # Errors
///
/// If there is no such path, or it cannot be followed here.
pub(super) fn execute(arguments: &PathsArgs) -> Result<End, Error> {
    let Some(name) = &arguments.name else {
        let inventory = serde_json::to_string(&paths::inventory()).expect("plain data");
        return printed(&inventory);
    };
    if let Some(parent) = arguments.parent {
        tether::tie_to(parent, Signal::SIGKILL).map_err(|cause| Error::System {
            what: "cannot tie the path to the driver".to_owned(),
            cause,
            help: "this command is for the driver's own use",
        })?;
    }
    alarm::set(PATIENCE_SECONDS);
    let path = paths::find(name).ok_or_else(|| Error::Argument(format!("no path `{name}`")))?;
    path.execute(arguments.times).map_err(Error::Argument)?;
    printed(&harness::workloads::instruction_set())
}

fn printed(text: &str) -> Result<End, Error> {
    printing::print(&format!("{text}\n")).map_err(Error::output)?;
    Ok(End::Complete)
}
