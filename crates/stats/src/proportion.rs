//! How sure one is of a share.

/// The 95 % score interval of a proportion: `hits` of `trials`.
///
/// Wilson, "Probable inference, the law of succession, and statistical
/// inference", Journal of the American Statistical Association 22 (1927): unlike
/// the interval that a normal approximation around hits ÷ trials gives, it says
/// something where there were no hits at all. 0 to 1 without trials.
#[must_use]
pub fn wilson(hits: u32, trials: u32) -> (f64, f64) {
    /// The normal distribution's quantile of 97.5 %.
    const Z: f64 = 1.959_963_984_540_054;
    if trials == 0 {
        return (0.0, 1.0);
    }
    let (n, share) = (f64::from(trials), f64::from(hits) / f64::from(trials));
    let centre = share + Z * Z / (2.0 * n);
    let reach = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((centre - reach) / scale).max(0.0), ((centre + reach) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded((low, high): (f64, f64)) -> (f64, f64) {
        let round = |x: f64| (x * 1e4).round() / 1e4;
        (round(low), round(high))
    }

    #[test]
    fn published_values() {
        // Newcombe, "Two-sided confidence intervals for the single proportion",
        // Statistics in Medicine 17 (1998), table I, method 3.
        assert_eq!(rounded(wilson(81, 263)), (0.2553, 0.3662));
        assert_eq!(rounded(wilson(15, 148)), (0.0624, 0.1605));
        assert_eq!(rounded(wilson(0, 20)), (0.0, 0.1611));
        assert_eq!(rounded(wilson(1, 29)), (0.0061, 0.1718));
    }

    #[test]
    fn nothing_tried_says_nothing() {
        assert_eq!(wilson(0, 0), (0.0, 1.0));
        assert_eq!(wilson(20, 20).1, 1.0);
    }
}
