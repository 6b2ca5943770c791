//! Intervals that were tried and are not used, for METHODOLOGY's table.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use stats::{median, quantile};

const RESAMPLES: usize = 400;

/// The percentile bootstrap over incarnations, then rounds, of the median.
pub(crate) fn percentile(groups: &[Vec<f64>], seed: u64) -> Option<(f64, f64)> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let medians: Vec<f64> =
        (0..RESAMPLES).filter_map(|_| median(&resample(groups, &mut rng).concat())).collect();
    Some((quantile(&medians, 0.025)?.exp(), quantile(&medians, 0.975)?.exp()))
}

/// The percentile-t bootstrap of the mean of the incarnations' medians.
pub(crate) fn studentised(groups: &[Vec<f64>], seed: u64) -> Option<(f64, f64)> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let (mean, error) = mean_and_error(groups)?;
    let ts: Option<Vec<f64>> = (0..RESAMPLES)
        .map(|_| {
            let (resampled, error) = mean_and_error(&resample(groups, &mut rng))?;
            Some((resampled - mean) / error)
        })
        .collect();
    let ts = ts?;
    let (low, high) = (quantile(&ts, 0.975)?, quantile(&ts, 0.025)?);
    Some(((mean - low * error).exp(), (mean - high * error).exp()))
}

fn resample(groups: &[Vec<f64>], rng: &mut Pcg64Mcg) -> Vec<Vec<f64>> {
    let mut group = || {
        let group = &groups[rng.random_range(0..groups.len())];
        group.iter().map(|_| group[rng.random_range(0..group.len())]).collect()
    };
    groups.iter().map(|_| group()).collect()
}

fn mean_and_error(groups: &[Vec<f64>]) -> Option<(f64, f64)> {
    let medians: Vec<f64> = groups.iter().filter_map(|group| median(group)).collect();
    let count = medians.len() as f64;
    let mean = medians.iter().sum::<f64>() / count;
    let squares: f64 = medians.iter().map(|median| (median - mean).powi(2)).sum();
    Some((mean, (squares / (count - 1.0) / count).sqrt()))
}
