//! What only several blocks together can tell.

use harness::{Configuration, Strategy, Workload};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stats::{BreakEven, Estimate, Metg, amdahl::Amdahl, usl::Usl};

/// How small tasks may be for one configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GranularityFinding {
    /// What tasks computed.
    #[schemars(with = "String")]
    pub workload: Workload,
    /// Who computed.
    pub configuration: Configuration,
    /// Whether it had more workers than there are cores.
    pub oversubscribed: bool,
    /// METG(50%): the smallest granularity that keeps half the ideal throughput.
    pub metg: Metg,
    /// From which task on it beats the baseline; sizes are the baseline's
    /// time of a task, in nanoseconds.
    pub against_serial: BreakEven,
    /// Task sizes without figures, and why.
    pub failures: Vec<String>,
}

/// From which task on a process strategy beats the best thread strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessAdvantage {
    /// What tasks computed.
    #[schemars(with = "String")]
    pub workload: Workload,
    /// The process strategy.
    pub configuration: Configuration,
    /// Sizes are the baseline's time of a task, in nanoseconds. Compared with
    /// whichever thread strategy is best at each size.
    pub against_threads: BreakEven,
}

/// What one configuration does with arrays of growing size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PayloadFinding {
    /// What tasks computed.
    #[schemars(with = "String")]
    pub workload: Workload,
    /// Who computed.
    pub configuration: Configuration,
    /// From which array on it beats the baseline; sizes are bytes.
    pub against_serial: BreakEven,
    /// Highest bandwidth at any size: bytes of the array ÷ time of the run.
    pub best_bytes_per_s: Option<f64>,
    /// Size of the array at which that was.
    pub best_at_bytes: Option<u64>,
}

/// How one strategy scales with workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScalingFinding {
    /// What tasks computed.
    #[schemars(with = "String")]
    pub workload: Workload,
    /// Who computed.
    pub strategy: Strategy,
    /// The Karp–Flatt metric at each number of workers from two to the cores.
    pub serial_fractions: Vec<SerialFraction>,
    /// Amdahl's law.
    pub amdahl: Fit<Amdahl>,
    /// The Universal Scalability Law.
    pub usl: Fit<Usl>,
    /// What these laws foretell; empty if both were refused.
    #[serde(default)]
    pub predicted: Vec<PredictedSpeedUp>,
}

/// A speed-up that a fitted law foretells: it was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PredictedSpeedUp {
    /// Number of workers, each on a core of its own.
    pub workers: usize,
    /// Whether the machine that was measured has fewer cores than that.
    pub beyond_cores: bool,
    /// By Amdahl's law; the interval is that of its serial fraction, open where
    /// that makes the law pass through infinity. Absent if refused, or without
    /// sense there.
    pub amdahl: Option<Estimate>,
    /// By the Universal Scalability Law. Absent if refused, or without sense there.
    pub usl: Option<f64>,
}

/// The Karp–Flatt metric at one number of workers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SerialFraction {
    /// Number of workers.
    pub workers: usize,
    /// 0 is ideal; 1 is no gain.
    pub serial_fraction: Estimate,
}

/// A model's parameters, or why the points cannot identify them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fit<T> {
    /// The parameters.
    Fitted(T),
    /// Why there are none.
    Refused(String),
}

/// One row of the classic table: a single task against a pool that executes
/// several such tasks, start-up and shutdown inside the clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TableFinding {
    /// Who computed.
    pub configuration: Configuration,
    /// Tasks that the pool executed.
    pub tasks: usize,
    /// Seconds of one task: the baseline's cycle ÷ tasks.
    pub single_s: Option<f64>,
    /// Seconds of the pool's cycle.
    pub pool_s: Option<f64>,
    /// Tasks × single ÷ pool, estimated within rounds: the number of workers
    /// at best, 1 if nothing is gained.
    pub ratio: Option<Estimate>,
    /// Single ÷ pool: 1 at best, if the pool is as quick with all tasks as
    /// one task alone.
    pub single_over_pool: Option<f64>,
    /// Why there are no figures.
    pub why_not: Option<String>,
}
