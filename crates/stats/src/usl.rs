//! The Universal Scalability Law: contention and coherency.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Estimate, ScalingPoint, StatsError,
    linear::solve,
    scaling::{fit_with_intervals, usable},
};

const MODEL: &str = "the Universal Scalability Law";

/// Worker counts that a fit needs: one each for the three parameters, one
/// more so that the law could be seen to fail.
const NEEDED: usize = 4;

/// The Universal Scalability Law, S(p) = γ p / (1 + α (p − 1) + β p (p − 1)),
/// fitted to speed-ups.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usl {
    /// γ, the speed-up of one worker.
    pub one_worker: Estimate,
    /// α, the cost of queueing for what only one worker can use at a time.
    pub contention: Estimate,
    /// β, the cost of keeping workers consistent with each other; above zero
    /// it makes speed-up fall again.
    pub coherency: Estimate,
}

impl Usl {
    /// The speed-up that the fit predicts for `workers`.
    #[must_use]
    pub fn predict(&self, workers: f64) -> f64 {
        let (alpha, beta) = (self.contention.value, self.coherency.value);
        self.one_worker.value * workers
            / (1.0 + alpha * (workers - 1.0) + beta * workers * (workers - 1.0))
    }
}

/// Fits the Universal Scalability Law to `points` by least squares on
/// p / S = (1 + α (p − 1) + β p (p − 1)) / γ, in which it is linear.
/// Gunther, "Guerrilla Capacity Planning", Springer 2007, chapters 4 and 5.
///
/// # Errors
///
/// [`StatsError::TooFewWorkerCounts`] with fewer than four distinct worker
/// counts; [`StatsError::NotIdentified`] if no parameters fit best;
/// [`StatsError::NotPositive`] for a senseless speed-up.
pub fn fit(points: &[ScalingPoint], seed: u64) -> Result<Usl, StatsError> {
    let points = usable(points, MODEL, 1, NEEDED)?;
    let [one_worker, contention, coherency] = fit_with_intervals(&points, seed, least_squares)
        .ok_or(StatsError::NotIdentified { model: MODEL })?;
    Ok(Usl { one_worker, contention, coherency })
}

/// γ, α, β of the least-squares solution, by its normal equations.
fn least_squares(points: &[(f64, f64)]) -> Option<[f64; 3]> {
    let (mut matrix, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
    for &(workers, speed_up) in points {
        let x = [1.0, workers - 1.0, workers * (workers - 1.0)];
        for (row, &factor) in x.iter().enumerate() {
            right[row] += factor * workers / speed_up;
            for (cell, &term) in matrix[row].iter_mut().zip(&x) {
                *cell += factor * term;
            }
        }
    }
    let [inverse_gamma, b, c] = solve(matrix, right)?;
    (inverse_gamma > 0.0).then(|| [inverse_gamma.recip(), b / inverse_gamma, c / inverse_gamma])
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    use super::*;

    const TRUE: (f64, f64, f64) = (0.95, 0.03, 0.002);

    fn points(counts: &[usize], noise: f64) -> Vec<ScalingPoint> {
        let (gamma, alpha, beta) = TRUE;
        let mut rng = Pcg64Mcg::seed_from_u64(23);
        counts
            .iter()
            .map(|&count| {
                let p = count as f64;
                let ideal = gamma * p / (1.0 + alpha * (p - 1.0) + beta * p * (p - 1.0));
                let mut sample = || ideal * (1.0 + noise * (rng.random::<f64>() - 0.5));
                let speed_ups = (0..4).map(|_| (0..10).map(|_| sample()).collect()).collect();
                ScalingPoint { workers: count.try_into().unwrap(), speed_ups }
            })
            .collect()
    }

    #[test]
    fn exact_points_give_back_their_parameters() {
        let fitted = fit(&points(&[1, 2, 4, 8, 16, 32], 0.0), 1).unwrap();
        assert!((fitted.one_worker.value - TRUE.0).abs() < 1e-9);
        assert!((fitted.contention.value - TRUE.1).abs() < 1e-9);
        assert!((fitted.coherency.value - TRUE.2).abs() < 1e-9);
    }

    #[test]
    fn the_intervals_from_noisy_points_hold_the_parameters() {
        let fitted = fit(&points(&[1, 2, 4, 8, 16, 32], 0.02), 1).unwrap();
        let truths = [TRUE.0, TRUE.1, TRUE.2];
        for (estimate, truth) in
            [fitted.one_worker, fitted.contention, fitted.coherency].iter().zip(truths)
        {
            let (low, high) = estimate.interval().unwrap();
            assert!(low <= truth && truth <= high, "{truth} not in {low}..{high}");
        }
        assert!((fitted.predict(8.0) - 5.72).abs() < 0.2, "{}", fitted.predict(8.0));
    }

    #[test]
    fn three_worker_counts_cannot_identify_three_parameters() {
        let refusal = fit(&points(&[1, 2, 4], 0.0), 1).unwrap_err();
        assert_eq!(
            refusal,
            StatsError::TooFewWorkerCounts { model: MODEL, fewest_workers: 1, needed: 4, found: 3 }
        );
    }
}
