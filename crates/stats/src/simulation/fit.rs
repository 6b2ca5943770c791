//! Costs from measured walls.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Check, Costs, Job,
    check::check,
    descent::{Free, descend, misfit},
};
use crate::{StatsError, student};

const SPLIT: &str = "the split of shared and private costs";

/// Different tasks that have to be there: some that dispatch rules, some that work
/// rules, and some more to see where the one passes into the other.
const FEWEST_TASKS: usize = 3;

/// Walls beyond the four costs, so that a fit could be seen to fail.
const FEWEST_SPARE_WALLS: usize = 2;

/// Level of the range of the shared cost.
const LEVEL: f64 = 0.95;

/// Halvings with which the ends of that range are looked for.
const HALVINGS: usize = 11;

/// One measured job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// What was executed. Oversubscribed jobs are the caller's to leave out.
    pub job: Job,
    /// Which task it is: a number that only jobs with tasks of the same work have in
    /// common. Their `task_ns` differ by noise, where they were measured apart.
    pub task: usize,
    /// Nanoseconds of a task's work, as the serial baseline takes them.
    pub task_ns: f64,
    /// Nanoseconds of the whole job.
    pub wall_ns: f64,
}

/// Costs that fit a set of walls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fitted {
    /// Those that fit best.
    pub costs: Costs,
    /// Those with the smallest shared cost that fit about as well.
    pub least_shared: Costs,
    /// Those with the largest shared cost that fit about as well.
    pub most_shared: Costs,
    /// How far the model is off where it was not fitted.
    pub check: Check,
}

/// Fits the costs of the [simulation](super::simulate) to walls.
///
/// Least squares of the walls' relative errors, of which those beyond a tenth
/// count in proportion only, so that a few walls that a machine spoiled do not
/// rule (Huber, "Robust Estimation of a Location Parameter", Annals of
/// Mathematical Statistics 35, 1964). No cost is negative.
///
/// How much of what a task costs is shared is often hard to tell with few
/// cores, and decides everything with many. So the shared cost gets a range: as
/// long as the misfit, the other costs free, stays below its least value ×
/// (1 + t² ÷ ν), t being Student's at 95 % with the ν walls that there are beyond
/// the costs (the profile of Bates and Watts, "Nonlinear Regression Analysis and
/// Its Applications", Wiley 1988, chapter 6).
///
/// # Errors
///
/// [`StatsError::TooFewWorkerCounts`] with one worker count only,
/// [`StatsError::CostNotIdentified`] if all jobs have as many tasks, if there
/// are fewer than three different tasks, if the costs show in no job of several
/// workers, or if there are hardly more walls than costs;
/// [`StatsError::ZeroTime`] for a wall that took no time.
pub fn fit(observations: &[Observation]) -> Result<Fitted, StatsError> {
    let costs = best_costs(observations)?;
    let limit = admissible_misfit(observations, &costs);
    let admissible = |dispatch_ns: f64| {
        let found = descend(observations, Free::all_but_dispatch(dispatch_ns));
        found.filter(|costs| misfit(observations, costs) <= limit)
    };
    let farthest = |end: f64| admissible(end).unwrap_or_else(|| border(&costs, end, admissible));
    Ok(Fitted {
        costs,
        least_shared: farthest(0.0),
        most_shared: farthest(largest_shared_ns(observations, &costs)),
        check: check(observations),
    })
}

/// The last of the admissible costs on the way from `best` to a dispatch cost of
/// `end`, which are not.
fn border(best: &Costs, end: f64, admissible: impl Fn(f64) -> Option<Costs>) -> Costs {
    let (mut inside, mut outside, mut found) = (best.dispatch_ns, end, *best);
    for _ in 0..HALVINGS {
        let tried = f64::midpoint(inside, outside);
        match admissible(tried) {
            Some(costs) => (inside, found) = (tried, costs),
            None => outside = tried,
        }
    }
    found
}

/// The costs alone.
pub(super) fn best_costs(observations: &[Observation]) -> Result<Costs, StatsError> {
    identifiable(observations)?;
    descend(observations, Free::all()).ok_or(StatsError::NotIdentified { model: SPLIT })
}

fn identifiable(observations: &[Observation]) -> Result<(), StatsError> {
    if observations.iter().any(|seen| seen.wall_ns <= 0.0) {
        return Err(StatsError::ZeroTime);
    }
    let found = different(observations.iter().map(|seen| seen.job.workers));
    if found < 2 {
        return Err(StatsError::TooFewWorkerCounts {
            model: SPLIT,
            fewest_workers: 1,
            needed: 2,
            found,
        });
    }
    let parallel = || observations.iter().filter(|seen| seen.job.workers.get() > 1);
    let missing = |cost, missing| Err(StatsError::CostNotIdentified { cost, missing });
    if different(parallel().map(|seen| seen.job.tasks)) < 2 {
        return missing("what waking costs", "jobs of few and of many tasks");
    }
    if different(parallel().map(|seen| seen.task)) < FEWEST_TASKS {
        return missing(SPLIT, "three sizes of tasks");
    }
    let half_lost = |seen: &Observation| seen.job.granularity_ns(seen.wall_ns) > 2.0 * seen.task_ns;
    if !parallel().any(half_lost) {
        return missing("dispatch", "tasks so small that dispatching them shows");
    }
    if observations.len() < Free::all().count() + FEWEST_SPARE_WALLS {
        return missing(SPLIT, "more jobs than costs");
    }
    Ok(())
}

