//! How far the model is off where it was not fitted.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Observation, fit::best_costs, simulate};
use crate::{StatsError, quantile::median};

/// Errors of walls that were predicted from others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Each job predicted from all others, if those tell the costs; absent if no job
    /// can be spared.
    pub jobs: Option<Errors>,
    /// The most workers that were measured, predicted from fewer; absent with
    /// fewer than three worker counts, and where that is refused.
    pub most_workers: Option<Errors>,
    /// Why the jobs of fewer workers do not tell the costs, with three worker counts
    /// or more.
    #[serde(default)]
    pub most_workers_refused: Option<String>,
}

/// How far predicted walls are from measured ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Errors {
    /// Walls that were predicted.
    pub walls: usize,
    /// Half of them are off by at most this share of the measured wall.
    pub median: f64,
    /// None is off by more than this share of the measured wall.
    pub largest: f64,
}

/// Predicts walls by the simulation from fits that did not know them.
pub(super) fn check(observations: &[Observation]) -> Check {
    let job = |seen: &Observation| (seen.job.tasks, seen.task);
    let jobs: BTreeSet<_> = observations.iter().map(job).collect();
    let by_job: Vec<f64> = jobs
        .into_iter()
        .filter_map(|left_out| errors_of(observations, |seen| job(seen) == left_out).ok())
        .flatten()
        .collect();
    let counts: BTreeSet<_> = observations.iter().map(|seen| seen.job.workers).collect();
    let most = counts.last().filter(|_| counts.len() > 2);
    let by_workers =
        most.map(|&most| errors_of(observations, |seen| seen.job.workers == most)).transpose();
    Check {
        jobs: Errors::of(&by_job),
        most_workers_refused: by_workers.as_ref().err().map(ToString::to_string),
        most_workers: by_workers.ok().flatten().and_then(|errors| Errors::of(&errors)),
    }
}

/// Relative errors of the walls that are `left_out`; the refusal if the others do not
/// identify the costs.
fn errors_of(
    observations: &[Observation],
    left_out: impl Fn(&Observation) -> bool,
) -> Result<Vec<f64>, StatsError> {
    let (predicted, kept): (Vec<Observation>, Vec<Observation>) =
        observations.iter().partition(|seen| left_out(seen));
    let costs = best_costs(&kept)?;
    let error = |seen: &Observation| {
        (simulate(&costs, &seen.job, seen.task_ns).wall_ns / seen.wall_ns - 1.0).abs()
    };
    Ok(predicted.iter().map(error).collect())
}

impl Errors {
    fn of(errors: &[f64]) -> Option<Self> {
        let largest = errors.iter().copied().fold(0.0, f64::max);
        Some(Self { walls: errors.len(), median: median(errors)?, largest })
    }
}
