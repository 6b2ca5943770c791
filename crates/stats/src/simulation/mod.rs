//! What dispatch costs do at worker counts that a machine does not have: a
//! discrete-event simulation of one job, fed with costs that were measured.
//!
//! - [`simulate`]: one job of equal tasks, event by event.
//! - [`metg()`]: the least effective granularity, by bisection over it.
//! - [`fit`]: the costs from measured walls, and how well they foretell walls
//!   that they were not fitted to.
//! - [`predict`]: both figures at a number of workers, with a range.
//!
//! # The model
//!
//! A job wakes its workers, which takes a while. Then each of them, until no
//! task is left: waits for the one thing that all share, holds it for
//! `dispatch_ns` and for the task's copies, gives it back, spends `claim_ns`
//! of its own, and computes. Whoever asks first is served first.
//!
//! Costs are told apart by who pays for them, since that decides what becomes
//! of them: a private cost is paid by all workers at once, and stays the share
//! of a task that it is; a shared one is paid by one worker at a time, so that P
//! workers need tasks P times as long. Everything that is serialised is one
//! resource here (the feeding side, a lock, a contended cache line, the bus):
//! walls do not tell them apart.
//!
//! ```
//! use stats::simulation::{Costs, Job, metg, simulate};
//!
//! let costs = Costs { claim_ns: 100.0, ..Costs::default() };
//! let job = |workers: usize| Job {
//!     workers: workers.try_into().unwrap(),
//!     tasks: (100 * workers).try_into().unwrap(),
//!     task_bytes: 0.0,
//! };
//! // 100 tasks of 300 + 100 ns for each of 8 workers.
//! let outcome = simulate(&costs, &job(8), 300.0);
//! assert_eq!((outcome.wall_ns, outcome.efficiency), (40_000.0, 0.75));
//! // A private cost harms 1,024 workers no more than 8; a shared one does.
//! let metg_ns = |costs: &Costs, workers| metg(costs, &job(workers), 0.5).unwrap();
//! assert!((metg_ns(&costs, 1024) - 200.0).abs() < 1.0);
//! let shared = Costs { dispatch_ns: 100.0, ..Costs::default() };
//! assert!(metg_ns(&shared, 1024) > 100.0 * metg_ns(&shared, 8));
//! ```

mod check;
mod descent;
mod events;
mod fit;
mod metg;
mod predict;

use std::num::NonZeroUsize;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use check::{Check, Errors};
pub use events::simulate;
pub use fit::{Fitted, Observation, fit};
pub use metg::metg;
pub use predict::{Prediction, Ranged, predict};

/// What a job costs beside its tasks' own work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Costs {
    /// Shared: nanoseconds a task for which no other worker can be served.
    pub dispatch_ns: f64,
    /// Private: nanoseconds of a worker's own that a task costs it.
    pub claim_ns: f64,
    /// Nanoseconds from "here is the job" until the workers, all at once, are
    /// awake, and from the last result until the caller is.
    pub wake_ns: f64,
    /// Shared: nanoseconds a byte of a task's array, as `dispatch_ns` is.
    pub copy_ns_per_byte: f64,
}

/// A job of equal tasks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Job {
    /// Workers, each with a core of its own.
    pub workers: NonZeroUsize,
    /// Tasks that they share.
    pub tasks: NonZeroUsize,
    /// Bytes of one task's stretch of the array.
    pub task_bytes: f64,
}

/// What came of a simulated job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Nanoseconds until the last result.
    pub wall_ns: f64,
    /// Work ÷ (workers × wall): 1 is ideal. Of a job that takes no time, 1.
    pub efficiency: f64,
}

impl Costs {
    /// Nanoseconds for which a task of `job` holds what all workers share.
    fn shared_ns(&self, job: &Job) -> f64 {
        self.dispatch_ns + self.copy_ns_per_byte * job.task_bytes
    }
}

impl Job {
    /// Mean task time of a job that takes `wall_ns`: wall × workers ÷ tasks.
    fn granularity_ns(&self, wall_ns: f64) -> f64 {
        wall_ns * self.workers.get() as f64 / self.tasks.get() as f64
    }
}
