//! Least squares of a piecewise linear model.
//!
//! The wall that the simulation gives is linear in the costs as long as the
//! same thing holds the job up, the shared resource or the workers: task j of a
//! job is served no sooner than a turn of the resource after task j − 1, and no
//! sooner than a cycle of a worker after task j − P. So each step takes what
//! holds each job up from the costs of the step before, and solves a linear
//! problem.

use super::{Costs, Observation};
use crate::linear::solve;

/// Relative error from which on it counts in proportion, not squared.
const HUBER: f64 = 0.1;

/// Steps of one descent; most end after five.
const MOST_STEPS: usize = 30;

/// Shares of the cost of the smallest tasks that descents take for shared to
/// begin with: what holds jobs up at first decides where some of them end.
const STARTS: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// Unknowns, in this order: to wake, to dispatch, to claim, to copy.
const COSTS: usize = 4;
const DISPATCH: usize = 1;
const COPY: usize = 3;

/// Which costs are looked for.
#[derive(Clone, Copy)]
pub(super) struct Free {
    /// The dispatch cost if it is given.
    dispatch_ns: Option<f64>,
}

impl Free {
    pub(super) fn all() -> Self {
        Self { dispatch_ns: None }
    }

    pub(super) fn all_but_dispatch(dispatch_ns: f64) -> Self {
        Self { dispatch_ns: Some(dispatch_ns) }
    }

    pub(super) fn count(self) -> usize {
        COSTS - usize::from(self.dispatch_ns.is_some())
    }
}

/// The costs with the least [`misfit`] that descents from several starts find.
pub(super) fn descend(observations: &[Observation], free: Free) -> Option<Costs> {
    let copies = observations.iter().any(|seen| {
        // Without, a byte's cost cannot be told from a task's.
        seen.job.task_bytes != observations[0].job.task_bytes
    });
    STARTS
        .iter()
        .filter_map(|&share| descent(observations, free, copies, start(observations, share)))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, costs)| costs)
}

/// Sum of the walls' squared relative errors, large ones in proportion.
pub(super) fn misfit(observations: &[Observation], costs: &Costs) -> f64 {
    let huber = |seen: &Observation| {
        let error = relative_error(costs, seen).abs();
        if error <= HUBER { error * error } else { HUBER * (2.0 * error - HUBER) }
    };
    observations.iter().map(huber).sum()
}

fn start(observations: &[Observation], share: f64) -> Costs {
    let each = observations.iter().map(|seen| seen.wall_ns / seen.job.tasks.get() as f64);
    let least = each.fold(f64::INFINITY, f64::min);
    Costs { dispatch_ns: share * least, claim_ns: (1.0 - share) * least, ..Costs::default() }
}

fn descent(
    observations: &[Observation],
    free: Free,
    copies: bool,
    start: Costs,
) -> Option<(f64, Costs)> {
    let mut costs = Costs { dispatch_ns: free.dispatch_ns.unwrap_or(start.dispatch_ns), ..start };
    let mut best: Option<(f64, Costs)> = None;
    for _ in 0..MOST_STEPS {
        costs = step(observations, free, copies, &costs)?;
        let misfit = misfit(observations, &costs);
        if best.is_some_and(|(least, _)| misfit >= least * (1.0 - 1e-6)) {
            break;
        }
        best = Some((misfit, costs));
    }
    best
}

