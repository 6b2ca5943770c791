//! What becomes of tasks.

use super::{JobId, Jobs, Outcome, guard::guard};
use crate::{
    Error, memory,
    pool::{
        frame::{Failure, job},
        lane::TaskId,
        large::{Large, Room},
        work::{Loss, RunShape},
    },
};

/// The end of an input.
pub(crate) struct Direct<'a> {
    pub(crate) bytes: &'a [u8],
    /// See [`Work::is_lent`](crate::pool::work::Work::is_lent).
    pub(crate) is_lent: bool,
}

impl Jobs {
    /// The end of the task's input, if it is written from where it lies, and
    /// still does although the job may have been cancelled.
    pub(crate) fn direct(&self, id: TaskId) -> Option<Direct<'_>> {
        match &self.job(id.job).outcome {
            Outcome::Work(work) | Outcome::Failed(_, Some(work)) => {
                let is_lent = work.is_lent();
                work.direct(id.task).map(|bytes| Direct { bytes, is_lent })
            }
            _ => None,
        }
    }

    /// Room for the output of the task, which has so many bytes.
    pub(crate) fn room(&self, id: TaskId, bytes: usize) -> Room {
        match &self.job(id.job).outcome {
            Outcome::Work(work) => work.room(id.task, bytes),
            _ => Room::Otherwise,
        }
    }

    /// The output of a task, which was read to the room for it.
    pub(crate) fn done_large(&mut self, id: TaskId, output: Box<dyn Large>) {
        // Otherwise cancelled: nobody wants it.
        if let Outcome::Work(work) = &mut self.job_mut(id.job).outcome {
            work.accept_large(id.task, output);
        }
        self.answered(id.job);
    }

    /// More bytes than this cannot be the output of the task.
    pub(crate) fn largest_output(&self, id: TaskId) -> usize {
        match self.job(id.job).function.header.kind {
            job::IN_PLACE => self.direct(id).map_or(0, |direct| direct.bytes.len()),
            _ => memory::physical(),
        }
    }

    /// The output of a task. Whether it could be accepted; otherwise the task
    /// has failed.
    pub(crate) fn done(&mut self, id: TaskId, output: &[u8]) -> bool {
        let job = self.job_mut(id.job);
        let Outcome::Work(work) = &mut job.outcome else {
            // Cancelled: nobody wants it.
            self.answered(id.job);
            return true;
        };
        let accepted = guard("decoded", || work.accept(id.task, output)).map_err(|why| {
            let error = Error::TaskValue { task: id.task as usize, what: "result", why };
            work.fail(id.task, error);
        });
        job.left -= 1;
        if job.left == 0 && !job.is_open {
            self.finished(id.job);
        }
        accepted.is_ok()
    }

    /// How tasks of the job travel in runs, if they do and somebody still wants
    /// what they compute.
    pub(crate) fn run_shape(&self, id: JobId) -> Option<RunShape> {
        match &self.job(id).outcome {
            Outcome::Work(work) => work.run_shape(),
            _ => None,
        }
    }

    /// The outputs of `count` tasks from `first` on, which have its
    /// [shape](Self::run_shape).
    pub(crate) fn done_run(&mut self, first: TaskId, count: u64, outputs: &[u8]) {
        let job = self.job_mut(first.job);
        // Otherwise cancelled: nobody wants them.
        if let Outcome::Work(work) = &mut job.outcome {
            work.accept_run(first.task, outputs);
        }
        job.left -= count;
        if job.left == 0 && !job.is_open {
            self.finished(first.job);
        }
    }

    /// A worker has told why a task has no output.
    pub(crate) fn failed(&mut self, id: TaskId, failure: Failure, (pid, name): (i32, &str)) {
        let error = failure.into_error(id.task as usize, (pid, name));
        self.end_with(id, error);
    }

    /// A task has failed for a reason that lies outside of it.
    pub(crate) fn fail(&mut self, id: TaskId, error: Error) {
        self.failed_unanswered += 1;
        self.end_with(id, error);
    }

    /// A task has an answer that is of no use.
    pub(crate) fn fail_answered(&mut self, id: TaskId, error: Error) {
        let (task, why) = (id.task as usize, error.to_string());
        self.end_with(id, Error::TaskValue { task, what: "result", why });
    }

    fn end_with(&mut self, id: TaskId, error: Error) {
        if let Outcome::Work(work) = &mut self.job_mut(id.job).outcome {
            work.fail(id.task, error);
        }
        self.answered(id.job);
    }

    /// A task brought its worker down: it is begun again, if `may_retry` and
    /// it has retries left, or fails with what `death` says of the index that
    /// it is given.
    pub(crate) fn charge(&mut self, id: TaskId, may_retry: bool, death: &dyn Fn(u64) -> Error) {
        let job = self.job_mut(id.job);
        let loss = match &mut job.outcome {
            Outcome::Work(work) => work.lost(id.task, may_retry, death),
            _ => Loss::Task,
        };
        if loss == Loss::Task {
            let charges = job.charges.entry(id.task).or_default();
            *charges += 1;
            let retries = may_retry && *charges <= job.policy.retries;
            if !retries || !matches!(job.outcome, Outcome::Work(_)) {
                return self.fail(id, death(id.task));
            }
        }
        self.retried += u64::from(matches!(loss, Loss::Task | Loss::Retried));
        self.failed_unanswered += u64::from(loss == Loss::Failed);
        self.give_back(id);
    }

    pub(super) fn answered(&mut self, id: JobId) {
        let job = self.job_mut(id);
        job.left -= 1;
        if job.left == 0 && !job.is_open {
            self.finished(id);
        }
    }
}
