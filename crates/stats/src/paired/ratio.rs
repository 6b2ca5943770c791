//! The ratio of two contestants' times.

use crate::{Estimate, estimate::non_empty, grouped};

/// The ratio in the middle of `groups`, with its interval at `level`.
///
/// `groups` hold natural logarithms of ratios within a round (head time ÷ base
/// time), one group an incarnation. The middle of an incarnation is the
/// Hodges–Lehmann estimate: the median of the means of all pairs of its
/// values (Hodges and Lehmann, "Estimates of Location Based on Rank Tests",
/// The Annals of Mathematical Statistics 34, 1963). It is the median where the
/// logarithms scatter evenly to both sides, as they do between equals; it
/// is nearly as sharp as the mean where that is best, and as robust as need be:
/// a quarter of the rounds may be spoilt.
///
/// The interval is Student's, over the incarnations' middles. Resampling was
/// tried and fell short: see METHODOLOGY.md, which shows how often each interval
/// covers the truth. One incarnation alone tells nothing about the luck of
/// others: its interval is a percentile bootstrap of its rounds by `seed`, and
/// holds for that incarnation only.
///
/// `None` without values, if one is not finite (as the logarithm of a time of
/// zero), or at a `level` that is not between 0 and 1. Fewer than
/// [`FEWEST_VALUES`](crate::estimate::FEWEST_VALUES) give no interval.
#[must_use]
pub fn log_ratio(groups: &[Vec<f64>], level: f64, seed: u64) -> Option<Estimate> {
    let finite = groups.iter().flatten().all(|log| log.is_finite());
    let is_level = 0.0 < level && level < 1.0;
    if !finite || !is_level {
        return None;
    }
    let (value, interval) = grouped::centre(&non_empty(groups), level, seed, middle)?;
    let (low, high) = interval.unzip();
    Some(Estimate { value, low, high, level }.map_monotonic(f64::exp))
}

/// The Hodges–Lehmann estimate; sorts `values`, which must be finite.
///
/// Finds it by halving, so that long series need no list of all pairs.
fn middle(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let pairs = values.len() * (values.len() + 1) / 2;
    let lower = nth_mean(values, pairs.div_ceil(2))?;
    Some(lower.midpoint(nth_mean(values, pairs / 2 + 1)?))
}

/// The `n`th smallest mean of two of `sorted` values, a value with itself
/// included, counted from 1.
fn nth_mean(sorted: &[f64], n: usize) -> Option<f64> {
    // Both are means of pairs at any time, and what is looked for is one of
    // them or between them.
    let (mut lowest, mut highest) = (*sorted.first()?, *sorted.last()?);
    while lowest < highest {
        let halfway = lowest.midpoint(highest);
        // That of two neighbouring numbers is one of them.
        let limit = if halfway < highest { halfway } else { lowest };
        let (count, below, above) = split(sorted, limit);
        if count >= n { highest = below } else { lowest = above }
    }
    Some(lowest)
}

/// How many means of two of `sorted` values are at most `limit`, the largest
/// of them, and the smallest of the others.
fn split(sorted: &[f64], limit: f64) -> (usize, f64, f64) {
    let (mut count, mut below, mut above) = (0, f64::NEG_INFINITY, f64::INFINITY);
    let mut partners = sorted.len();
    for (index, &value) in sorted.iter().enumerate() {
        // A larger value has fewer partners; none counts a pair twice.
        while partners > index && value.midpoint(sorted[partners - 1]) > limit {
            partners -= 1;
        }
        if partners > index {
            count += partners - index;
            below = below.max(value.midpoint(sorted[partners - 1]));
        }
        if let Some(&next) = sorted.get(partners.max(index)) {
            above = above.min(value.midpoint(next));
        }
    }
    (count, below, above)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The median of the means of all pairs, by its definition.
    fn by_definition(values: &[f64]) -> Option<f64> {
        let pairs = values.iter().enumerate();
        let means: Vec<f64> =
            pairs.flat_map(|(i, a)| values[i..].iter().map(move |b| a.midpoint(*b))).collect();
        crate::median(&means)
    }

    #[test]
    fn the_middle_is_the_median_of_all_pairs_means() {
        // 1, 1.5, 2, 3, 3.5, 5: the mean of 2 and 3.
        assert_eq!(middle(&mut [1.0, 2.0, 5.0]), Some(2.5));
        let values: Vec<f64> = (0..90).map(|i| f64::from(i * i * 37 % 101) / 7.0).collect();
        for len in 1..values.len() {
            let expected = by_definition(&values[..len]).unwrap();
            let found = middle(&mut values[..len].to_vec()).unwrap();
            assert_eq!(found, expected, "{len}");
        }
    }

    #[test]
    fn equal_values_are_their_own_middle() {
        assert_eq!(middle(&mut [0.3; 7]), Some(0.3));
        assert_eq!(middle(&mut []), None);
    }

    #[test]
    fn a_quarter_of_spoilt_rounds_does_not_move_the_middle_far() {
        let mut values: Vec<f64> = (0..20).map(|i| f64::from(i) / 1_000.0).collect();
        values[15..].fill(10.0);
        assert!(middle(&mut values).unwrap() < 0.02);
    }

    /// Middles 0.1, 0.2 and 0.3: error 0.1 / √3; t at 95 % is 4.3027.
    #[test]
    fn the_interval_is_students_over_the_incarnations() {
        let groups = [vec![0.1; 5], vec![0.2; 5], vec![], vec![0.3; 2]];
        let ratio = log_ratio(&groups, 0.95, 1).unwrap();
        let half = 4.302_65 * 0.1 / 3f64.sqrt();
        assert!((ratio.value - 0.2f64.exp()).abs() < 1e-12);
        assert!((ratio.low.unwrap() - (0.2 - half).exp()).abs() < 1e-5);
        assert!((ratio.high.unwrap() - (0.2 + half).exp()).abs() < 1e-5);
        assert_eq!(ratio.level, 0.95);
    }

    #[test]
    fn swapping_the_contestants_turns_the_ratio_round() {
        let groups = [vec![0.1, 0.12, 0.07, 0.2], vec![0.05, 0.11, 0.13]];
        let swapped: Vec<Vec<f64>> =
            groups.iter().map(|group| group.iter().map(|log| -log).collect()).collect();
        let ratio = log_ratio(&groups, 0.99, 1).unwrap().map_monotonic(f64::recip);
        let swapped = log_ratio(&swapped, 0.99, 1).unwrap();
        assert!((ratio.value - swapped.value).abs() < 1e-12);
        assert!((ratio.low.unwrap() / swapped.low.unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn one_incarnation_has_an_interval_of_its_rounds() {
        let rounds: Vec<f64> = (0..30).map(|i| f64::from(i * 7 % 30) / 1_000.0).collect();
        let ratio = log_ratio(&[rounds], 0.99, 1).unwrap();
        assert!(ratio.is_above(1.0) && ratio.is_below(1.03));
    }

    #[test]
    fn what_cannot_be_told_is_absent() {
        assert_eq!(log_ratio(&[vec![]], 0.95, 1), None);
        assert_eq!(log_ratio(&[vec![0.1, f64::NEG_INFINITY]], 0.95, 1), None);
        assert_eq!(log_ratio(&[vec![0.1]], 1.0, 1), None);
        let few = log_ratio(&[vec![0.0; 2], vec![0.0; 3]], 0.95, 1).unwrap();
        assert_eq!((few.value, few.interval()), (1.0, None));
    }
}
