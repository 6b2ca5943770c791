//! Whose turn it is: the tasks that nobody was given, or that must be given
//! again.

use std::{collections::VecDeque, num::NonZeroUsize};

use super::{Function, JobId, Jobs, Outcome};
use crate::pool::{lane::TaskId, work::Work};

/// What tells a worker's next task from its last without a look at bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinship {
    /// Number of the function. A function that comes again after another one
    /// has another number.
    pub(crate) function: u64,
    /// Number of the series; see [`pace`](crate::pool::pace).
    pub(crate) series: u64,
}

/// The tasks that are to be given next: one, and those behind it in its job.
pub(crate) struct Next<'a> {
    pub(crate) first: TaskId,
    /// How many they are.
    pub(crate) count: u64,
    pub(crate) kinship: Kinship,
    pub(crate) chunk_len: Option<NonZeroUsize>,
    pub(crate) function: &'a Function,
}

impl Jobs {
    /// Tasks that nobody was given.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// The tasks that are to be given next.
    pub(crate) fn next(&self) -> Option<Next<'_>> {
        let id = *self.queue.front()?;
        let job = self.job(id);
        let (task, count) = match job.returned.front() {
            Some(&task) => (task, 1),
            None => (job.next, job.count - job.next),
        };
        Some(Next {
            first: TaskId { job: id, task },
            count,
            kinship: job.kinship,
            chunk_len: job.policy.chunk_len,
            function: &job.function,
        })
    }

    /// The work of the [`next`](Self::next) tasks.
    pub(crate) fn next_work(&mut self) -> &mut dyn Work {
        let id = *self.queue.front().expect("asked for the next task before");
        match &mut self.job_mut(id).outcome {
            Outcome::Work(work) => &mut **work,
            _ => unreachable!("a job with tasks to be given is not concluded"),
        }
    }

    /// The first `count` of the [`next`](Self::next) tasks were given to a worker.
    pub(crate) fn give(&mut self, count: u64) {
        let Some(&id) = self.queue.front() else { return };
        self.waiting -= count;
        let job = self.job_mut(id);
        if job.returned.is_empty() {
            job.next += count;
        } else if count > 0 {
            job.returned.pop_front();
        }
        if job.next == job.count && job.returned.is_empty() {
            job.is_queued = false;
            self.queue.pop_front();
        }
    }

    /// A task was given to a worker and must be given to another.
    pub(crate) fn give_back(&mut self, id: TaskId) {
        if !matches!(self.job(id.job).outcome, Outcome::Work(_)) {
            // Cancelled: nobody wants it.
            return self.answered(id.job);
        }
        self.waiting += 1;
        self.job_mut(id.job).returned.push_front(id.task);
        self.enqueue(id.job, VecDeque::push_front);
    }

    /// Of a job.
    pub(crate) fn series(&self, id: JobId) -> u64 {
        self.job(id).kinship.series
    }

    pub(super) fn enqueue(&mut self, id: JobId, how: fn(&mut VecDeque<JobId>, JobId)) {
        if !std::mem::replace(&mut self.job_mut(id).is_queued, true) {
            how(&mut self.queue, id);
        }
    }

    /// The kinship of a new job. It is of the newest one's series if both are
    /// calls of one function and the other is not over.
    pub(super) fn relate(&mut self, function: &Function, single: bool) -> Kinship {
        let same_function = self.function.as_ref() == Some(function);
        if !same_function {
            self.function = Some(function.clone());
            self.kinship.function += 1;
        }
        if !(same_function && single && self.single && self.unfinished > 0) {
            self.kinship.series += 1;
        }
        self.single = single;
        self.kinship
    }
}
