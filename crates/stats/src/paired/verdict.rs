//! What an interval of a ratio says about a change.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the head compares with the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Faster by more than the margin, beyond doubt.
    Faster,
    /// Slower by more than the margin, beyond doubt.
    Slower,
    /// Neither faster nor slower by more than the margin, beyond doubt.
    Same,
    /// The interval includes an end of the margin, or there is none.
    Inconclusive,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::Same => "same",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// The verdict on a ratio of times, head ÷ base, from its interval.
///
/// `margin` is the share that counts as no change: 0.03 is 3 %. Its ends are
/// 1 + margin and 1 ÷ (1 + margin), so that swapping head and base swaps
/// faster and slower and nothing else.
///
/// ```
/// use stats::paired::{Verdict, verdict};
///
/// assert_eq!(verdict((1.04, 1.09), 0.03), Verdict::Slower);
/// assert_eq!(verdict((0.99, 1.02), 0.03), Verdict::Same);
/// assert_eq!(verdict(None, 0.03), Verdict::Inconclusive);
/// ```
#[must_use]
pub fn verdict(interval: impl Into<Option<(f64, f64)>>, margin: f64) -> Verdict {
    let Some((low, high)) = interval.into() else { return Verdict::Inconclusive };
    let (fastest, slowest) = ((1.0 + margin).recip(), 1.0 + margin);
    if low > slowest {
        Verdict::Slower
    } else if high < fastest {
        Verdict::Faster
    } else if low >= fastest && high <= slowest {
        Verdict::Same
    } else {
        Verdict::Inconclusive
    }
}

/// Whether the interval of a ratio, head ÷ base, tells if head is slower by more than
/// `margin`: it does not contain 1 + `margin`.
///
/// That asks for less than a [`verdict`]: a head that may be the same and may be
/// faster is not slower.
///
/// ```
/// use stats::paired::is_settled;
///
/// assert!(is_settled((1.04, 1.09), 0.03) && is_settled((0.9, 1.02), 0.03));
/// assert!(!is_settled((1.02, 1.04), 0.03) && !is_settled(None, 0.03));
/// ```
#[must_use]
pub fn is_settled(interval: impl Into<Option<(f64, f64)>>, margin: f64) -> bool {
    let slowest = 1.0 + margin;
    interval.into().is_some_and(|(low, high)| low > slowest || high <= slowest)
}

/// The level at which each of `comparisons` intervals must be taken for all to
/// hold together with a probability of at least `level`.
///
/// Bonferroni's 1 − (1 − level) ÷ comparisons, because it holds however the
/// comparisons depend on each other. Those of one session share its disturbances
/// and often a contestant. Šidák's level¹ᐟⁿ asks for independence, or for more
/// luck than we can prove, and is narrower by less than one part in a hundred
/// at any level that one would use.
///
/// Looking again while the measurement goes on is another comparison, which
/// [`Look`](super::Look) corrects for.
///
/// ```
/// let level = stats::paired::corrected_level(0.995, 4);
/// assert!((level - 0.99875).abs() < 1e-12);
/// ```
#[must_use]
pub fn corrected_level(level: f64, comparisons: usize) -> f64 {
    1.0 - (1.0 - level) / comparisons.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_interval_beyond_the_margin_is_a_change() {
        let cases = [
            ((1.031, 1.2), Verdict::Slower),
            ((1.03, 1.2), Verdict::Inconclusive),
            ((0.9, 0.970), Verdict::Faster),
            ((0.9, 0.972), Verdict::Inconclusive),
            ((0.972, 1.03), Verdict::Same),
            ((0.9, 1.2), Verdict::Inconclusive),
            ((f64::NAN, f64::NAN), Verdict::Inconclusive),
        ];
        for (interval, expected) in cases {
            assert_eq!(verdict(interval, 0.03), expected, "{interval:?}");
        }
    }

    #[test]
    fn every_verdict_but_inconclusive_settles_whether_head_is_slower() {
        for (low, high) in [(1.031, 1.2), (0.9, 0.970), (0.972, 1.03), (0.971, 0.98)] {
            assert_ne!(verdict((low, high), 0.03), Verdict::Inconclusive, "{low}–{high}");
            assert!(is_settled((low, high), 0.03), "{low}–{high}");
        }
        assert!(is_settled((0.9, 1.03), 0.03), "not slower, whatever else");
        assert!(!is_settled((1.03, 1.2), 0.03) && !is_settled((f64::NAN, f64::NAN), 0.03));
    }

    #[test]
    fn swapping_head_and_base_swaps_faster_and_slower() {
        let swapped = |(low, high): (f64, f64)| verdict((high.recip(), low.recip()), 0.03);
        assert_eq!(swapped((1.031, 1.2)), Verdict::Faster);
        assert_eq!(swapped((0.9, 0.970)), Verdict::Slower);
        assert_eq!(swapped((0.98, 1.02)), Verdict::Same);
    }

    #[test]
    fn without_a_margin_any_proven_difference_counts() {
        assert_eq!(verdict((1.001, 1.002), 0.0), Verdict::Slower);
        assert_eq!(verdict((0.999, 1.002), 0.0), Verdict::Inconclusive);
    }

    #[test]
    fn one_comparison_or_none_needs_no_correction() {
        assert!((corrected_level(0.95, 1) - 0.95).abs() < 1e-12);
        assert!((corrected_level(0.95, 0) - 0.95).abs() < 1e-12);
        assert!((corrected_level(0.95, 10) - 0.995).abs() < 1e-12);
    }
}
