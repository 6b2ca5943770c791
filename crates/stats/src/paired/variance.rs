//! Where the variance lies, and what to spend time on because of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::estimate::non_empty;

/// The variance of a value, split by its source; in the values' unit, squared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VarianceShares {
    /// Of what all rounds of an incarnation have in common.
    pub between: f64,
    /// Of rounds within an incarnation.
    pub within: f64,
}

/// Splits the variance of `groups`, one an incarnation, by a one-way analysis
/// of variance with random effects: E(MS within) = σ²within and
/// E(MS between) = σ²within + n₀ σ²between with
/// n₀ = (N − Σnᵢ²/N) / (k − 1) for groups of unequal size (Searle, Casella and
/// McCulloch, "Variance Components", 1992, section 3.6). An estimate below zero,
/// as chance gives it where nothing lies between, is cut to 0.
///
/// `None` for fewer than two groups, or if no group has two values.
#[must_use]
pub fn variance(groups: &[Vec<f64>]) -> Option<VarianceShares> {
    let groups = non_empty(groups);
    let (count, total) = (groups.len(), groups.iter().map(|g| g.len()).sum::<usize>());
    if count < 2 || total == count {
        return None;
    }
    let grand_mean = groups.iter().copied().flatten().sum::<f64>() / total as f64;
    let (mut between, mut within, mut squared_sizes) = (0.0, 0.0, 0.0);
    for group in &groups {
        let size = group.len() as f64;
        let mean = group.iter().sum::<f64>() / size;
        between += size * (mean - grand_mean).powi(2);
        within += group.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        squared_sizes += size * size;
    }
    let degrees = (count - 1) as f64;
    let within = within / (total - count) as f64;
    let typical_size = (total as f64 - squared_sizes / total as f64) / degrees;
    Some(VarianceShares { between: ((between / degrees - within) / typical_size).max(0.0), within })
}

/// Rounds in each incarnation that give the narrowest interval in a given time:
/// √(cost of an incarnation ÷ cost of a round × σ²within ÷ σ²between), rounded
/// up, at least 1 (Kalibera and Jones, "Rigorous Benchmarking in Reasonable
/// Time", ISMM 2013, section 6.2).
///
/// The costs are in any unit, both in the same; that of an incarnation is
/// without its rounds.
///
/// Where nothing lies between incarnations it is [`usize::MAX`], and where it
/// seems so it may be large. An interval rests on the number of incarnations
/// all the same, so the caller has to keep some: below six, its width is mostly
/// ignorance of how much they differ.
#[must_use]
pub fn best_split(shares: VarianceShares, cost_of_incarnation: f64, cost_of_round: f64) -> usize {
    if shares.between <= 0.0 {
        return usize::MAX;
    }
    let ratio = cost_of_incarnation / cost_of_round * (shares.within / shares.between);
    (ratio.sqrt().ceil() as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(found: f64, published: f64, tolerance: f64) {
        assert!((found - published).abs() < tolerance, "{found}, not {published}");
    }

    /// Yield of dyestuff, six batches of five: Davies and Goldsmith, "Statistical
    /// Methods in Research and Production", 1972. Components 1764.05 and 2451.25
    /// (Bates et al., "Fitting Linear Mixed-Effects Models Using lme4", 2015).
    #[test]
    fn the_components_of_the_dyestuff_are_the_published_ones() {
        let batches = [
            vec![1545.0, 1440.0, 1440.0, 1520.0, 1580.0],
            vec![1540.0, 1555.0, 1490.0, 1560.0, 1495.0],
            vec![1595.0, 1550.0, 1605.0, 1510.0, 1560.0],
            vec![1445.0, 1440.0, 1595.0, 1465.0, 1545.0],
            vec![1595.0, 1630.0, 1515.0, 1635.0, 1625.0],
            vec![1520.0, 1455.0, 1450.0, 1480.0, 1445.0],
        ];
        let shares = variance(&batches).unwrap();
        assert_near(shares.between, 1764.05, 0.01);
        assert_near(shares.within, 2451.25, 0.01);
    }

    /// 1, 3 | 5, 6, 7 | 8: mean squares 30/2 and 4/3,
    /// n₀ = (6 − 14/6) / 2 = 11/6.
    #[test]
    fn groups_of_unequal_size_are_as_worked_by_hand() {
        let groups = [vec![1.0, 3.0], vec![5.0, 6.0, 7.0], vec![], vec![8.0]];
        let shares = variance(&groups).unwrap();
        assert_near(shares.within, 4.0 / 3.0, 1e-12);
        assert_near(shares.between, (15.0 - 4.0 / 3.0) / (11.0 / 6.0), 1e-12);
    }

    #[test]
    fn groups_more_alike_than_their_values_have_nothing_between() {
        let shares = variance(&[vec![1.0, 9.0], vec![2.0, 8.0]]).unwrap();
        assert_eq!(shares.between, 0.0);
        assert_eq!(best_split(shares, 10.0, 1.0), usize::MAX);
    }

    #[test]
    fn one_group_or_one_value_each_cannot_be_split() {
        assert_eq!(variance(&[vec![1.0, 2.0, 3.0]]), None);
        assert_eq!(variance(&[vec![1.0], vec![2.0]]), None);
    }

    #[test]
    fn time_goes_where_the_variance_lies() {
        let split = |between, within| best_split(VarianceShares { between, within }, 50.0, 2.0);
        assert_eq!(split(1.0, 4.0), 10);
        assert_eq!(split(4.0, 1.0), 3);
        assert_eq!(split(1.0, 0.0), 1);
    }
}
