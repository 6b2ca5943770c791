//! A figure together with how sure it is.

use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    grouped,
    quantile::{median_in_place, quantile},
};

/// Confidence level of every interval of this crate.
pub const LEVEL: f64 = 0.95;

/// Values below which no interval is given.
///
/// The whole range from smallest to largest of n values covers the median
/// with probability 1 − 2^(1−n), whatever the distribution: 93.75 % for five
/// and 96.9 % for six. With fewer than six, no interval that rests on the
/// values alone reaches [`LEVEL`], and a bootstrap would print one all the same.
pub const FEWEST_VALUES: usize = 6;

/// Resamples of a bootstrap. The ends of a 95 % interval then rest on 25
/// resamples each: the noise this adds is about a tenth of the interval's
/// width, and an estimate stays cheap enough to be made between rounds.
pub const RESAMPLES: usize = 1_000;

/// A figure and, where the data allow one, an interval around it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The figure itself.
    pub value: f64,
    /// Lower end of the interval; absent if there were too few values to tell,
    /// or if it lies beyond what was measured.
    pub low: Option<f64>,
    /// Upper end of the interval; absent for the same reasons.
    pub high: Option<f64>,
    /// Confidence level of the interval, 0 to 1.
    pub level: f64,
}

impl Estimate {
    /// A figure from too few values for an interval.
    #[must_use]
    pub const fn without_interval(value: f64) -> Self {
        Self { value, low: None, high: None, level: LEVEL }
    }

    /// A figure with both ends of its interval.
    #[must_use]
    pub const fn with_interval(value: f64, low: f64, high: f64) -> Self {
        Self { value, low: Some(low), high: Some(high), level: LEVEL }
    }

    /// Both ends of the interval, or `None` if one is absent.
    #[must_use]
    pub fn interval(&self) -> Option<(f64, f64)> {
        self.low.zip(self.high)
    }

    /// Half the interval's width as a share of the figure: "± 2 %" is 0.02.
    ///
    /// `None` without an interval, or for a figure of zero.
    #[must_use]
    pub fn relative_half_width(&self) -> Option<f64> {
        let (low, high) = self.interval()?;
        (self.value != 0.0).then(|| (high - low) / 2.0 / self.value.abs())
    }

    /// Whether the whole interval lies above `threshold`.
    #[must_use]
    pub fn is_above(&self, threshold: f64) -> bool {
        self.low.is_some_and(|low| low > threshold)
    }

    /// Whether the whole interval lies below `threshold`.
    #[must_use]
    pub fn is_below(&self, threshold: f64) -> bool {
        self.high.is_some_and(|high| high < threshold)
    }

    /// The estimate of `f` of the figure, for an increasing or decreasing `f`.
    #[must_use]
    pub fn map_monotonic(self, f: impl Fn(f64) -> f64) -> Self {
        let (low, high) = (self.low.map(&f), self.high.map(&f));
        let turned = matches!((low, high), (Some(low), Some(high)) if low > high);
        let (low, high) = if turned { (high, low) } else { (low, high) };
        Self { value: f(self.value), low, high, level: self.level }
    }
}

/// The median over all values of all `groups`, with a 95 % interval.
///
/// A group holds what one incarnation of the runners gave, one value a round.
/// Values of one incarnation share their layout and placement luck, so the
/// interval is Student's over the medians of the incarnations (over their
/// logarithms if all are positive, as times and ratios are: its ends are then
/// positive too, and turn round as the ratio does). It holds however much of the
/// variance is luck. A percentile bootstrap over incarnations and rounds does
/// not: of three incarnations that differ it covers the truth some 80 times in 100.
/// METHODOLOGY.md has the figures. That honesty costs width: with two
/// incarnations the factor is 12.7, with three 4.3, with six 2.6.
///
/// The same `groups` and `seed` give the same estimate.
///
/// - No value at all: `None`.
/// - Fewer than [`FEWEST_VALUES`] values: a figure whose `low` and `high` are `None`.
/// - One group: a percentile bootstrap of its values by `seed`, which speaks
///   for that one incarnation only.
#[must_use]
pub fn median_with_interval(groups: &[Vec<f64>], seed: u64) -> Option<Estimate> {
    let groups = non_empty(groups);
    let mut pooled = groups.concat();
    let value = median_in_place(&mut pooled)?;
    let interval = if pooled.iter().all(|&value| value > 0.0) {
        let ln_median = |values: &mut [f64]| median_in_place(values).map(f64::ln);
        let (_, ends) = grouped::centre(&groups, LEVEL, seed, ln_median)?;
        ends.map(|(low, high)| (low.exp(), high.exp()))
    } else {
        grouped::centre(&groups, LEVEL, seed, median_in_place)?.1
    };
    // The median of all can lie outside where groups differ in size.
    let around =
        |(low, high): (f64, f64)| Estimate::with_interval(value, low.min(value), high.max(value));
    Some(interval.map_or(Estimate::without_interval(value), around))
}

