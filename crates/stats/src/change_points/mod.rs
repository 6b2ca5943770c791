//! Where series of values leave their level for another.

mod rank_sum;

use std::collections::BTreeMap;

use crate::{paired::corrected_level, quantile::median};
use rank_sum::RankSums;

/// Values at a level below which it is not looked for: one or two that stand
/// out are outliers, not a level.
pub const SHORTEST_LEVEL: usize = 3;

/// Series that are shorter are never looked at: they have no level.
pub const FEWEST_VALUES: usize = 8;

/// Where a series changes its level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// Index of the first value at the new level.
    pub at: usize,
    /// How probable so clear a change would be, at any place of the stretch in
    /// which it was found, if there was none.
    pub p_value: f64,
}

/// The change points of each of `series`, in ascending order.
///
/// `alarm_rate`, between 0 and 1, is the largest probability that anything at all is
/// found where no series changes. It is divided by the number of series (Bonferroni,
/// which asks for no independence: series of one machine have its troubles in
/// common). It is that of one look: who looks again after every further value finds
/// something more often.
///
/// A series is tested at every place for a change of level by Wilcoxon's rank-sum
/// test of the values before against those after, two-sided; the smallest of these
/// probabilities, times the number of places, must be at most the rate. They are
/// exact where no values are equal and one side has at most 20, and rather too
/// large otherwise. So it is proven, not fitted, that the rate is kept, whatever the
/// distribution, if the values of a series that does not change come in any order
/// with the same probability. Drift, or a machine that is slow for days, is not
/// of that kind. A scan of such tests is Pettitt's idea ("A Non-Parametric Approach
/// to the Change-Point Problem", Applied Statistics 28, 1979); testing each place by
/// its own distribution does not favour the middle.
///
/// Where a test finds a change, it is placed so that the values are nearest to the
/// medians of the two sides, by their absolute differences: ranks say whether
/// there is one, and not where, if there are more to come. There the series is
/// cut, and both parts are tested in the same
/// way (binary segmentation: Scott and Knott, "A Cluster Analysis Method for Grouping
/// Means in the Analysis of Variance", Biometrics 30, 1974), each at a share of the
/// rate by its length, so that the stretches between true changes keep the rate
/// together. A change that is taken back soon is found only if both levels are long.
///
/// A series of fewer than [`FEWEST_VALUES`] values, or with one that is not finite,
/// has none.
///
/// ```
/// let steady: Vec<f64> = (0..30).map(|run| f64::from(run * 7 % 10) / 1_000.0).collect();
/// let mut slower = steady.clone();
/// slower[20..].iter_mut().for_each(|value| *value -= 0.1);
/// let found = stats::change_points(&[steady, slower], 0.01);
/// assert_eq!(found[0], []);
/// assert_eq!(found[1].iter().map(|change| change.at).collect::<Vec<_>>(), [20]);
/// ```
#[must_use]
pub fn change_points(series: &[Vec<f64>], alarm_rate: f64) -> Vec<Vec<ChangePoint>> {
    let rate = 1.0 - corrected_level(1.0 - alarm_rate, series.len());
    let mut tables = Tables::default();
    let of_one = |values: &Vec<f64>| {
        let mut found = Vec::new();
        if values.len() >= FEWEST_VALUES && values.iter().all(|value| value.is_finite()) {
            let per_value = rate / values.len() as f64;
            cut(values, 0, per_value, &mut tables, &mut found);
        }
        found
    };
    series.iter().map(of_one).collect()
}

/// How long each of `series` series must be for a change in it to be found at all:
/// one between two levels of equal length that do not overlap.
#[must_use]
pub fn fewest_values(series: usize, alarm_rate: f64) -> usize {
    let rate = 1.0 - corrected_level(1.0 - alarm_rate, series);
    let is_enough = |len: &usize| {
        // n over n/2, as a product: two orders of all are such a change.
        let orders: f64 = (1..=len / 2).map(|i| (len - len / 2 + i) as f64 / i as f64).product();
        places(*len).count() as f64 * 2.0 / orders <= rate
    };
    (FEWEST_VALUES..).find(is_enough).unwrap_or(usize::MAX)
}

/// Distributions by the number of values: they are the same for all series.
#[derive(Default)]
struct Tables(BTreeMap<usize, RankSums>);

/// Finds the clearest change in `values`, which begin at `offset` of their series,
/// and those on either side of it.
fn cut(
    values: &[f64],
    offset: usize,
    rate_per_value: f64,
    tables: &mut Tables,
    found: &mut Vec<ChangePoint>,
) {
    let table = tables.0.entry(values.len()).or_insert_with(|| RankSums::of(values.len()));
    let p_value = p_value(values, table);
    if p_value > rate_per_value * values.len() as f64 {
        return;
    }
    let Some(at) = nearest_levels(values) else { return };
    cut(&values[..at], offset, rate_per_value, tables, found);
    found.push(ChangePoint { at: offset + at, p_value });
    cut(&values[at..], offset + at, rate_per_value, tables, found);
}

/// Where a series of `len` values can change: indices of the first value after.
fn places(len: usize) -> std::ops::RangeInclusive<usize> {
    SHORTEST_LEVEL..=len.saturating_sub(SHORTEST_LEVEL)
}

