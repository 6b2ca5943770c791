//! Amdahl's law: speed-up limited by a serial fraction.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Estimate, ScalingPoint, StatsError,
    scaling::{fit_with_intervals, usable},
};

const MODEL: &str = "Amdahl's law";

/// Worker counts above one that a fit needs: one for the parameter, one more
/// so that the law could be seen to fail.
const NEEDED: usize = 2;

/// Amdahl's law, S(p) = 1 / (σ + (1 − σ) / p), fitted to speed-ups.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Amdahl {
    /// σ, the share of the serial time that workers do not shorten; negative
    /// if speed-ups exceed the number of workers.
    pub serial_fraction: Estimate,
}

impl Amdahl {
    /// The speed-up that the fit predicts for `workers`.
    #[must_use]
    pub fn predict(&self, workers: f64) -> f64 {
        let sigma = self.serial_fraction.value;
        1.0 / (sigma + (1.0 - sigma) / workers)
    }
}

/// Fits Amdahl's law to `points` by least squares on the Karp–Flatt form
/// 1/S − 1/p = σ (1 − 1/p), in which it is linear; points with one worker say
/// nothing about σ. Amdahl, "Validity of the single processor approach to
/// achieving large scale computing capabilities", AFIPS 1967.
///
/// # Errors
///
/// [`StatsError::TooFewWorkerCounts`] with fewer than two distinct worker
/// counts above one; [`StatsError::NotPositive`] for a senseless speed-up.
///
/// ```
/// use stats::{ScalingPoint, amdahl};
///
/// let point = |p: usize| ScalingPoint {
///     workers: p.try_into().unwrap(),
///     speed_ups: vec![vec![1.0 / (0.05 + 0.95 / p as f64); 10]],
/// };
/// let fitted = amdahl::fit(&[point(1), point(2), point(4)], 42)?;
/// assert!((fitted.serial_fraction.value - 0.05).abs() < 1e-9);
/// assert!(amdahl::fit(&[point(1), point(2)], 42).is_err());
/// # Ok::<(), stats::StatsError>(())
/// ```
pub fn fit(points: &[ScalingPoint], seed: u64) -> Result<Amdahl, StatsError> {
    let points = usable(points, MODEL, 2, NEEDED)?;
    let [serial_fraction] = fit_with_intervals(&points, seed, least_squares)
        .ok_or(StatsError::NotIdentified { model: MODEL })?;
    Ok(Amdahl { serial_fraction })
}

fn least_squares(points: &[(f64, f64)]) -> Option<[f64; 1]> {
    let (mut xy, mut xx) = (0.0, 0.0);
    for &(workers, speed_up) in points {
        let x = 1.0 - workers.recip();
        xy += x * (speed_up.recip() - workers.recip());
        xx += x * x;
    }
    (xx > 0.0).then(|| [xy / xx])
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    use super::*;

    fn noisy_points(sigma: f64, counts: &[usize]) -> Vec<ScalingPoint> {
        let mut rng = Pcg64Mcg::seed_from_u64(11);
        let speed_up = |p: f64| 1.0 / (sigma + (1.0 - sigma) / p);
        counts
            .iter()
            .map(|&count| ScalingPoint {
                workers: count.try_into().unwrap(),
                speed_ups: (0..4)
                    .map(|_| {
                        (0..10)
                            .map(|_| speed_up(count as f64) * (0.99 + 0.02 * rng.random::<f64>()))
                            .collect()
                    })
                    .collect(),
            })
            .collect()
    }

    #[test]
    fn the_serial_fraction_is_recovered_from_noisy_points_within_its_interval() {
        let fitted = fit(&noisy_points(0.08, &[1, 2, 4, 8]), 3).unwrap();
        let (low, high) = fitted.serial_fraction.interval().unwrap();
        assert!(low <= 0.08 && 0.08 <= high, "{low}..{high}");
        assert!(high - low < 0.02);
        assert!((fitted.predict(16.0) - 1.0 / (0.08 + 0.92 / 16.0)).abs() < 0.3);
    }

    #[test]
    fn two_cores_cannot_identify_the_law_and_the_refusal_says_so() {
        let refusal = fit(&noisy_points(0.08, &[1, 2]), 3).unwrap_err();
        let words = refusal.to_string();
        assert!(words.starts_with("Amdahl's law needs 2 different worker counts above one"));
        assert!(words.contains("there are 1\nhelp:"), "{words}");
    }

    /// Every speed-up of a round has the same serial time above the line.
    #[test]
    fn the_interval_covers_the_truth_where_all_points_share_the_error_of_serial() {
        const SIGMA: f64 = 0.08;
        let counts = [2usize, 4, 8];
        let covers = |seed: u64| {
            let mut rng = Pcg64Mcg::seed_from_u64(seed);
            // What its lives differ in, above all.
            let mut life = || {
                let luck = 0.9 + 0.2 * rng.random::<f64>();
                (0..6).map(|_| luck + 0.01 * rng.random::<f64>() - 0.005).collect()
            };
            let serial: Vec<Vec<f64>> = (0..10).map(|_| life()).collect();
            let points = counts.map(|count| {
                let speed_up = 1.0 / (SIGMA + (1.0 - SIGMA) / count as f64);
                let of_life = |life: &Vec<f64>| life.iter().map(|time| time * speed_up).collect();
                ScalingPoint {
                    workers: count.try_into().unwrap(),
                    speed_ups: serial.iter().map(of_life).collect(),
                }
            });
            let (low, high) = fit(&points, seed).unwrap().serial_fraction.interval().unwrap();
            low <= SIGMA && SIGMA <= high
        };
        let covered = (0..200).filter(|&seed| covers(seed)).count();
        assert!(covered >= 180, "{covered} of 200");
    }
}
