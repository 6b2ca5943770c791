//! From which size on one strategy beats another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Estimate, crossing::last_crossing, estimate::LEVEL};

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
    /// A is slower at some size below this one; from it on it is faster at some
    /// of the sizes measured and slower at none.
    From {
        /// In the unit of the points. An end of its interval is absent if it
        /// lies beyond the points that have one.
        size: Estimate,
    },
    /// A is slower at no size measured, and faster at some.
    Always {
        /// The smallest of them.
        smallest: f64,
    },
    /// A is slower at the largest size of which anything is shown.
    Never {
        /// That size.
        largest: f64,
    },
    /// At the largest sizes, those above the last at which A is slower if there
    /// is one, A and B cannot be told apart.
    Level {
        /// The largest size of which anything is shown.
        largest: f64,
    },
    /// Nothing was measured.
    NotMeasured,
}

/// The size from which on A beats B and is never beaten again: where the
/// advantage reaches 1 after A's last defeat, interpolated on logarithmic
/// scales of both size and advantage.
///
/// A point whose interval includes 1 is neither a victory nor a defeat:
/// strategies that are equally good at large sizes must not swap places by the
/// noise of the last point. One that was measured too little for an interval
/// shows nothing, not even a draw, and is left out. Where no point has an
/// interval, the figures alone decide.
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
    if points.iter().all(|point| point.advantage.interval().is_none()) {
        // Exactly known, as far as anybody can say.
        points.iter_mut().for_each(|point| {
            let value = point.advantage.value;
            point.advantage = Estimate::with_interval(value, value, value);
        });
    }
    points.retain(|point| point.advantage.interval().is_some());
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return BreakEven::NotMeasured;
    };
    let last_loss = points.iter().rposition(AdvantagePoint::loses);
    let after = last_loss.map_or(0, |loss| loss + 1);
    if after == points.len() {
        return BreakEven::Never { largest: last.size };
    }
    if !points[after..].iter().any(AdvantagePoint::wins) {
        return BreakEven::Level { largest: last.size };
    }
    match last_loss.and_then(|loss| first_rise(&points[loss..])) {
        None => BreakEven::Always { smallest: first.size },
        Some(value) => {
            let curve = |pick: fn(&Estimate) -> Option<f64>| {
                let points = points.iter();
                let known = points.filter_map(|p| Some((p.size, pick(&p.advantage)?.ln())));
                last_crossing(&known.collect::<Vec<_>>(), 0.0)?.at()
            };
            let low = curve(|e| e.high).map(|low| low.min(value));
            let high = curve(|e| e.low).map(|high| high.max(value));
            BreakEven::From { size: Estimate { value, low, high, level: LEVEL } }
        }
    }
}

impl AdvantagePoint {
    /// Whether A is slower beyond doubt.
    fn loses(&self) -> bool {
        self.advantage.is_below(1.0)
    }

    /// Whether A is faster beyond doubt.
    fn wins(&self) -> bool {
        self.advantage.is_above(1.0)
    }
}

/// Where the curve through `points`, which begins below 1, first reaches 1.
fn first_rise(points: &[AdvantagePoint]) -> Option<f64> {
    let risen = points.iter().position(|point| point.advantage.value >= 1.0)?;
    let pair = points.get(risen.checked_sub(1)?..=risen)?;
    let pair: Vec<(f64, f64)> = pair.iter().map(|p| (p.size, p.advantage.value.ln())).collect();
    last_crossing(&pair, 0.0)?.at()
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
    fn strategies_that_draw_level_are_not_ranked_by_the_noise_of_the_last_point() {
        let point = |size, value: f64| AdvantagePoint {
            size,
            advantage: Estimate::with_interval(value, value - 0.02, value + 0.02),
        };
        let (slow, even) = ([point(1.0, 0.3), point(10.0, 0.7)], [0.99, 1.01, 0.995]);
        let tail = |from: f64| {
            even.into_iter().enumerate().map(move |(i, v)| point(from * 10f64.powi(i as i32), v))
        };
        let behind: Vec<AdvantagePoint> = slow.into_iter().chain(tail(100.0)).collect();
        assert_eq!(break_even(&behind), BreakEven::Level { largest: 10_000.0 });
        let ahead: Vec<AdvantagePoint> =
            [point(1.0, 3.0), point(10.0, 1.5)].into_iter().chain(tail(100.0)).collect();
        assert_eq!(break_even(&ahead), BreakEven::Always { smallest: 1.0 });
    }

    #[test]
    fn a_point_with_too_few_rounds_decides_nothing() {
        let mut points = points(20_000.0);
        points[16].advantage = Estimate::without_interval(0.9);
        assert!(matches!(break_even(&points), BreakEven::From { .. }));
        let bare = |p: &AdvantagePoint| AdvantagePoint {
            advantage: Estimate::without_interval(p.advantage.value),
            ..*p
        };
        let bare: Vec<AdvantagePoint> = points.iter().map(bare).collect();
        assert_eq!(break_even(&bare), BreakEven::Never { largest: 1e8 });
    }

    #[test]
    fn a_point_with_too_few_rounds_is_no_draw() {
        let mut slow = points(1e12);
        slow[16].advantage = Estimate::without_interval(1.4);
        assert_eq!(break_even(&slow), BreakEven::Never { largest: slow[15].size });
    }

    #[test]
    fn an_early_lucky_win_does_not_count() {
        let mut lucky = points(20_000.0);
        lucky[2].advantage = Estimate::with_interval(1.5, 1.4, 1.6);
        assert_eq!(break_even(&lucky), break_even(&points(20_000.0)));
    }
}
