//! Who computes: a strategy and its number of workers.

use std::{fmt, num::NonZeroUsize, str::FromStr};

use serde::{Deserialize, Serialize};

/// How the workers of a process pool come into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum StartMethod {
    /// The executable is started afresh.
    Spawn,
    /// The parent is copied.
    Fork,
    /// A small single-threaded server, started afresh, is copied.
    ForkServer,
}

impl StartMethod {
    /// All start methods, in the order in which reports show them.
    pub const ALL: [Self; 3] = [Self::Fork, Self::ForkServer, Self::Spawn];

    /// The name used on the command line, in configs and in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spawn => "spawn",
            Self::Fork => "fork",
            Self::ForkServer => "forkserver",
        }
    }

    /// One line on what it does.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Spawn => "executes the binary afresh for every worker",
            Self::Fork => "copies the parent, which must run a single thread",
            Self::ForkServer => "copies a small server process that was executed afresh",
        }
    }
}

impl fmt::Display for StartMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The name is not one of [`StartMethod::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown start method `{0}`\nhelp: use fork, forkserver or spawn")]
pub struct UnknownStartMethod(String);

impl FromStr for StartMethod {
    type Err = UnknownStartMethod;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|method| method.name() == name)
            .ok_or_else(|| UnknownStartMethod(name.to_owned()))
    }
}

/// A backend and, for process pools, how its workers are started: one row of
/// a table. Shown as `rayon` or `shm-pool/fork`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Strategy {
    /// `serial`, `threads`, …, or the name that a config gives to a runner of its own.
    pub backend: String,
    /// Only process pools have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_method: Option<StartMethod>,
}

impl Strategy {
    /// The baseline's name.
    pub const SERIAL: &'static str = "serial";

    /// A strategy without a start method.
    #[must_use]
    pub fn named(backend: &str) -> Self {
        Self { backend: backend.to_owned(), start_method: None }
    }

    /// Whether this is the baseline that speed-ups are measured against.
    #[must_use]
    pub fn is_serial(&self) -> bool {
        self.backend == Self::SERIAL
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.start_method {
            None => f.pad(&self.backend),
            Some(method) => f.pad(&format!("{}/{method}", self.backend)),
        }
    }
}

/// What one runner hosts. Shown as `shm-pool/fork × 2`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// Who computes.
    pub strategy: Strategy,
    /// Everything that executes tasks, the caller too where it helps.
    pub workers: NonZeroUsize,
}

impl Configuration {
    /// The baseline: `serial × 1`.
    #[must_use]
    pub fn serial() -> Self {
        Self { strategy: Strategy::named(Strategy::SERIAL), workers: NonZeroUsize::MIN }
    }
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} × {}", self.strategy, self.workers))
    }
}
