//! Speed-up and the figures derived from it.

use std::{num::NonZeroUsize, time::Duration};

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

use crate::{
    Estimate, StatsError,
    estimate::{FEWEST_VALUES, RESAMPLES, draw, non_empty, percentile_interval},
    quantile::{median, median_in_place},
};

/// Speed-up of `parallel` over the serial `baseline`; above 1 is faster.
///
/// Both are wall times of the same job.
///
/// # Errors
///
/// [`StatsError::ZeroTime`] if either time is zero: the job is too small for
/// the clock, so raise the task size.
///
/// ```
/// use std::time::Duration;
///
/// let speed_up = stats::speed_up(Duration::from_millis(30), Duration::from_millis(20))?;
/// assert!((speed_up - 1.5).abs() < 1e-9);
/// # Ok::<(), stats::StatsError>(())
/// ```
pub fn speed_up(baseline: Duration, parallel: Duration) -> Result<f64, StatsError> {
    if baseline.is_zero() || parallel.is_zero() {
        return Err(StatsError::ZeroTime);
    }
    Ok(baseline.as_secs_f64() / parallel.as_secs_f64())
}

/// Speed-up per worker: 1 is ideal.
///
/// ```
/// assert_eq!(stats::efficiency(3.0, 4.try_into()?), 0.75);
/// # Ok::<(), std::num::TryFromIntError>(())
/// ```
#[must_use]
pub fn efficiency(speed_up: f64, workers: NonZeroUsize) -> f64 {
    speed_up / workers.get() as f64
}

/// The experimentally determined serial fraction, (1/S − 1/p) / (1 − 1/p) for
/// speed-up S on p workers. 0 is ideal, 1 is no gain; it is negative for
/// speed-ups above p and above 1 for speed-ups below 1.
///
/// Karp and Flatt, "Measuring parallel processor performance",
/// Communications of the ACM 33 (1990).
///
/// # Errors
///
/// [`StatsError::OneWorker`] for one worker, [`StatsError::NotPositive`] for
/// a speed-up that is not a positive number.
///
/// ```
/// let serial_fraction = stats::karp_flatt(1.6, 2.try_into().unwrap())?;
/// assert!((serial_fraction - 0.25).abs() < 1e-9);
/// # Ok::<(), stats::StatsError>(())
/// ```
pub fn karp_flatt(speed_up: f64, workers: NonZeroUsize) -> Result<f64, StatsError> {
    if workers.get() == 1 {
        return Err(StatsError::OneWorker);
    }
    if !is_positive(speed_up) {
        return Err(StatsError::NotPositive);
    }
    let inverse = 1.0 / workers.get() as f64;
    Ok((speed_up.recip() - inverse) / (1.0 - inverse))
}

/// The speed-ups that were measured with one number of workers.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalingPoint {
    /// Number of workers. Oversubscribed points are the caller's to leave out:
    /// no model of this crate describes more workers than cores.
    pub workers: NonZeroUsize,
    /// Speed-ups, one group an incarnation, one value a round.
    pub speed_ups: Vec<Vec<f64>>,
}

/// A number of workers and its speed-ups, grouped by incarnation.
pub(crate) type Groups<'a> = (f64, Vec<&'a [f64]>);

/// Points that have speed-ups, or an error if they have fewer than `needed`
/// distinct worker counts.
pub(crate) fn usable<'a>(
    points: &'a [ScalingPoint],
    model: &'static str,
    fewest_workers: usize,
    needed: usize,
) -> Result<Vec<Groups<'a>>, StatsError> {
    let mut usable: Vec<Groups<'_>> = Vec::new();
    for point in points.iter().filter(|point| point.workers.get() >= fewest_workers) {
        let groups = non_empty(&point.speed_ups);
        match median(&groups.concat()) {
            None => {}
            Some(_) if groups.iter().copied().flatten().all(|&s| is_positive(s)) => {
                usable.push((point.workers.get() as f64, groups));
            }
            Some(_) => return Err(StatsError::NotPositive),
        }
    }
    let mut counts: Vec<f64> = usable.iter().map(|&(workers, _)| workers).collect();
    counts.sort_by(f64::total_cmp);
    counts.dedup();
    if counts.len() < needed {
        let found = counts.len();
        return Err(StatsError::TooFewWorkerCounts { model, fewest_workers, needed, found });
    }
    Ok(usable)
}

/// Fits `N` parameters to the medians of `points`, with percentile-bootstrap
/// intervals from resampling incarnations and rounds, the same ones of every
/// point: points share the serial times of a round, and with them its error,
/// which draws of each point's own would average away.
///
/// `fit` maps `(workers, speed-up)` pairs to parameters.
pub(crate) fn fit_with_intervals<const N: usize>(
    points: &[Groups<'_>],
    seed: u64,
    fit: impl Fn(&[(f64, f64)]) -> Option<[f64; N]>,
) -> Option<[Estimate; N]> {
    let medians: Option<Vec<(f64, f64)>> = points
        .iter()
        .map(|(workers, groups)| Some((*workers, median(&groups.concat())?)))
        .collect();
    let best = fit(&medians?)?;
    let enough = |groups: &[&[f64]]| groups.iter().map(|g| g.len()).sum::<usize>() >= FEWEST_VALUES;
    if !points.iter().all(|(_, groups)| enough(groups)) {
        return Some(best.map(Estimate::without_interval));
    }
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut buffer = Vec::new();
    let refits: Vec<[f64; N]> = (0..RESAMPLES)
        .filter_map(|_| {
            let start = rng.clone();
            let resampled: Option<Vec<(f64, f64)>> = points
                .iter()
                .map(|(workers, groups)| {
                    rng = start.clone();
                    draw(groups, &mut rng, &mut buffer);
                    Some((*workers, median_in_place(&mut buffer)?))
                })
                .collect();
            fit(&resampled?)
        })
        .collect();
    Some(std::array::from_fn(|i| {
        let values: Vec<f64> = refits.iter().map(|refit| refit[i]).collect();
        percentile_interval(best[i], &values)
    }))
}

fn is_positive(speed_up: f64) -> bool {
    speed_up.is_finite() && speed_up > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workers(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).unwrap()
    }

    #[test]
    fn a_time_of_zero_has_no_speed_up() {
        let second = Duration::from_secs(1);
        assert_eq!(speed_up(Duration::ZERO, second), Err(StatsError::ZeroTime));
        assert_eq!(speed_up(second, Duration::ZERO), Err(StatsError::ZeroTime));
    }

    #[test]
    fn ideal_speed_up_has_no_serial_fraction_and_none_is_all_serial() {
        assert_eq!(karp_flatt(8.0, workers(8)), Ok(0.0));
        assert_eq!(karp_flatt(1.0, workers(8)), Ok(1.0));
    }

    #[test]
    fn the_serial_fraction_of_amdahls_law_is_recovered_at_every_worker_count() {
        for count in 2..64 {
            let p = f64::from(count);
            let amdahl = 1.0 / (0.1 + 0.9 / p);
            let fraction = karp_flatt(amdahl, workers(count as usize)).unwrap();
            assert!((fraction - 0.1).abs() < 1e-9);
        }
    }

    #[test]
    fn one_worker_or_a_senseless_speed_up_has_no_serial_fraction() {
        assert_eq!(karp_flatt(1.0, workers(1)), Err(StatsError::OneWorker));
        assert_eq!(karp_flatt(0.0, workers(2)), Err(StatsError::NotPositive));
        assert_eq!(karp_flatt(f64::NAN, workers(2)), Err(StatsError::NotPositive));
    }
}