/// Number of different `values`.
fn different<T: Ord>(values: impl Iterator<Item = T>) -> usize {
    values.collect::<BTreeSet<T>>().len()
}

/// The largest misfit that still counts as about as good as the best.
fn admissible_misfit(observations: &[Observation], best: &Costs) -> f64 {
    let spare = observations.len() - Free::all().count();
    let t = student::quantile(LEVEL, spare);
    misfit(observations, best) * (1.0 + t * t / spare as f64)
}

/// No job can be over before its tasks have been served one after the other;
/// but a wall may be too short by its noise, and then the best fit says more.
fn largest_shared_ns(observations: &[Observation], best: &Costs) -> f64 {
    let bound = |seen: &Observation| seen.wall_ns / seen.job.tasks.get() as f64;
    observations.iter().map(bound).fold(f64::INFINITY, f64::min).max(best.dispatch_ns)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    use super::*;
    use crate::simulation::simulate;

    /// A job of 1,000 tasks at nine task times, and 8 tasks at three, by each
    /// of `worker_counts`, every wall off by up to `noise`.
    fn walls(costs: &Costs, worker_counts: &[usize], noise: f64) -> Vec<Observation> {
        let mut rng = Pcg64Mcg::seed_from_u64(31);
        let mut all = Vec::new();
        for &workers in worker_counts {
            for (tasks, sizes) in [(1_000, 9), (8, 3)] {
                for task in 0..sizes {
                    let size = task as i32;
                    let task_ns = 4.0 * 3.5f64.powi(size);
                    let task_bytes = if tasks == 8 { 8.0 * 20f64.powi(size) } else { 8.0 };
                    let job = Job {
                        workers: workers.try_into().unwrap(),
                        tasks: tasks.try_into().unwrap(),
                        task_bytes,
                    };
                    let off = 1.0 + noise * (2.0 * rng.random::<f64>() - 1.0);
                    let wall_ns = simulate(costs, &job, task_ns).wall_ns * off;
                    all.push(Observation { job, task, task_ns, wall_ns });
                }
            }
        }
        all
    }

    fn near(found: f64, expected: f64, share: f64) -> bool {
        (found - expected).abs() <= share * expected.abs()
    }

    /// Like a queue with a lock, like claims on words of one's own, like pipes.
    fn kinds() -> [Costs; 3] {
        let of = |dispatch_ns, claim_ns, wake_ns, copy_ns_per_byte| Costs {
            dispatch_ns,
            claim_ns,
            wake_ns,
            copy_ns_per_byte,
        };
        [of(250.0, 40.0, 15e3, 0.0), of(0.0, 30.0, 13e3, 0.0), of(180.0, 90.0, 30e3, 0.9)]
    }

    #[test]
    fn walls_without_noise_give_back_the_costs_that_made_them() {
        for truth in kinds() {
            let found = fit(&walls(&truth, &[1, 2], 0.0)).unwrap();
            assert!(
                near(found.costs.dispatch_ns + 1.0, truth.dispatch_ns + 1.0, 0.01),
                "{found:?}"
            );
            assert!(near(found.costs.claim_ns, truth.claim_ns, 0.01), "{found:?}");
            assert!(near(found.costs.wake_ns, truth.wake_ns, 0.01), "{found:?}");
            assert!((found.costs.copy_ns_per_byte - truth.copy_ns_per_byte).abs() < 0.01);
            assert!(found.check.jobs.unwrap().largest < 0.01, "{found:?}");
        }
    }

    #[test]
    fn the_range_of_the_shared_cost_holds_the_truth_where_walls_are_noisy() {
        for truth in kinds() {
            let found = fit(&walls(&truth, &[1, 2], 0.05)).unwrap();
            let (least, most) = (found.least_shared.dispatch_ns, found.most_shared.dispatch_ns);
            assert!(least <= found.costs.dispatch_ns && found.costs.dispatch_ns <= most);
            assert!(least <= truth.dispatch_ns + 1e-9 && truth.dispatch_ns <= most, "{found:?}");
            assert!(most < truth.dispatch_ns + 60.0, "{found:?}");
            let errors = found.check.jobs.unwrap();
            assert!(errors.median < 0.06 && errors.largest < 0.4, "{errors:?}");
        }
    }

    #[test]
    fn a_few_spoiled_walls_do_not_rule() {
        let truth = kinds()[0];
        let mut seen = walls(&truth, &[1, 2], 0.01);
        for spoiled in [3, 14] {
            seen[spoiled].wall_ns *= 3.0;
        }
        let found = fit(&seen).unwrap();
        assert!(near(found.costs.dispatch_ns, truth.dispatch_ns, 0.1), "{found:?}");
        // They are not hidden either.
        assert!(found.check.jobs.unwrap().largest > 0.5);
    }

    #[test]
    fn the_most_workers_are_predicted_from_fewer_where_there_are_three_counts() {
        let truth = kinds()[2];
        let two = fit(&walls(&truth, &[1, 2], 0.02)).unwrap().check;
        assert_eq!((two.most_workers, two.most_workers_refused), (None, None));
        let check = fit(&walls(&truth, &[1, 2, 8], 0.02)).unwrap().check;
        let errors = check.most_workers.unwrap();
        assert!(errors.walls == 12 && errors.largest < 0.2, "{errors:?}");
        assert_eq!(check.most_workers_refused, None);
    }

    #[test]
    fn fewer_workers_whose_jobs_do_not_tell_the_costs_say_so_and_foretell_nothing() {
        let mut seen = walls(&kinds()[2], &[1, 2, 8], 0.02);
        // As a sweep has it that measures small tasks on all cores only.
        seen.retain(|seen| seen.job.workers.get() == 8 || seen.job.tasks.get() == 8);
        let check = fit(&seen).unwrap().check;
        assert_eq!(check.most_workers, None);
        assert!(check.most_workers_refused.unwrap().contains("few and of many tasks"));
    }

    /// All of `seen`, and once more as another baseline times it.
    fn twice(seen: &[Observation]) -> Vec<Observation> {
        let again = |seen: &Observation| Observation { task_ns: 1.01 * seen.task_ns, ..*seen };
        seen.iter().copied().chain(seen.iter().map(again)).collect()
    }

    #[test]
    fn a_task_that_was_measured_twice_is_one_task() {
        let mut seen = walls(&kinds()[0], &[1, 2], 0.0);
        seen.retain(|seen| seen.task < 2);
        let refusal = fit(&twice(&seen)).unwrap_err().to_string();
        assert!(refusal.contains("three sizes of tasks"), "{refusal}");
    }

    #[test]
    fn a_job_that_no_others_can_stand_for_is_not_checked() {
        let mut seen = walls(&kinds()[0], &[1, 2], 0.0);
        seen.retain(|seen| seen.job.tasks.get() == 1_000 || seen.task == 2);
        let seen = twice(&seen);
        // Without its only job of few tasks it cannot tell what waking costs.
        let errors = fit(&seen).unwrap().check.jobs.unwrap();
        assert_eq!((seen.len(), errors.walls), (40, 36));
    }

    #[test]
    fn a_model_that_does_not_hold_shows_a_large_error() {
        let mut seen = walls(&kinds()[1], &[1, 2], 0.0);
        // Nobody told that large tasks disturb each other.
        for (index, seen) in seen.iter_mut().enumerate() {
            seen.wall_ns *= 1.0 + 0.5 * (index % 2) as f64;
        }
        assert!(fit(&seen).unwrap().check.jobs.unwrap().median > 0.1);
    }

    #[test]
    fn walls_that_cannot_tell_the_costs_are_refused_and_the_refusal_says_what_is_missing() {
        let all = walls(&kinds()[0], &[1, 2], 0.0);
        let only = |keep: &dyn Fn(&Observation) -> bool| {
            let kept: Vec<Observation> = all.iter().copied().filter(|seen| keep(seen)).collect();
            fit(&kept).unwrap_err().to_string()
        };
        assert!(only(&|seen| seen.job.workers.get() == 2).contains("2 different worker counts"));
        assert!(only(&|seen| seen.job.tasks.get() == 1_000).contains("few and of many tasks"));
        assert!(only(&|seen| seen.task_ns < 20.0).contains("three sizes"));
        assert!(
            only(&|seen| seen.task_ns > 2_000.0 || seen.job.workers.get() == 1)
                .contains("few and of many tasks")
        );
        let mut free = all.clone();
        for seen in &mut free {
            let workers = seen.job.workers.get() as f64;
            seen.wall_ns = seen.task_ns * seen.job.tasks.get() as f64 / workers;
        }
        assert!(fit(&free).unwrap_err().to_string().contains("so small that dispatching"));
        let few: Vec<Observation> =
            [0, 9, 12, 13, 23].into_iter().map(|index: usize| all[index]).collect();
        let refusal = fit(&few).unwrap_err().to_string();
        assert!(refusal.contains("more jobs than costs") && refusal.contains("help:"), "{refusal}");
        let mut zero = all;
        zero[0].wall_ns = 0.0;
        assert_eq!(fit(&zero), Err(StatsError::ZeroTime));
    }
}
