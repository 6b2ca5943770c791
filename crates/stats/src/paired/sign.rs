//! The interval of a median that assumes nothing about its values.

use std::f64::consts::LN_2;

/// An interval that contains the median with a probability of at least
/// `level`, whatever the distribution: from the dth smallest to the dth largest
/// value, where d is as large as the binomial distribution allows. It is the
/// set of medians that a two-sided sign test does not reject (Conover,
/// "Practical Nonparametric Statistics", 1999, section 3.2).
///
/// The values must be independent, which rounds of one incarnation are given
/// its luck, but rounds of several are not: it shows what the ratios did in
/// what was measured, beside an interval that allows for more.
///
/// `None` if even smallest and largest do not reach `level`: at 0.95, that is
/// for fewer than six values.
///
/// ```
/// let values: Vec<f64> = (1..=10).map(f64::from).collect();
/// assert_eq!(stats::paired::sign_test(&values, 0.95), Some((2.0, 9.0)));
/// assert_eq!(stats::paired::sign_test(&values[..5], 0.95), None);
/// ```
#[must_use]
pub fn sign_test(values: &[f64], level: f64) -> Option<(f64, f64)> {
    let depth = depth(values.len(), level)?;
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Some((sorted[depth - 1], sorted[sorted.len() - depth]))
}

/// The largest d for which at most `1 - level` of the probability lies in both
/// tails together: d − 1 or fewer of `count` fair coins on one side.
fn depth(count: usize, level: f64) -> Option<usize> {
    // A level that is met exactly, such as 0.9375 by five values, must not
    // fall to a rounding of the last bit.
    let allowed = (1.0 - level) / 2.0 + 1e-12;
    // As a logarithm, since 2⁻ⁿ is no number any more for n above 1 074.
    let mut ln_term = -(count as f64) * LN_2;
    let mut tail = 0.0;
    let mut depth = 0;
    while 2 * depth < count {
        tail += ln_term.exp();
        if tail > allowed {
            break;
        }
        ln_term += ((count - depth) as f64 / (depth + 1) as f64).ln();
        depth += 1;
    }
    (depth > 0).then_some(depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One more than the critical values of the two-sided sign test at 5 % and
    /// 1 %, as in Zar, "Biostatistical Analysis".
    #[test]
    fn ranks_are_those_of_published_tables() {
        let table = [
            (6, Some(1), None),
            (8, Some(1), Some(1)),
            (9, Some(2), Some(1)),
            (12, Some(3), Some(2)),
            (15, Some(4), Some(3)),
            (20, Some(6), Some(4)),
            (25, Some(8), Some(6)),
            (50, Some(18), Some(16)),
            (100, Some(40), Some(37)),
        ];
        for (count, of_95, of_99) in table {
            assert_eq!((depth(count, 0.95), depth(count, 0.99)), (of_95, of_99), "{count}");
        }
    }

    /// 2 / 2⁵ of five values' probability lies outside smallest to largest.
    #[test]
    fn a_level_that_is_met_exactly_counts() {
        let values = [3.0, 1.0, 5.0, 2.0, 4.0];
        assert_eq!(sign_test(&values, 0.9375), Some((1.0, 5.0)));
        assert_eq!(sign_test(&values, 0.9376), None);
        assert_eq!(sign_test(&[], 0.5), None);
    }

    /// n / 2 − z √n / 2, as the normal approximation has it.
    #[test]
    fn thousands_of_values_have_ranks_near_the_normal_approximation() {
        let expected = 5_000.0 / 2.0 - 1.96 * 5_000.0f64.sqrt() / 2.0;
        assert!((depth(5_000, 0.95).unwrap() as f64 - expected).abs() < 2.0);
    }
}
