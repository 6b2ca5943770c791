//! From which size on one strategy beats another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Estimate,
    crossing::{Crossing, last_crossing},
    estimate::LEVEL,
};

/// One size: how many times as fast as B strategy A is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdvantagePoint {
    /// Any positive measure of size, e.g. nanoseconds of a task.
    pub size: f64,
    /// Time of B ÷ time of A; above 1, A is faster.
    pub advantage: Estimate,
}

/// From which size on A beats B.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "break_even", rename_all = "kebab-case")]
pub enum BreakEven {
    /// From this size on, A is faster at every larger size measured.
    From {
        /// In the unit of the points. An end of its interval is absent if it
        /// lies beyond the points, or if a point has no interval.
        size: Estimate,
    },
    /// A is faster at every size measured.
    Always {
        /// The smallest of them.
        smallest: f64,
    },
    /// A is not faster at the largest size measured.
    Never {
        /// That size.
        largest: f64,
    },
    /// Nothing was measured.
    NotMeasured,
}

/// The size from which on A beats B and keeps beating it: the last crossing
/// of an advantage of 1, interpolated on logarithmic scales of both size and
/// advantage.
///
/// ```
/// use stats::{AdvantagePoint, BreakEven, Estimate, break_even};
///
/// let point = |size, value: f64| AdvantagePoint {
///     size,
///     advantage: Estimate::with_interval(value, value * 0.9, value * 1.1),
/// };
/// let BreakEven::From { size } = break_even(&[point(1e3, 0.5), point(1e5, 2.0)]) else {
///     panic!("there are points on both sides");
/// };
/// assert!((size.value - 1e4).abs() < 1e-6);
/// ```
#[must_use]
pub fn break_even(points: &[AdvantagePoint]) -> BreakEven {
    let mut points = points.to_vec();
    points.sort_by(|a, b| a.size.total_cmp(&b.size));
    let curve = |pick: fn(&Estimate) -> Option<f64>| -> Option<Crossing> {
        let curve: Option<Vec<(f64, f64)>> =
            points.iter().map(|p| Some((p.size, pick(&p.advantage)?.ln()))).collect();
        last_crossing(&curve?, 0.0)
    };
    match (curve(|e| Some(e.value)), points.as_slice()) {
        (Some(Crossing::At(value)), _) => {
            let low = curve(|e| e.high).and_then(Crossing::at).map(|low| low.min(value));
            let high = curve(|e| e.low).and_then(Crossing::at).map(|high| high.max(value));
            BreakEven::From { size: Estimate { value, low, high, level: LEVEL } }
        }
        (Some(Crossing::BelowAll), [first, ..]) => BreakEven::Always { smallest: first.size },
        (Some(Crossing::AboveAll), [.., last]) => BreakEven::Never { largest: last.size },
        _ => BreakEven::NotMeasured,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B takes the size; A half of it, plus a fixed cost.
    fn points(fixed_cost: f64) -> Vec<AdvantagePoint> {
        (0..=16)
            .map(|k| {
                let size = 10f64.powf(f64::from(k) / 2.0);
                let value = size / (size / 2.0 + fixed_cost);
                AdvantagePoint {
                    size,
                    advantage: Estimate::with_interval(value, value * 0.95, value * 1.05),
                }
            })
            .collect()
    }

    #[test]
    fn the_size_at_which_both_take_equally_long_is_found_within_its_interval() {
        let BreakEven::From { size } = break_even(&points(20_000.0)) else { panic!() };
        assert!((size.value / 40_000.0 - 1.0).abs() < 0.1, "{size:?}");
        let (low, high) = size.interval().unwrap();
        assert!(low < 40_000.0 && 40_000.0 < high);
    }

    #[test]
    fn one_side_only_is_always_or_never() {
        assert_eq!(break_even(&points(0.0)), BreakEven::Always { smallest: 1.0 });
        assert_eq!(break_even(&points(1e12)), BreakEven::Never { largest: 1e8 });
        assert_eq!(break_even(&[]), BreakEven::NotMeasured);
    }

    #[test]
    fn an_early_lucky_win_does_not_count() {
        let mut lucky = points(20_000.0);
        lucky[2].advantage = Estimate::with_interval(1.5, 1.4, 1.6);
        assert_eq!(break_even(&lucky), break_even(&points(20_000.0)));
    }
}
