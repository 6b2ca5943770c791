//! The subcommands, one file each.

mod compare;
mod doctor;
mod drawing;
mod duel;
mod exec;
mod files;
mod history;
mod instructions;
mod limits;
mod limits_runner;
mod list;
mod load;
mod measuring;
mod paths;
mod report;
mod runner;
mod selftest;
mod sweep;
mod table;
mod tether;
mod verify;

use std::process::ExitCode;

use crate::{cli::Command, error::Error};

/// Does what the command line asks.
///
/// # Errors
///
/// If the command could not do its work at all; what failed to measure is
/// part of the exit code instead.
pub(crate) fn execute(command: Command) -> Result<ExitCode, Error> {
    let end = match command {
        Command::Sweep(arguments) => sweep::execute(&arguments)?,
        Command::Table(arguments) => table::execute(&arguments)?,
        Command::Verify(arguments) => verify::execute(&arguments)?,
        Command::Report(arguments) => report::execute(&arguments)?,
        Command::Compare(arguments) => compare::execute(&arguments)?,
        Command::History(arguments) => history::execute(&arguments)?,
        Command::Doctor(arguments) => doctor::execute(arguments)?,
        Command::Duel(arguments) => duel::execute(&arguments)?,
        Command::Instructions(arguments) => instructions::execute(&arguments)?,
        Command::Selftest(arguments) => selftest::execute(&arguments)?,
        Command::List => list::execute()?,
        Command::Runner(arguments) => runner::execute(arguments)?,
        Command::LimitsRunner(arguments) => limits_runner::execute(arguments)?,
        Command::Load(arguments) => load::execute(&arguments)?,
        Command::Paths(arguments) => paths::execute(&arguments)?,
        Command::Exec(arguments) => return exec::execute(&arguments),
    };
    Ok(end.into())
}