/// The groups that have values.
pub(crate) fn non_empty(groups: &[Vec<f64>]) -> Vec<&[f64]> {
    groups.iter().map(Vec::as_slice).filter(|group| !group.is_empty()).collect()
}

/// `value` with the interval that holds the middle [`LEVEL`] of `resampled`.
///
/// The interval is widened to include `value` where a lopsided bootstrap
/// leaves it outside: a figure outside its own interval helps nobody.
pub(crate) fn percentile_interval(value: f64, resampled: &[f64]) -> Estimate {
    let tail = (1.0 - LEVEL) / 2.0;
    match (quantile(resampled, tail), quantile(resampled, 1.0 - tail)) {
        (Some(low), Some(high)) => Estimate::with_interval(value, low.min(value), high.max(value)),
        _ => Estimate::without_interval(value),
    }
}

/// Replaces `resample` by groups drawn from `groups` and values drawn from
/// each drawn group, both with replacement. No group may be empty.
pub(crate) fn draw(groups: &[&[f64]], rng: &mut Pcg64Mcg, resample: &mut Vec<f64>) {
    resample.clear();
    for _ in groups {
        let group = groups[rng.random_range(0..groups.len())];
        resample.extend((0..group.len()).map(|_| group[rng.random_range(0..group.len())]));
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// Uniform on 0..1 plus an offset that the whole group shares.
    fn simulated(groups: usize, rounds: usize, luck: f64, rng: &mut Pcg64Mcg) -> Vec<Vec<f64>> {
        (0..groups)
            .map(|_| {
                let offset = luck * (rng.random::<f64>() - 0.5);
                (0..rounds).map(|_| rng.random::<f64>() + offset).collect()
            })
            .collect()
    }

    #[test]
    fn shared_luck_widens_the_interval_beyond_that_of_independent_values() {
        let mut rng = Pcg64Mcg::seed_from_u64(3);
        let groups = simulated(6, 20, 2.0, &mut rng);
        let hierarchical = median_with_interval(&groups, 1).unwrap();
        let pooled = median_with_interval(&[groups.concat()], 1).unwrap();
        assert_eq!(hierarchical.value, pooled.value);
        let width = |e: Estimate| e.high.unwrap() - e.low.unwrap();
        assert!(width(hierarchical) > 1.5 * width(pooled));
    }

    #[test]
    fn the_same_seed_gives_the_same_interval_and_another_seed_nearly_the_same() {
        let mut rng = Pcg64Mcg::seed_from_u64(5);
        let groups = simulated(1, 100, 0.5, &mut rng);
        let first = median_with_interval(&groups, 1).unwrap();
        assert_eq!(first, median_with_interval(&groups, 1).unwrap());
        let other = median_with_interval(&groups, 2).unwrap();
        assert_eq!(first.value, other.value);
        assert!((first.low.unwrap() - other.low.unwrap()).abs() < 0.1);
    }

    #[test]
    fn too_few_values_give_a_figure_without_an_interval() {
        assert_eq!(median_with_interval(&[], 1), None);
        assert_eq!(median_with_interval(&[vec![], vec![]], 1), None);
        let one = median_with_interval(&[vec![2.0]], 1).unwrap();
        assert_eq!(one, Estimate::without_interval(2.0));
        let five = median_with_interval(&[vec![1.0, 2.0], vec![3.0, 4.0, 5.0]], 1).unwrap();
        assert_eq!(five, Estimate::without_interval(3.0));
        assert_eq!(five.relative_half_width(), None);
    }

    #[test]
    fn the_interval_of_positive_values_is_positive_and_turns_round_with_them() {
        let groups = [vec![1.0f64, 1.1, 1.2], vec![4.0, 4.1, 4.2]];
        let inverse: Vec<Vec<f64>> =
            groups.iter().map(|group| group.iter().map(|value| value.recip()).collect()).collect();
        let (low, _) = median_with_interval(&groups, 1).unwrap().interval().unwrap();
        let (_, high) = median_with_interval(&inverse, 1).unwrap().interval().unwrap();
        assert!(low > 0.0 && (low * high - 1.0).abs() < 1e-9, "{low}, {high}");
    }

    #[test]
    fn a_decreasing_map_turns_the_interval_round() {
        let estimate = Estimate::with_interval(2.0, 1.0, 4.0).map_monotonic(f64::recip);
        assert_eq!(estimate, Estimate::with_interval(0.5, 0.25, 1.0));
    }
}
