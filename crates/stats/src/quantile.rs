//! Medians and quantiles of samples.

/// The median of `values`; the mean of the middle two if their number is even.
///
/// `None` if there are none.
///
/// ```
/// assert_eq!(stats::median(&[3.0, 1.0, 2.0]), Some(2.0));
/// assert_eq!(stats::median(&[]), None);
/// ```
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    median_in_place(&mut values.to_vec())
}

/// The `p`-quantile of `values`, 0 ≤ `p` ≤ 1, interpolated linearly between
/// order statistics: type 7 of Hyndman and Fan, "Sample Quantiles in
/// Statistical Packages", The American Statistician 50 (1996), the default of
/// R and NumPy.
///
/// `None` if there are no values.
///
/// # Panics
///
/// If `p` is outside 0 to 1.
///
/// ```
/// assert_eq!(stats::quantile(&[1.0, 2.0, 3.0, 4.0], 0.25), Some(1.75));
/// ```
#[must_use]
pub fn quantile(values: &[f64], p: f64) -> Option<f64> {
    assert!((0.0..=1.0).contains(&p), "a quantile's probability lies between 0 and 1");
    let last = values.len().checked_sub(1)?;
    let mut values = values.to_vec();
    let position = p * last as f64;
    let index = (position.floor() as usize).min(last);
    let (_, &mut low, above) = values.select_nth_unstable_by(index, f64::total_cmp);
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    Some(low + (high - low) * (position - index as f64))
}

/// [`median`] without the copy; reorders `values`.
///
/// Selects instead of sorting, since the bootstrap calls it a thousand times
/// an estimate.
pub(crate) fn median_in_place(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if !even {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some(lower.midpoint(upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_of_values_is_the_mean_of_the_middle_two() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
    }

    #[test]
    fn quantiles_at_the_ends_are_the_extremes() {
        let values = [5.0, 9.0, 1.0, 7.0];
        assert_eq!(quantile(&values, 0.0), Some(1.0));
        assert_eq!(quantile(&values, 1.0), Some(9.0));
    }

    #[test]
    fn one_value_is_every_quantile_of_itself() {
        for p in [0.0, 0.3, 0.5, 1.0] {
            assert_eq!(quantile(&[8.0], p), Some(8.0));
        }
    }

    #[test]
    fn the_median_is_the_half_quantile() {
        let values: Vec<f64> = (0..101).map(|i| f64::from(i * 37 % 101)).collect();
        for len in 1..values.len() {
            let values = &values[..len];
            assert_eq!(median(values), quantile(values, 0.5));
        }
    }
}
