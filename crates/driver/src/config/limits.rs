//! `[limits]`: figures with goals, in the place of experiments.

use serde::Serialize;

use super::{
    Config, ConfigError,
    parse::{list, tables},
    section::Section,
    suggest,
};
use crate::cli::SweepArgs;

const KEYS: [&str; 1] = ["figures"];

/// Which figures are measured against their goals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Limits {
    /// Names, in the order of the table.
    pub(crate) figures: Vec<String>,
}

impl Limits {
    /// The section, if the config has one; there are no experiments then.
    ///
    /// # Errors
    ///
    /// If there are, or a figure is unknown.
    pub(super) fn parse(top: &Section<'_>) -> Result<Option<Self>, ConfigError> {
        let Some(entry) = top.get("limits") else { return Ok(None) };
        if !tables(top, "experiment", "[[experiment]]", &super::parse::EXPERIMENT_KEYS)?.is_empty()
        {
            let help = "put the experiments into a config of their own";
            return Err(entry.error("limits and experiments are not measured together", help));
        }
        let section = entry.section("[limits]", &KEYS)?;
        let all = limits::FIGURES.iter().map(|figure| figure.name);
        let figures = match section.get("figures") {
            None => all.map(str::to_owned).collect(),
            Some(entry) => list(entry, |item| {
                let name = item.string()?;
                match limits::find(name) {
                    Some(figure) => Ok(figure.name.to_owned()),
                    None => Err(item.error("unknown figure", suggest::among(name, all.clone()))),
                }
            })?,
        };
        Ok(Some(Self { figures }))
    }
}

impl Config {
    /// # Errors
    ///
    /// If it has figures in the place of experiments.
    pub(crate) fn require_experiments(&self, named: &str) -> Result<(), ConfigError> {
        match &self.limits {
            None => Ok(()),
            Some(_) => {
                let problem = format!("`--config {named}`: it has no experiments but [limits]");
                Err(ConfigError::flag(problem, "`driver sweep` measures it"))
            }
        }
    }

    /// Refuses `flags` that mean nothing to figures.
    pub(super) fn refuse_flags_of_experiments(flags: &SweepArgs) -> Result<(), ConfigError> {
        let given = [
            ("--backends", !flags.backends.is_empty()),
            ("--workloads", !flags.workloads.is_empty()),
            ("--workers", !flags.workers.is_empty()),
            ("--start-methods", !flags.start_methods.is_empty()),
            ("--task-size", !flags.task_size.is_empty()),
            ("--tasks", flags.tasks.is_some()),
            ("--seed", flags.seed.is_some()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((flag, _)) => {
                let problem = format!("`{flag}`: this config has figures, not experiments");
                Err(ConfigError::flag(problem, "choose `figures` in its section [limits]"))
            }
        }
    }
}
