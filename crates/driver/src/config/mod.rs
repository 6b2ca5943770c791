//! What a sweep measures: a TOML file, overridden by flags.
//!
//! Every error names the file, the line, the key, the value and what is
//! allowed. `bench-configs/README.md` documents the keys.

mod defaults;
mod error;
mod limits;
mod overrides;
mod parse;
mod section;
mod shipped;
mod source;
pub(crate) mod suggest;
pub(crate) mod values;

use std::{collections::BTreeMap, num::NonZeroUsize, time::Duration};

use harness::{Placement, StartMethod, Strategy, Workload, record::ExperimentKind};
use serde::{Serialize, Serializer};

pub(crate) use error::ConfigError;
pub(crate) use limits::Limits;
pub(crate) use shipped::SHIPPED;
use values::{ByteSize, Until, WorkerCount};

/// What a sweep measures and for how long.
///
/// Serialises to TOML that [`Config::parse`] reads back as the same value, so
/// that the config as run can be resumed and run again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Config {
    /// What is to be found out; the report's first line.
    pub(crate) question: String,
    /// For the whole sweep, start-up and report included.
    #[serde(serialize_with = "duration_in_words")]
    pub(crate) time_budget: Duration,
    /// Of every random choice.
    pub(crate) seed: u64,
    /// A runner that is silent for longer is killed.
    #[serde(serialize_with = "duration_in_words")]
    pub(crate) deadline: Duration,
    /// How often the runners of a block are started afresh, time permitting.
    pub(crate) incarnations: u32,
    /// Relative half-width of every interval at which a block may end early.
    pub(crate) precision: f64,
    /// What else ends a block early.
    pub(crate) until: Until,
    /// Clean rounds after which a block ends in any case.
    pub(crate) max_rounds: u32,
    /// Share of the available memory that one block may use.
    pub(crate) memory_share: f64,
    /// When a round does not count.
    pub(crate) validity: ValidityLimits,
    /// Figures against goals; there are no experiments then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limits: Option<Limits>,
    /// What is measured, in this order.
    #[serde(rename = "experiment", skip_serializing_if = "Vec::is_empty")]
    pub(crate) experiments: Vec<Experiment>,
    /// Commands that host strategies of their own.
    #[serde(rename = "runner", skip_serializing_if = "Vec::is_empty")]
    pub(crate) runners: Vec<ExternalRunner>,
}

/// Above these a round is contaminated: marked, and repeated while there is time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct ValidityLimits {
    /// Share of the cores' time that the hypervisor gave to others.
    pub(crate) max_steal: f64,
    /// Share of the cores' time that processes outside the sweep used.
    pub(crate) max_others: f64,
    /// Share of the time in which a runnable task waited for a core; only
    /// looked at where the block itself leaves a core free.
    pub(crate) max_pressure: f64,
}

impl ValidityLimits {
    /// What holds where a config does not say.
    pub(crate) const DEFAULT: Self = Self { max_steal: 0.05, max_others: 0.1, max_pressure: 0.5 };
}

/// One question and what is compared to answer it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Experiment {
    /// Unique in the config; the first part of its blocks' names.
    pub(crate) name: String,
    /// Which axis it has.
    pub(crate) kind: ExperimentKind,
    /// What is to be found out.
    pub(crate) question: String,
    /// Of the time budget, relative to the other experiments' shares.
    pub(crate) share: f64,
    /// One block, or one row of blocks, each.
    pub(crate) workloads: Vec<Workload>,
    /// Names of backends and of the config's own runners.
    pub(crate) backends: Vec<String>,
    /// Of the process pools among them.
    pub(crate) start_methods: Vec<StartMethod>,
    /// Of everything but `serial`.
    pub(crate) workers: Vec<WorkerCount>,
    /// Whether each worker stays on a core of its own.
    pub(crate) pin: bool,
    /// In a job; in payload experiments, per worker and at most.
    pub(crate) tasks: NonZeroUsize,
    /// Elements in a task, one block each; empty in payload experiments.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) task_size: BTreeMap<Workload, Vec<NonZeroUsize>>,
    /// Bytes of the whole array, one block each; only in payload experiments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) sizes: Vec<ByteSize>,
}

impl Experiment {
    /// Where its workers run.
    pub(crate) const fn placement(&self) -> Placement {
        Placement::of(self.pin)
    }
}

/// A command that speaks the runner protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ExternalRunner {
    /// The backend's name in tables.
    pub(crate) name: String,
    /// Program and arguments; `--workers N` is appended, and `--pin` where it applies.
    pub(crate) command: Vec<String>,
    /// Passed on as `--start-method M`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start_method: Option<StartMethod>,
}

impl ExternalRunner {
    /// The table row that this runner fills.
    pub(crate) fn strategy(&self) -> Strategy {
        Strategy { start_method: self.start_method, ..Strategy::named(&self.name) }
    }
}

impl Config {
    /// The config as run, in TOML.
    pub(crate) fn to_toml(&self) -> String {
        toml::to_string(self).expect("a config holds only what TOML can say")
    }

    /// Replaces worker counts that depend on the machine by numbers, so that
    /// the config as run says what was measured.
    pub(crate) fn resolve_workers(&mut self, cores: NonZeroUsize) {
        for experiment in &mut self.experiments {
            let counts = WorkerCount::resolve(&experiment.workers, cores);
            experiment.workers = counts.into_iter().map(WorkerCount::Exactly).collect();
        }
    }
}

fn duration_in_words<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_config_reads_back_what_it_writes() {
        for shipped in SHIPPED {
            let config = Config::shipped(shipped.name).expect(shipped.name);
            let again = Config::parse("as-run.toml", &config.to_toml()).expect(shipped.name);
            assert_eq!(config, again, "{}", shipped.name);
        }
    }

    #[test]
    fn every_shipped_config_reads_back_with_its_workers_resolved() {
        for shipped in SHIPPED {
            let mut config = Config::shipped(shipped.name).expect(shipped.name);
            config.resolve_workers(NonZeroUsize::new(3).expect("not zero"));
            let again = Config::parse("as-run.toml", &config.to_toml()).expect(shipped.name);
            assert_eq!(config, again, "{}", shipped.name);
        }
    }
}
