//! Minimum effective task granularity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Estimate,
    crossing::{Crossing, last_crossing},
};

/// One task size: how long a task took and how well the workers were used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EfficiencyPoint {
    /// Any measure of a task's work, e.g. its elements; orders the points.
    pub task_size: f64,
    /// Mean task time: wall × workers ÷ tasks, in nanoseconds.
    pub granularity_ns: f64,
    /// Speed-up ÷ workers.
    pub efficiency: Estimate,
}

/// The smallest granularity that keeps the threshold efficiency.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "metg", rename_all = "kebab-case")]
pub enum Metg {
    /// Points lie on both sides of it.
    At {
        /// In nanoseconds. An end of its interval is absent if it lies beyond
        /// the points that have one.
        granularity_ns: Estimate,
    },
    /// Even the smallest tasks measured keep the efficiency.
    BelowMeasured {
        /// Their granularity, in nanoseconds.
        smallest_ns: f64,
    },
    /// Not even the largest tasks measured reach the efficiency.
    NeverReached {
        /// Their granularity, in nanoseconds.
        largest_ns: f64,
    },
    /// Nothing was measured.
    NotMeasured,
}

/// METG(`threshold`): the granularity of the smallest tasks from which on every
/// point keeps an efficiency of `threshold`, usually 0.5.
///
/// Slaughter et al., "Task Bench: A Parameterized Benchmark for Evaluating
/// Parallel Runtime Performance", SC20, section IV. The points count in the
/// order of their task sizes: where overhead outweighs the work, granularity
/// hardly depends on the task, and its noise must not reorder them. Interpolated
/// between the two task sizes on either side, linearly over the logarithm of
/// the granularity.
///
/// Its interval ends where the curves through the ends of the points'
/// intervals cross the threshold: an optimist's and a pessimist's METG. Points
/// with too few rounds for an interval have no say in those.
///
/// ```
/// use stats::{EfficiencyPoint, Estimate, Metg, metg};
///
/// let point = |granularity_ns, value| EfficiencyPoint {
///     task_size: granularity_ns * value,
///     granularity_ns,
///     efficiency: Estimate::with_interval(value, value - 0.1, value + 0.1),
/// };
/// let Metg::At { granularity_ns } = metg(&[point(100.0, 0.2), point(10_000.0, 0.8)], 0.5) else {
///     panic!("there are points on both sides");
/// };
/// assert!((granularity_ns.value - 1_000.0).abs() < 1e-6);
/// assert!(granularity_ns.low.unwrap() < 1_000.0 && granularity_ns.high.unwrap() > 1_000.0);
/// ```
#[must_use]
pub fn metg(points: &[EfficiencyPoint], threshold: f64) -> Metg {
    let mut points = points.to_vec();
    points.sort_by(|a, b| a.task_size.total_cmp(&b.task_size));
    let curve = |pick: fn(&Estimate) -> Option<f64>| -> Option<Crossing> {
        let known = points
            .iter()
            .filter_map(|point| Some((point.granularity_ns, pick(&point.efficiency)?)));
        last_crossing(&known.collect::<Vec<_>>(), threshold)
    };
    match (curve(|e| Some(e.value)), points.as_slice()) {
        (Some(Crossing::At(value)), _) => {
            let low = curve(|e| e.high).and_then(Crossing::at).map(|low| low.min(value));
            let high = curve(|e| e.low).and_then(Crossing::at).map(|high| high.max(value));
            Metg::At {
                granularity_ns: Estimate { value, low, high, level: crate::estimate::LEVEL },
            }
        }
        (Some(Crossing::BelowAll), [first, ..]) => {
            Metg::BelowMeasured { smallest_ns: first.granularity_ns }
        }
        (Some(Crossing::AboveAll), [.., last]) => {
            Metg::NeverReached { largest_ns: last.granularity_ns }
        }
        _ => Metg::NotMeasured,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A runtime that adds `overhead` to every task.
    fn points(overhead: f64, half_width: f64) -> Vec<EfficiencyPoint> {
        (0..=12)
            .map(|k| {
                let task = 10f64.powf(f64::from(k) / 2.0);
                let value = task / (task + overhead);
                EfficiencyPoint {
                    task_size: task,
                    granularity_ns: task + overhead,
                    efficiency: Estimate::with_interval(
                        value,
                        value - half_width,
                        value + half_width,
                    ),
                }
            })
            .collect()
    }

    #[test]
    fn a_fixed_overhead_gives_twice_that_as_the_granularity() {
        let Metg::At { granularity_ns } = metg(&points(3_000.0, 0.05), 0.5) else { panic!() };
        assert!((granularity_ns.value / 6_000.0 - 1.0).abs() < 0.15, "{granularity_ns:?}");
        assert!(granularity_ns.low.unwrap() < granularity_ns.value);
        assert!(granularity_ns.high.unwrap() > granularity_ns.value);
    }

    #[test]
    fn points_in_any_order_give_the_same() {
        let mut shuffled = points(3_000.0, 0.05);
        shuffled.reverse();
        assert_eq!(metg(&shuffled, 0.5), metg(&points(3_000.0, 0.05), 0.5));
    }

    #[test]
    fn granularities_that_fall_while_tasks_grow_do_not_reorder_the_points() {
        // An overhead of about 0.65 µs a task: the smallest tasks do not have
        // the smallest granularity.
        let point = |(task_size, granularity_ns, value): (f64, f64, f64)| EfficiencyPoint {
            task_size,
            granularity_ns,
            efficiency: Estimate::with_interval(value, value * 0.9, value * 1.1),
        };
        let measured = [
            (64.0, 670.0, 0.02),
            (128.0, 730.0, 0.03),
            (256.0, 700.0, 0.04),
            (1_024.0, 620.0, 0.11),
            (4_096.0, 560.0, 0.32),
            (16_384.0, 880.0, 0.72),
            (65_536.0, 2_700.0, 0.91),
        ];
        let Metg::At { granularity_ns } = metg(&measured.map(point), 0.5) else { panic!() };
        // (0.5 − 0.32) ÷ (0.72 − 0.32) of the way from 560 to 880 ns.
        let expected = 560.0 * (880.0f64 / 560.0).powf(0.45);
        assert!((granularity_ns.value - expected).abs() < 1e-6, "{granularity_ns:?}");
        let (low, high) = granularity_ns.interval().unwrap();
        assert!((560.0..expected).contains(&low) && (expected..880.0).contains(&high));
    }

    #[test]
    fn points_on_one_side_give_no_figure() {
        let all = points(3_000.0, 0.05);
        assert!(matches!(metg(&all[10..], 0.5), Metg::BelowMeasured { .. }));
        assert!(matches!(metg(&all[..3], 0.5), Metg::NeverReached { .. }));
        assert_eq!(metg(&[], 0.5), Metg::NotMeasured);
    }

    #[test]
    fn points_without_intervals_give_a_figure_without_an_interval() {
        let bare: Vec<EfficiencyPoint> = points(3_000.0, 0.0)
            .into_iter()
            .map(|point| EfficiencyPoint {
                efficiency: Estimate::without_interval(point.efficiency.value),
                ..point
            })
            .collect();
        let Metg::At { granularity_ns } = metg(&bare, 0.5) else { panic!() };
        assert_eq!((granularity_ns.low, granularity_ns.high), (None, None));
    }

    #[test]
    fn a_bound_beyond_the_points_is_open() {
        let wide = points(3_000.0, 0.6);
        let Metg::At { granularity_ns } = metg(&wide, 0.5) else { panic!() };
        assert_eq!(granularity_ns.high, None);
    }
}