/// The probability that a series that does not change looks as if it did, as
/// much as `values` do.
fn p_value(values: &[f64], table: &RankSums) -> f64 {
    let mut sum = 0.0;
    let mut tied = 0;
    let ranks = rank_sum::ranks(values);
    let before = (1..).zip(&ranks).map(|(at, rank)| {
        // Pairs of equal values that the place lies between.
        let equal = |part: &[f64]| part.iter().filter(|&other| other == rank).count();
        tied = tied + equal(&ranks[at..]) - equal(&ranks[..at - 1]);
        sum += rank;
        (at, sum, tied)
    });
    let places = places(values.len());
    let p_values = before.filter(|(at, ..)| places.contains(at));
    let least = p_values.map(|(at, sum, tied)| table.p_value(at, sum, tied)).reduce(f64::min);
    least.map_or(1.0, |p| (p * places.count() as f64).min(1.0))
}

/// The place at which the absolute differences from the medians of both sides have
/// the smallest sum.
fn nearest_levels(values: &[f64]) -> Option<usize> {
    let distance = |part: &[f64]| -> Option<f64> {
        let level = median(part)?;
        Some(part.iter().map(|value| (value - level).abs()).sum())
    };
    let distances = places(values.len()).filter_map(|at| {
        let (before, after) = values.split_at_checked(at)?;
        Some((at, distance(before)? + distance(after)?))
    });
    distances.min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values in an order that a step does not show in, about 0.
    fn level(len: usize, height: f64) -> Vec<f64> {
        (0..len).map(|i| height + (i * 5 % 13) as f64 / 1_000.0).collect()
    }

    fn places_found(values: Vec<f64>) -> Vec<usize> {
        change_points(&[values], 0.01)[0].iter().map(|change| change.at).collect()
    }

    #[test]
    fn steps_are_found_in_order_and_where_they_are() {
        let values = [level(13, 0.0), level(13, 0.1), level(13, 0.3)].concat();
        assert_eq!(places_found(values), [13, 26]);
        assert_eq!(places_found(level(39, 0.0)), [0; 0]);
    }

    #[test]
    fn a_single_value_however_far_out_is_no_change() {
        let mut values = level(40, 0.0);
        values[39] = 1e6;
        values[20] = -1e6;
        assert_eq!(places_found(values), [0; 0]);
    }

    #[test]
    fn a_change_that_is_clear_in_one_series_is_not_beyond_doubt_among_a_thousand() {
        let step = [level(7, 0.0), level(7, 0.1)].concat();
        let mut series = vec![step];
        assert_eq!(change_points(&series, 0.01)[0].len(), 1);
        series.resize(1_000, level(14, 0.0));
        assert_eq!(change_points(&series, 0.01)[0], []);
    }

    /// Of twelve values, 2 of 924 orders are a perfect change in the middle.
    #[test]
    fn the_probability_of_a_perfect_step_is_the_one_that_is_worked_by_hand() {
        let step = [level(6, 0.0), level(6, 0.1)].concat();
        let change = change_points(&[step], 0.05)[0][0];
        assert_eq!(change.at, 6);
        assert!((change.p_value - 7.0 * 2.0 / 924.0).abs() < 1e-12, "{change:?}");
    }

    #[test]
    fn a_step_between_two_values_is_as_clear_as_any() {
        let step = [[1.0; 7], [2.0; 7]].concat();
        let other = [level(7, 0.0), level(7, 0.1)].concat();
        let p_values = [step, other].map(|values| change_points(&[values], 0.01)[0][0].p_value);
        assert_eq!(p_values[0], p_values[1]);
    }

    #[test]
    fn equal_values_on_both_sides_of_a_place_speak_against_a_change_there() {
        let p_value = |values: &[f64]| p_value(values, &RankSums::of(values.len()));
        let tied = [1.0, 2.0, 3.0, 9.0, 5.0, 3.0, 8.0, 4.0, 7.0, 3.0, 6.0, 10.0];
        let broken = [1.0, 2.0, 3.2, 9.0, 5.0, 3.1, 8.0, 4.0, 7.0, 3.0, 6.0, 10.0];
        assert_eq!(p_value(&tied), p_value(&broken));
    }

    #[test]
    fn so_few_values_that_nothing_could_be_shown_are_said_to_be_too_few() {
        for series in [1, 10, 300] {
            let fewest = fewest_values(series, 0.01);
            for (len, expected) in [(fewest - 1, 0), (fewest, 1)] {
                let step = [level(len / 2, 0.0), level(len - len / 2, 0.1)].concat();
                let mut all = vec![step];
                all.resize(series, level(len, 0.0));
                assert_eq!(change_points(&all, 0.01)[0].len(), expected, "{len} of {series}");
            }
        }
    }

    #[test]
    fn what_cannot_be_judged_has_no_changes() {
        let mut values = [level(20, 0.0), level(20, 0.1)].concat();
        values[3] = f64::NAN;
        assert_eq!(
            change_points(&[values, vec![0.0, 1.0], vec![]], 0.01),
            [const { Vec::new() }; 3]
        );
        assert_eq!(places_found(vec![1.0; 50]), [0; 0]);
    }
}
