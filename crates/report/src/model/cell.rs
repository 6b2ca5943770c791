//! One configuration in one block.

use harness::{Configuration, Input, record::Failure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stats::Estimate;

/// What one configuration did in one block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cell {
    /// Who computed.
    pub configuration: Configuration,
    /// Whether it had more workers than there are cores: such cells are
    /// marked, and left out of every fit.
    pub oversubscribed: bool,
    /// Where its array lay; absent if the runner has not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
    /// How many rounds the figures rest on.
    pub counts: Counts,
    /// Figures or why there are none.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How many rounds a cell's figures rest on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Rounds with a time, contaminated ones included.
    pub measured: usize,
    /// Rounds that the figures are estimated from.
    pub used: usize,
    /// Rounds with a time during which the machine was busy with something else.
    pub contaminated: usize,
    /// Rounds without a time.
    pub failed: usize,
    /// Lives of the runner that the used rounds come from.
    pub incarnations: usize,
    /// Whether contaminated rounds had to be used, for want of clean ones.
    pub contaminated_used: bool,
}

/// What came of a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Every sample was right.
    Measured {
        /// What was measured.
        figures: Box<Figures>,
    },
    /// At least one sample failed: what is wrong once is not trusted.
    Failed {
        /// The first failure.
        failure: Failure,
    },
    /// The block ended before it was its turn.
    NotMeasured,
}

/// What was measured of a configuration in a block.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// What the block compares: the warm run, or a whole cold cycle.
    pub time_ns: Spread,
    /// Median time of the job alone: equal to `time_ns` unless cold.
    pub run_ns: f64,
    /// Serial time ÷ this time in the same round.
    pub speed_up: Option<Estimate>,
    /// Time of the same strategy with one worker ÷ this time in the same round.
    pub relative_speed_up: Option<Estimate>,
    /// Speed-up ÷ workers.
    pub efficiency: Option<Estimate>,
    /// Mean task time: run × workers ÷ tasks. Absent for a job without tasks.
    pub granularity_ns: Option<f64>,
    /// Tasks executed a second during the run.
    pub tasks_per_s: f64,
    /// Elements processed a second during the run.
    pub elements_per_s: f64,
    /// Bytes of the job's buffer ÷ time of the run.
    pub payload_bytes_per_s: f64,
    /// The parts of a whole cycle.
    pub phases: Phases,
    /// What its processes used.
    pub resources: Option<ResourceFigures>,
}

/// A median and its quartiles, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// A quarter of the samples lie below.
    pub lower_quartile: f64,
    /// Half of the samples lie below.
    pub median: f64,
    /// Three quarters of the samples lie below.
    pub upper_quartile: f64,
}

/// The parts of a whole cycle, each a median in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Phases {
    /// Until every worker had answered.
    pub start_up_ns: Option<Estimate>,
    /// One task of one element on the fresh pool.
    pub first_task_ns: Option<Estimate>,
    /// The job.
    pub run_ns: Option<Estimate>,
    /// Until every worker was gone.
    pub shutdown_ns: Option<Estimate>,
    /// Their sum, cycle by cycle.
    pub cold_ns: Option<Estimate>,
}

/// What the whole process tree of a runner used, a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceFigures {
    /// Runs that the means are taken over.
    pub runs: u64,
    /// Processor seconds a run, preparing and checking included.
    pub cpu_s_per_run: f64,
    /// Context switches of waiting threads a run.
    pub voluntary_switches_per_run: f64,
    /// Context switches of displaced threads a run.
    pub involuntary_switches_per_run: f64,
    /// Page faults without input or output a run.
    pub minor_faults_per_run: f64,
    /// Page faults that read from a device a run.
    pub major_faults_per_run: f64,
    /// Largest sum of proportional set sizes: shared pages counted once.
    pub peak_pss_bytes: u64,
    /// Largest number of processes, the runner included.
    pub processes: u64,
}

impl Cell {
    /// The figures, unless it failed or was not measured.
    #[must_use]
    pub fn figures(&self) -> Option<&Figures> {
        match &self.outcome {
            Outcome::Measured { figures } => Some(figures),
            Outcome::Failed { .. } | Outcome::NotMeasured => None,
        }
    }

    /// The failure's kind or "not measured", for tables; `None` if it was measured.
    #[must_use]
    pub fn why_not(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Measured { .. } => None,
            Outcome::Failed { failure } => Some(failure.kind.to_string()),
            Outcome::NotMeasured => Some("not measured".to_owned()),
        }
    }

    /// Number of workers.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.configuration.workers.get()
    }
}
