//! How far the model is off where it was not fitted.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Observation, fit::best_costs, simulate};
use crate::quantile::median;

/// Errors of walls that were predicted from others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Each job predicted from all others; absent if no job could be spared.
    pub jobs: Option<Errors>,
    /// The most workers that were measured, predicted from fewer; absent with
    /// fewer than three worker counts.
    pub most_workers: Option<Errors>,
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
    let job = |seen: &Observation| {
        (seen.job.tasks, seen.task_ns.to_bits(), seen.job.task_bytes.to_bits())
    };
    let jobs: BTreeSet<_> = observations.iter().map(job).collect();
    let by_job: Vec<f64> = jobs
        .into_iter()
        .flat_map(|left_out| errors_of(observations, |seen| job(seen) == left_out))
        .collect();
    let workers = |seen: &Observation| seen.job.workers;
    let most = observations.iter().map(workers).max();
    let extrapolates = told_apart(observations.iter().map(|seen| workers(seen).get() as f64)) > 2;
    let by_workers = if extrapolates {
        errors_of(observations, |seen| Some(workers(seen)) == most)
    } else {
        Vec::new()
    };
    Check { jobs: Errors::of(&by_job), most_workers: Errors::of(&by_workers) }
}

/// Number of different `values`.
pub(super) fn told_apart(values: impl Iterator<Item = f64>) -> usize {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values.len()
}

/// Relative errors of the walls that are `left_out`; none if the others do not
/// identify the costs.
fn errors_of(observations: &[Observation], left_out: impl Fn(&Observation) -> bool) -> Vec<f64> {
    let (predicted, kept): (Vec<Observation>, Vec<Observation>) =
        observations.iter().partition(|seen| left_out(seen));
    let Ok(costs) = best_costs(&kept) else { return Vec::new() };
    predicted
        .iter()
        .map(|seen| (simulate(&costs, &seen.job, seen.task_ns).wall_ns / seen.wall_ns - 1.0).abs())
        .collect()
}

impl Errors {
    fn of(errors: &[f64]) -> Option<Self> {
        let largest = errors.iter().copied().fold(0.0, f64::max);
        Some(Self { walls: errors.len(), median: median(errors)?, largest })
    }
}
