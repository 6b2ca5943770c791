//! Figures at numbers of workers that were not measured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Costs, Fitted, Job, metg, simulate};

/// A predicted figure, and the ends of what costs that fit about as well give.
///
/// That is not an interval of confidence: it says how much the walls leave
/// open within the model, not whether the model holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ranged {
    /// By the costs that fit best.
    pub value: f64,
    /// The least of what the fits give.
    pub low: f64,
    /// The most of what the fits give.
    pub high: f64,
}

/// What is predicted of a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Work ÷ (workers × wall).
    pub efficiency: Ranged,
    /// METG, nanoseconds; absent where no task is long enough.
    pub metg_ns: Option<Ranged>,
}

/// Predicts the efficiency of `job` with tasks of `task_ns`, and METG(`threshold`).
#[must_use]
pub fn predict(fitted: &Fitted, job: &Job, task_ns: f64, threshold: f64) -> Prediction {
    let ranged = |figure: &dyn Fn(&Costs) -> Option<f64>| {
        let value = figure(&fitted.costs)?;
        let ends = [figure(&fitted.least_shared)?, figure(&fitted.most_shared)?, value];
        let low = ends.into_iter().fold(f64::INFINITY, f64::min);
        let high = ends.into_iter().fold(f64::NEG_INFINITY, f64::max);
        Some(Ranged { value, low, high })
    };
    let efficiency = ranged(&|costs| Some(simulate(costs, job, task_ns).efficiency));
    Prediction {
        efficiency: efficiency.expect("every job has an efficiency"),
        metg_ns: ranged(&|costs| metg(costs, job, threshold)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::Check;

    #[test]
    fn what_is_left_open_about_a_shared_cost_makes_a_wide_range_at_many_workers() {
        let costs = |dispatch_ns, claim_ns| Costs { dispatch_ns, claim_ns, ..Costs::default() };
        let fitted = Fitted {
            costs: costs(10.0, 90.0),
            least_shared: costs(0.0, 100.0),
            most_shared: costs(40.0, 60.0),
            check: Check { jobs: None, most_workers: None, most_workers_refused: None },
        };
        let at = |workers: usize| {
            let tasks = (workers * 1_000).try_into().unwrap();
            let job = Job { workers: workers.try_into().unwrap(), tasks, task_bytes: 0.0 };
            predict(&fitted, &job, 10_000.0, 0.5)
        };
        let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.01;
        // Two workers: the shared cost is not yet what holds them up.
        let two = at(2).metg_ns.unwrap();
        assert!(near(two.value, 200.0) && near(two.low, 200.0) && near(two.high, 200.0));
        let many = at(1024).metg_ns.unwrap();
        assert!(near(many.value, 10_240.0), "{many:?}");
        assert!(near(many.low, 200.0) && near(many.high, 40_960.0), "{many:?}");
        // 10 µs ÷ (1,024 × 10 ns), and ÷ (1,024 × 40 ns).
        let efficiency = at(1024).efficiency;
        assert!(near(efficiency.value, 0.9757) && near(efficiency.low, 0.2441), "{efficiency:?}");
        assert!(near(efficiency.high, 10_000.0 / 10_100.0), "{efficiency:?}");
    }
}
