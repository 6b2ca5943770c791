//! The jobs that every backend must get right.

use harness::{Job, Workload};

/// No cell has more elements than this: 80 MB of payload.
const MOST_ELEMENTS: usize = 10_000_000;

/// Worker counts: one, two, an odd number, and more than most machines that
/// run tests have cores.
pub(crate) const WORKERS: [usize; 4] = [1, 2, 3, 8];

/// All jobs for a number of workers: nothing, one, too few to go round, a
/// number that does not divide, many.
pub(crate) fn jobs(workers: usize) -> impl Iterator<Item = Job> {
    let task_counts = [0, 1, workers - 1, 97, 10_000];
    let task_sizes = [0, 1, 101, 100_000];
    Workload::ALL
        .into_iter()
        .flat_map(move |workload| task_counts.map(|tasks| (workload, tasks)))
        .flat_map(move |(workload, tasks)| {
            task_sizes.map(|task_size| Job { workload, tasks, task_size })
        })
        .filter(|job| job.elements() <= MOST_ELEMENTS)
}
