//! What a sweep writes down: `records.jsonl`, one [`Record`] a line.
//!
//! The file is appended to and flushed a round at a time and keeps every raw
//! sample. A reader takes an unfinished last line as the round that was in
//! progress when the writer was killed, and leaves it out.

use serde::{Deserialize, Serialize};

use crate::{
    Configuration, Job, Placement,
    backend::{FailureKind, Input},
    protocol::Phase,
};

/// Version of the record format; written in the first line of the file.
pub const RECORD_VERSION: u32 = 1;

/// One line of `records.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// The first line.
    Sweep(SweepRecord),
    /// A block begins.
    Block(BlockRecord),
    /// A runner of the block was started, used and stopped.
    Incarnation(IncarnationRecord),
    /// Every configuration of the block was sampled once.
    Round(RoundRecord),
    /// The block is complete.
    BlockEnd(BlockEndRecord),
}

/// The file's header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepRecord {
    /// [`RECORD_VERSION`] of the writer.
    pub version: u32,
    /// Seed of every random choice.
    pub seed: u64,
}

/// Which question a block belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ExperimentKind {
    /// Backends over worker counts, one job.
    SpeedUp,
    /// Backends over task sizes, workers fixed.
    Granularity,
    /// Phases of process pools over start methods and worker counts; every
    /// sample is a whole cold cycle.
    StartMethods,
    /// Backends over array sizes.
    Payload,
    /// The classic table: single against a pool; every sample is a whole cold cycle.
    Table,
}

impl ExperimentKind {
    /// Whether each sample starts and stops the pool.
    #[must_use]
    pub const fn is_cold(self) -> bool {
        matches!(self, Self::StartMethods | Self::Table)
    }

    /// The name used in configs and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SpeedUp => "speed-up",
            Self::Granularity => "granularity",
            Self::StartMethods => "start-methods",
            Self::Payload => "payload",
            Self::Table => "table",
        }
    }
}

/// What is compared with what: all configurations of a block are alive at
/// once and run the same work, each its own `job`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockRecord {
    /// Unique in the sweep, e.g. `granularity/sum-of-squares/1000`.
    pub block: String,
    /// Name of the experiment in the config.
    pub experiment: String,
    /// Which question it belongs to.
    pub kind: ExperimentKind,
    /// What every configuration computes.
    pub job: Job,
    /// Samples refer to these by index.
    pub configurations: Vec<Configuration>,
    /// Cores that can be used here, affinity and cgroup quota counted.
    pub available_cores: usize,
    /// Where the workers ran, but the baseline's: it has only one.
    #[serde(default, skip_serializing_if = "Placement::is_free")]
    pub placement: Placement,
}

/// The life of one runner in a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncarnationRecord {
    /// The block's id.
    pub block: String,
    /// Index into [`BlockRecord::configurations`].
    pub configuration: usize,
    /// Counts from 0.
    pub incarnation: u32,
    /// Until every worker had answered; `None` in cold blocks, whose samples tell it.
    pub start_up_ns: Option<u64>,
    /// Where its array lay, if the runner has told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
    /// One task of one element on the fresh pool.
    pub first_task_ns: Option<u64>,
    /// Until every worker was gone.
    pub shutdown_ns: Option<u64>,
    /// What its process tree used during `runs` warm runs, preparing and
    /// checking included.
    pub resources: Option<Resources>,
}

/// What the whole process tree of a runner used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Runs that the figures are summed over.
    pub runs: u64,
    /// Processor time, user and system.
    pub cpu_ns: u64,
    /// Context switches: the thread waited.
    pub voluntary_switches: u64,
    /// Context switches: the thread was displaced.
    pub involuntary_switches: u64,
    /// Page faults served without input or output.
    pub minor_faults: u64,
    /// Page faults that read from a device.
    pub major_faults: u64,
    /// Largest sum of proportional set sizes that was seen: shared pages counted once.
    pub peak_pss_bytes: u64,
    /// Largest number of processes that was seen, the runner included.
    pub processes: u64,
}

