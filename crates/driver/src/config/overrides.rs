//! Flags take the place of a config's keys.

use harness::{StartMethod, Workload, record::ExperimentKind};

use super::{Config, ConfigError, parse::known_backends, suggest};
use crate::cli::SweepArgs;

impl Config {
    /// Puts the flags in the place of the keys, in every experiment.
    ///
    /// # Errors
    ///
    /// If a flag names something unknown, or leaves nothing to measure.
    pub(crate) fn override_with(&mut self, flags: &SweepArgs) -> Result<(), ConfigError> {
        if self.limits.is_some() {
            Self::refuse_flags_of_experiments(flags)?;
        } else if flags.quick
            && let Some(named) = &flags.config
        {
            let problem = format!("`--quick`: it stands for `--config quick`, not for {named}");
            return Err(ConfigError::flag(problem, "use `--time-budget`, e.g. 12s"));
        }
        if let Some(time_budget) = flags.time_budget {
            self.time_budget = time_budget;
        }
        if let Some(seed) = flags.seed {
            self.seed = seed;
        }
        self.choose_backends(&flags.backends)?;
        self.choose_start_methods(&flags.start_methods);
        self.choose_workloads(&flags.workloads)?;
        for experiment in &mut self.experiments {
            if !flags.workers.is_empty() {
                experiment.workers.clone_from(&flags.workers);
            }
            if experiment.kind == ExperimentKind::Payload {
                continue;
            }
            if let Some(tasks) = flags.tasks {
                experiment.tasks = tasks;
            }
            if !flags.task_size.is_empty() {
                for sizes in experiment.task_size.values_mut() {
                    sizes.clone_from(&flags.task_size);
                }
            }
        }
        Ok(())
    }

    /// Measures only `names`, and serial.
    ///
    /// # Errors
    ///
    /// If one is unknown.
    pub(crate) fn choose_backends(&mut self, names: &[String]) -> Result<(), ConfigError> {
        let known = known_backends(&self.runners);
        for name in names {
            if !known.contains(&name.as_str()) {
                let help = suggest::among(name, known);
                let problem = format!("`--backends {}`: unknown backend `{name}`", names.join(","));
                return Err(ConfigError::flag(problem, help));
            }
        }
        if !names.is_empty() {
            for experiment in &mut self.experiments {
                experiment.backends = names.to_vec();
            }
        }
        Ok(())
    }

    /// Starts process pools only by `methods`.
    pub(crate) fn choose_start_methods(&mut self, methods: &[StartMethod]) {
        if !methods.is_empty() {
            for experiment in &mut self.experiments {
                experiment.start_methods = methods.to_vec();
            }
        }
    }

    /// An experiment that has none of the workloads left is dropped.
    fn choose_workloads(&mut self, chosen: &[Workload]) -> Result<(), ConfigError> {
        if chosen.is_empty() {
            return Ok(());
        }
        for experiment in &mut self.experiments {
            experiment.workloads.retain(|workload| chosen.contains(workload));
            experiment.task_size.retain(|workload, _| chosen.contains(workload));
        }
        self.experiments.retain(|experiment| !experiment.workloads.is_empty());
        if self.experiments.is_empty() {
            let names: Vec<&str> = chosen.iter().map(|workload| workload.name()).collect();
            let problem =
                format!("`--workloads {}`: no experiment of this config uses it", names.join(","));
            return Err(ConfigError::flag(problem, "choose another workload or another config"));
        }
        Ok(())
    }
}
