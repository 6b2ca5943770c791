//! How a pool gets on.

use std::time::Duration;

/// How a pool gets on, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Tasks that have a result.
    pub tasks_done: u64,
    /// Tasks that have failed instead.
    pub tasks_failed: u64,
    /// How often a task was begun again because its worker died.
    pub tasks_retried: u64,
    /// Tasks that no worker was given yet.
    pub queue_depth: u64,
    /// Tasks that a worker was given and has not answered.
    pub in_flight: u64,
    /// Workers that were replaced because they died or were killed.
    pub workers_healed: u64,
    /// Workers that were replaced after so many tasks as one may do.
    pub workers_retired: u64,
    /// The workers that there are, by seat.
    pub workers: Vec<WorkerStatistics>,
}

/// One worker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerStatistics {
    /// Its process id.
    pub pid: i32,
    /// Its name.
    pub name: String,
    /// Tasks that it has answered.
    pub tasks: u64,
    /// Time that it has spent on them and on the one that it executes. It tells
    /// what those took that it has answered when it has nothing more to do.
    pub busy: Duration,
    /// The rest of its life.
    pub idle: Duration,
}
