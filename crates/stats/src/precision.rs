//! How narrow the intervals of several figures are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Estimate, median};

/// The half-widths of several intervals, as shares of their figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Precision {
    /// The widest; absent if a figure has no interval, which is wider than any.
    pub widest: Option<f64>,
    /// Place of the widest, or of the first that has none.
    pub widest_at: usize,
    /// The median of those that there are.
    pub median: Option<f64>,
    /// Figures without an interval.
    pub without: usize,
}

impl Precision {
    /// That of `figures`, `None` standing for one that could not be estimated at
    /// all; `None` without any.
    ///
    /// ```
    /// use stats::{Estimate, precision::Precision};
    ///
    /// let figures = [(2.0, 1.9, 2.1), (1.0, 0.8, 1.2)]
    ///     .map(|(value, low, high)| Some(Estimate::with_interval(value, low, high)));
    /// let precision = Precision::of(&figures).unwrap();
    /// assert!((precision.widest.unwrap() - 0.2).abs() < 1e-12 && precision.widest_at == 1);
    /// assert!(!precision.is_within(0.1) && precision.is_within(0.25));
    /// ```
    #[must_use]
    pub fn of(figures: &[Option<Estimate>]) -> Option<Self> {
        let widths: Vec<f64> = figures
            .iter()
            .map(|figure| figure.and_then(|f| f.relative_half_width()).unwrap_or(f64::INFINITY))
            .collect();
        // The first of several that are equally wide.
        let (widest_at, &widest) =
            widths.iter().enumerate().rev().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
        let finite: Vec<f64> = widths.iter().copied().filter(|width| width.is_finite()).collect();
        Some(Self {
            widest: widest.is_finite().then_some(widest),
            widest_at,
            median: median(&finite),
            without: widths.len() - finite.len(),
        })
    }

    /// Whether every figure has an interval, and no half-width is larger than the
    /// share `asked`.
    #[must_use]
    pub fn is_within(&self, asked: f64) -> bool {
        self.widest.is_some_and(|widest| widest <= asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(half_width: f64) -> Option<Estimate> {
        Some(Estimate::with_interval(1.0, 1.0 - half_width, 1.0 + half_width))
    }

    #[test]
    fn a_figure_without_an_interval_is_wider_than_any_and_never_precise() {
        let figures = [figure(0.5), Some(Estimate::without_interval(1.0)), None, figure(0.1)];
        let precision = Precision::of(&figures).unwrap();
        assert_eq!((precision.widest, precision.widest_at, precision.without), (None, 1, 2));
        assert!((precision.median.unwrap() - 0.3).abs() < 1e-12);
        assert!(!precision.is_within(1e9));
    }

    #[test]
    fn nothing_measured_has_no_precision() {
        assert_eq!(Precision::of(&[]), None);
    }
}
