//! What is serialised as `report.json`, and what every renderer draws.
//!
//! Figures that could not be had are absent, never zero; a configuration that
//! failed carries its failure in place of figures.

mod cell;
mod findings;
mod predictions;

use harness::{
    Job, Placement, Workload,
    environment::Environment,
    record::{ExperimentKind, StopReason},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stats::precision::Precision;

pub use cell::{Cell, Counts, Figures, Outcome, Phases, ResourceFigures, Spread};
pub use findings::{
    Fit, GranularityFinding, PayloadFinding, PredictedSpeedUp, ProcessAdvantage, ScalingFinding,
    SerialFraction, TableFinding,
};

pub use predictions::{Foretold, PredictedAt, PredictionFinding};

/// Version of the format of `report.json`. It changes when a reader of the
/// previous version would misunderstand.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything that a sweep tells: the content of `report.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// The first and most general verdict, in plain words: what is fastest.
    pub headline: String,
    /// What belongs to the headline but does not fit into it: what cannot be
    /// told apart from the fastest, or else how far behind the runner-up is, and
    /// from which task on processes pay.
    pub headline_detail: Option<String>,
    /// Seed of every random choice of the sweep and of the analysis.
    pub seed: u64,
    /// Whether every block that was begun was also ended.
    pub complete: bool,
    /// The machine and the build.
    pub environment: Environment,
    /// What the driver itself cost; absent if that was not recorded.
    #[serde(default)]
    pub driver: Option<DriverShare>,
    /// The config as it was run.
    pub config_toml: String,
    /// In the order in which they were measured.
    pub experiments: Vec<Experiment>,
}

/// What the driver itself cost in all rounds together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DriverShare {
    /// Processor time of the driver, as a share of one core, while runners were
    /// at work on what is timed; to ask and to be answered is counted too.
    pub of_a_core_while_timed: f64,
    /// Share of the rounds' time in which no runner was at work on a request.
    pub between_requests: f64,
}

/// All blocks that answer one question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Experiment {
    /// Its name in the config.
    pub name: String,
    /// What kind of question it is.
    pub kind: ExperimentKind,
    /// The question, as the config asks it.
    pub question: Option<String>,
    /// The answers, in plain words.
    pub verdicts: Vec<String>,
    /// Least granularities and break-even points; in granularity experiments only.
    pub granularity: Vec<GranularityFinding>,
    /// From which task size on processes beat the best threads; in granularity
    /// experiments only.
    pub processes_against_threads: Vec<ProcessAdvantage>,
    /// What a simulation foretells for worker counts beyond the cores; in
    /// granularity experiments only, and of sum-of-squares only. Nothing of it was
    /// measured.
    #[serde(default)]
    pub predictions: Vec<PredictionFinding>,
    /// Break-even arrays and best bandwidths; in payload experiments only.
    pub payload: Vec<PayloadFinding>,
    /// Serial fractions and models of each workload's largest job; in speed-up
    /// experiments only.
    pub scaling: Vec<ScalingFinding>,
    /// The classic table's rows; in table experiments only.
    pub table: Vec<TableFinding>,
    /// In the order in which they were measured.
    pub blocks: Vec<Block>,
}

/// Configurations that were measured against each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Block {
    /// Its id in the records.
    pub block: String,
    /// What every configuration computed.
    pub job: Job,
    /// Bytes of the job's buffer.
    pub payload_bytes: u64,
    /// Cores that could be used.
    pub available_cores: usize,
    /// Where the workers ran.
    #[serde(default)]
    pub placement: Placement,
    /// Rounds that were measured.
    pub rounds: usize,
    /// Rounds during which the machine was busy with something else.
    pub contaminated_rounds: usize,
    /// Why those were contaminated, most frequent first.
    pub contamination: Vec<ReasonCount>,
    /// Why it has no more rounds; absent if it was interrupted.
    pub stop: Option<StopReason>,
    /// Lives of its runners that have times; 0 in reports from before they were counted.
    #[serde(default)]
    pub incarnations: usize,
    /// Relative half-width at which its intervals were narrow enough, if the
    /// records tell.
    pub precision_asked: Option<f64>,
    /// What was reached: the speed-ups' half-widths, or the times' in a block
    /// without a baseline. `widest_at` is an index into `cells`. Absent if nothing was
    /// measured.
    pub precision: Option<Precision>,
    /// One for each configuration.
    pub cells: Vec<Cell>,
}

/// A reason and how many rounds it spoiled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReasonCount {
    /// In words.
    pub reason: String,
    /// Rounds.
    pub rounds: usize,
}

impl Report {
    /// The JSON schema of this model, as `report.schema.json` holds it.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

impl Experiment {
    /// The largest of the jobs of `workload` of which there is any speed-up.
    #[must_use]
    pub fn largest_job(&self, workload: Workload) -> Option<Job> {
        let has_speed_up = |cell: &Cell| {
            let speed_up = cell.figures().and_then(|figures| figures.speed_up);
            speed_up.is_some() && !cell.configuration.strategy.is_serial()
        };
        let blocks = self.blocks.iter().filter(|block| block.job.workload == workload);
        let told = blocks.filter(|block| block.cells.iter().any(has_speed_up));
        told.map(|block| block.job).max_by_key(|job| job.tasks.saturating_mul(job.task_size))
    }
}

impl Block {
    /// The baseline's cell, if the block has one.
    #[must_use]
    pub fn serial(&self) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.configuration.strategy.is_serial())
    }

    /// Median time of one task when the baseline runs it, in nanoseconds;
    /// `None` without a measured baseline.
    #[must_use]
    pub fn serial_task_ns(&self) -> Option<f64> {
        let figures = self.serial()?.figures()?;
        (self.job.tasks > 0).then(|| figures.run_ns / self.job.tasks as f64)
    }
}
