//! What a simulation foretells: never to be mixed up with what was measured.

use harness::{Strategy, Workload};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stats::simulation::{Fitted, Ranged};

use super::Fit;

/// What one strategy would do with more workers, each on a core of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PredictionFinding {
    /// What tasks would compute.
    #[schemars(with = "String")]
    pub workload: Workload,
    /// Who would compute.
    pub strategy: Strategy,
    /// The prediction, or why there is none: the times that were measured do not tell its
    /// costs, or another workload was measured than the one that can be predicted.
    pub prediction: Fit<Foretold>,
}

/// Costs that were fitted to measured times, and what follows from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Foretold {
    /// The costs, and how far the simulation is off where it was not fitted.
    pub model: Fitted,
    /// Times that the costs were fitted to, of all warm experiments.
    pub walls: usize,
    /// Tasks for each worker of the job that is simulated; as measured.
    pub tasks_per_worker: usize,
    /// Work of one task for which the efficiency is told, in nanoseconds.
    pub efficiency_task_ns: f64,
    /// In ascending order of workers.
    pub at: Vec<PredictedAt>,
}

/// The figures at one number of workers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PredictedAt {
    /// Number of workers, each on a core of its own.
    pub workers: usize,
    /// Whether the machine that was measured has fewer cores than that.
    pub beyond_cores: bool,
    /// METG(50%), in nanoseconds; absent where no task is long enough.
    pub metg_ns: Option<Ranged>,
    /// Speed-up ÷ workers, of tasks of `efficiency_task_ns`.
    pub efficiency: Ranged,
}