/// Weighted least squares, with what holds each job up, and how much its error
/// counts, taken from `costs`.
fn step(observations: &[Observation], free: Free, copies: bool, costs: &Costs) -> Option<Costs> {
    let (mut matrix, mut right) = ([[0.0; COSTS]; COSTS], [0.0; COSTS]);
    for seen in observations {
        let (shared, private) = turns(costs, seen);
        let known_ns = private * seen.task_ns + shared * free.dispatch_ns.unwrap_or(0.0);
        let x = [1.0, shared, private, shared * seen.job.task_bytes].map(|x| x / seen.wall_ns);
        let target = 1.0 - known_ns / seen.wall_ns;
        let weight = (HUBER / relative_error(costs, seen).abs()).min(1.0);
        for row in 0..COSTS {
            right[row] += weight * x[row] * target;
            for column in 0..COSTS {
                matrix[row][column] += weight * x[row] * x[column];
            }
        }
    }
    let may_be_positive = |place: usize| match place {
        DISPATCH => free.dispatch_ns.is_none(),
        COPY => copies,
        _ => true,
    };
    let [wake_ns, dispatch_ns, claim_ns, copy_ns_per_byte] =
        non_negative(&matrix, &right, may_be_positive)?;
    let dispatch_ns = free.dispatch_ns.unwrap_or(dispatch_ns);
    Some(Costs { dispatch_ns, claim_ns, wake_ns, copy_ns_per_byte })
}

/// The x without a negative part that minimises x·Mx − 2 x·r, by trying every
/// set of parts that are not zero: there are sixteen.
fn non_negative(
    matrix: &[[f64; COSTS]; COSTS],
    right: &[f64; COSTS],
    may_be_positive: impl Fn(usize) -> bool,
) -> Option<[f64; COSTS]> {
    let allowed = |set: &[bool; COSTS]| {
        (0..COSTS).all(|i| !set[i] || may_be_positive(i) && matrix[i][i] > 0.0)
    };
    let value = |x: &[f64; COSTS]| -> f64 {
        let row = |i: usize| -> f64 { (0..COSTS).map(|j| matrix[i][j] * x[j]).sum() };
        (0..COSTS).map(|i| x[i] * (row(i) - 2.0 * right[i])).sum()
    };
    (0..1 << COSTS)
        .map(|bits: u32| std::array::from_fn(|i| bits & (1 << i) != 0))
        .filter(allowed)
        .filter_map(|set| minimum(matrix, right, set))
        .filter(|x| x.iter().all(|&part| part >= 0.0))
        .min_by(|a, b| value(a).total_cmp(&value(b)))
}

/// The same with any sign, but only the parts of `set` not zero.
fn minimum(
    matrix: &[[f64; COSTS]; COSTS],
    right: &[f64; COSTS],
    set: [bool; COSTS],
) -> Option<[f64; COSTS]> {
    // The unknowns differ by orders of magnitude; in these units they do not.
    let unit: [f64; COSTS] =
        std::array::from_fn(|i| if set[i] { matrix[i][i].sqrt() } else { f64::INFINITY });
    let cell = |i: usize, j: usize| if i == j { 1.0 } else { matrix[i][j] / (unit[i] * unit[j]) };
    let scaled: [f64; COSTS] = solve(
        std::array::from_fn(|i| std::array::from_fn(|j| cell(i, j))),
        std::array::from_fn(|i| right[i] / unit[i]),
    )?;
    Some(std::array::from_fn(|i| scaled[i] / unit[i]))
}

fn relative_error(costs: &Costs, seen: &Observation) -> f64 {
    wall_ns(costs, seen) / seen.wall_ns - 1.0
}

/// As the simulation has it.
fn wall_ns(costs: &Costs, seen: &Observation) -> f64 {
    let (shared, private) = turns(costs, seen);
    costs.wake_ns + shared * costs.shared_ns(&seen.job) + private * (costs.claim_ns + seen.task_ns)
}

/// How many turns of the shared resource and how many private parts of tasks
/// follow each other before the last task is done.
fn turns(costs: &Costs, seen: &Observation) -> (f64, f64) {
    let tasks = seen.job.tasks.get();
    let workers = seen.job.workers.get();
    let (rounds, rest) = ((tasks - 1) / workers, (tasks - 1) % workers);
    let (rounds, rest, before) = (rounds as f64, rest as f64, (tasks - 1) as f64);
    let shared_ns = costs.shared_ns(&seen.job);
    let cycle_ns = shared_ns + costs.claim_ns + seen.task_ns;
    if before * shared_ns > rounds * cycle_ns + rest * shared_ns {
        (before + 1.0, 1.0)
    } else {
        (rounds + rest + 1.0, rounds + 1.0)
    }
}
