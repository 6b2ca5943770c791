//! The command line of Manyhands: measures the strategies against each other
//! and writes a report.
//!
//! This process never runs a workload. It starts [runners](client), one
//! process a configuration, samples them in turn ([`measure`]) and writes
//! down what they say ([`storage`]); what the records mean is the `report`
//! crate's business.
#![forbid(unsafe_code)]

mod backends;
mod cli;
mod client;
mod commands;
mod config;
mod doctor;
mod duel;
mod environment;
mod error;
mod gate;
mod instructions;
mod interrupt;
mod measure;
mod outcome;
mod plan;
mod printing;
mod progress;
mod storage;
mod trackers;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // Worker processes start here and never return.
    shm_pool::init();
    let command = cli::Cli::try_parse().unwrap_or_else(|error| cli::with_suggestion(error).exit());
    match commands::execute(command.command) {
        Ok(code) => code,
        Err(error) => {
            printing::note(&format!("error: {error}"));
            outcome::End::Usage.into()
        }
    }
}
