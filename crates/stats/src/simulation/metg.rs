//! The least effective granularity of a simulated job.

use super::{Costs, Job, simulate};

/// How near the two ends of the bisection come, as a ratio.
const PRECISION: f64 = 1.001;

/// Doublings of the task time before the threshold counts as out of reach.
const MOST_DOUBLINGS: usize = 64;

/// METG(`threshold`): the granularity, wall × workers ÷ tasks in nanoseconds, of
/// the smallest tasks with which `job` keeps an efficiency of `threshold`.
///
/// As it is measured: workers and tasks stay, the task time changes. Found by
/// bisection, on a logarithmic scale; efficiency grows with the task time.
/// `None` if no task is long enough: with fewer tasks than workers have to be
/// busy, some have none. See [`metg`](crate::metg()) for the source.
#[must_use]
pub fn metg(costs: &Costs, job: &Job, threshold: f64) -> Option<f64> {
    let keeps = |task_ns: f64| simulate(costs, job, task_ns).efficiency >= threshold;
    // What a task costs beside its work: where that is all, one nanosecond of
    // work tells as much as any.
    let cost_ns = job.granularity_ns(simulate(costs, job, 0.0).wall_ns);
    if cost_ns <= 0.0 {
        return keeps(1.0).then_some(0.0);
    }
    let doubled = || (0..MOST_DOUBLINGS).map(|k| cost_ns * 2f64.powi(k as i32));
    let mut enough = doubled().find(|&task_ns| keeps(task_ns))?;
    let halved = (1..MOST_DOUBLINGS).map(|k| enough * 0.5f64.powi(k as i32));
    let mut too_little = halved.into_iter().find(|&task_ns| !keeps(task_ns))?;
    while enough / too_little > PRECISION {
        let middle = (enough * too_little).sqrt();
        if keeps(middle) {
            enough = middle;
        } else {
            too_little = middle;
        }
    }
    Some(job.granularity_ns(simulate(costs, job, enough).wall_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metg_50(costs: Costs, workers: usize, tasks_per_worker: usize) -> f64 {
        let job = Job {
            workers: workers.try_into().unwrap(),
            tasks: (workers * tasks_per_worker).try_into().unwrap(),
            task_bytes: 0.0,
        };
        metg(&costs, &job, 0.5).unwrap()
    }

    fn near(value: f64, expected: f64) -> bool {
        (value / expected - 1.0).abs() < 0.005
    }

    #[test]
    fn a_private_cost_makes_twice_itself_at_any_number_of_workers() {
        let costs = Costs { claim_ns: 75.0, ..Costs::default() };
        for workers in [1, 2, 64, 1024] {
            assert!(near(metg_50(costs, workers, 20), 150.0), "{workers}");
        }
    }

    #[test]
    fn a_shared_cost_makes_a_granularity_that_grows_with_the_workers() {
        // N tasks of t on P workers take N d as long as d is the bottleneck,
        // so the efficiency t ÷ (P d) is one half at t = P d ÷ 2, and the
        // granularity, wall × P ÷ N, is P d. One round of 1,000 is not.
        let costs = Costs { dispatch_ns: 10.0, ..Costs::default() };
        for workers in [4, 64, 1024] {
            let metg = metg_50(costs, workers, 1_000);
            assert!(near(metg, 10.0 * workers as f64), "{workers}: {metg}");
        }
        // One worker pays as for a private cost.
        assert!(near(metg_50(costs, 1, 1_000), 20.0));
    }

    #[test]
    fn waking_is_shared_out_among_the_tasks_of_a_worker() {
        let costs = Costs { wake_ns: 30_000.0, ..Costs::default() };
        assert!(near(metg_50(costs, 8, 100), 600.0));
        assert!(near(metg_50(costs, 8, 1_000), 60.0));
    }

    #[test]
    fn with_fewer_tasks_than_half_the_workers_nothing_is_enough() {
        let job = |tasks: usize| Job {
            workers: 8.try_into().unwrap(),
            tasks: tasks.try_into().unwrap(),
            task_bytes: 0.0,
        };
        let costs = Costs { claim_ns: 10.0, ..Costs::default() };
        assert_eq!(metg(&costs, &job(3), 0.5), None);
        assert!(metg(&costs, &job(5), 0.5).is_some());
        assert_eq!(metg(&Costs::default(), &job(3), 0.5), None);
        assert_eq!(metg(&Costs::default(), &job(8), 0.5), Some(0.0));
    }
}