/// One sample of every configuration of a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundRecord {
    /// The block's id.
    pub block: String,
    /// Counts from 0 within the block, over all incarnations.
    pub round: u32,
    /// Which life of the runners this was.
    pub incarnation: u32,
    /// In the order in which they were taken.
    pub samples: Vec<Sample>,
    /// What else the machine did meanwhile.
    pub validity: Validity,
    /// What the driver itself cost; absent if nobody was asked for anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<DriverCost>,
}

/// What the driver itself cost in a round, and since the one before in the same
/// life of its runners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DriverCost {
    /// Since the end of the round before, or of the warm-up.
    pub elapsed_ns: u64,
    /// Of that, while a runner was at work on a request.
    pub at_work_ns: u64,
    /// Of that, while it was at work on something that is timed.
    pub timed_ns: u64,
    /// Processor time of the driver from when it had sent a request for
    /// something that is timed until it had been woken for the reply. That is
    /// more than what it used within the runner's clock: it includes going to
    /// sleep and being woken.
    pub timed_cpu_ns: u64,
}

/// One timed run of one configuration, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Index into [`BlockRecord::configurations`].
    pub configuration: usize,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// A time, or a failure; never a time that stands for a failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// A warm run with the right answer.
    Warm {
        /// From "here is the job" to "every result can be read".
        wall_ns: u64,
    },
    /// A whole cycle with the right answer, its phases timed apart.
    Cold {
        /// Until every worker had answered.
        start_up_ns: u64,
        /// One task of one element.
        first_task_ns: u64,
        /// The job.
        wall_ns: u64,
        /// Until every worker was gone.
        shutdown_ns: u64,
    },
    /// No time.
    Failed(Failure),
}

impl Outcome {
    /// What the block compares: the warm run, or the sum of a cold cycle's
    /// phases; `None` for a failure.
    #[must_use]
    pub const fn total_ns(&self) -> Option<u64> {
        match *self {
            Self::Warm { wall_ns } => Some(wall_ns),
            Self::Cold { start_up_ns, first_task_ns, wall_ns, shutdown_ns } => {
                // A file may claim anything.
                let started = start_up_ns.saturating_add(first_task_ns);
                Some(started.saturating_add(wall_ns).saturating_add(shutdown_ns))
            }
            Self::Failed(_) => None,
        }
    }
}

/// Why there is no time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failure {
    /// For programs.
    pub kind: FailureKind,
    /// Where in the cycle.
    pub phase: Phase,
    /// For people.
    pub message: String,
}

/// What else the machine did about the time of a round: over at least the half second
/// before its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Validity {
    /// Share of the cores' time that the hypervisor gave to others, 0 to 1.
    pub steal: f64,
    /// Share of the cores' time that processes outside the sweep used, 0 to 1.
    pub others: f64,
    /// Why the round is contaminated; empty if it counts.
    pub contaminated: Vec<String>,
}

/// Why a block has no more rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// Every interval is as narrow as was asked.
    Precise,
    /// It is shown of every configuration whether it pays, and more was not asked.
    Decided,
    /// The block's share of the time budget is used up.
    TimeBudget,
    /// The configured number of rounds is reached.
    MaxRounds,
    /// No configuration is left that could be measured.
    AllFailed,
}

/// The block is complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockEndRecord {
    /// The block's id.
    pub block: String,
    /// Why it ended.
    pub reason: StopReason,
    /// Relative half-width at which its intervals were narrow enough; absent in
    /// records from before it was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision_asked: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cold_cycle_of_absurd_times_is_absurdly_long_and_never_short() {
        let ns = u64::MAX;
        let outcome =
            Outcome::Cold { start_up_ns: ns, first_task_ns: 1, wall_ns: ns, shutdown_ns: 1 };
        assert_eq!(outcome.total_ns(), Some(u64::MAX));
    }
}
