//! What a report is made of.

use harness::{environment::Environment, record::Record};

/// Everything that a sweep wrote down.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepData {
    /// The machine and the build.
    pub environment: Environment,
    /// The config as it was run.
    pub config_toml: String,
    /// Names of experiments and the question that each asks.
    pub questions: Vec<(String, String)>,
    /// Blocks that the config asks for; the sweep is complete when all have ended.
    pub planned_blocks: usize,
    /// The records, in the order in which they were written.
    pub records: Vec<Record>,
}
