//! The table of jobs: what the pool was asked for and is not done yet, or is
//! done and nobody has collected.

use std::{collections::VecDeque, io};

use multiproc::{Error, Result};

use crate::{frame::JobHeader, tasks::Tasks};

/// A job's place in the table. It is not given to another job before the
/// first is done and collected or abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JobId(u32);

/// What the tasks of a job have in common.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Function {
    pub(crate) header: JobHeader,
    pub(crate) context: Vec<u8>,
}

/// A task: which of which job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskId {
    pub(crate) job: JobId,
    pub(crate) task: u32,
}

/// Jobs, and the queue of those that have tasks which nobody was given.
#[derive(Default)]
pub(crate) struct Jobs {
    slots: Vec<Option<Job>>,
    free: Vec<u32>,
    queue: VecDeque<JobId>,
    /// Tasks that nobody was given.
    waiting: usize,
    /// Jobs that are not done.
    unfinished: usize,
    /// Of the newest job.
    kinship: Kinship,
    function: Option<Function>,
    single: bool,
}

/// What tells a worker's next task from its last without a look at bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinship {
    /// Number of the function. A function that comes again after another one
    /// has another number.
    pub(crate) function: u64,
    /// Number of the series; see [`crate::pace`].
    pub(crate) series: u64,
}

struct Job {
    function: Function,
    kinship: Kinship,
    /// `None` if whoever waits for the job has lent them.
    tasks: Option<Box<dyn Tasks + Send>>,
    /// The first task that nobody was given.
    next: u32,
    count: u32,
    /// Tasks that are not answered.
    left: u32,
    failure: Option<Error>,
    abandoned: bool,
}

/// The tasks that are to be given next: one, and those behind it in its job.
pub(crate) struct Next<'a> {
    pub(crate) id: TaskId,
    /// How many they are.
    pub(crate) count: u32,
    pub(crate) kinship: Kinship,
    pub(crate) function: &'a Function,
}

impl Jobs {
    /// Enters a job; `tasks` is `None` if they are lent.
    pub(crate) fn enter(
        &mut self,
        function: Function,
        count: u32,
        tasks: Option<Box<dyn Tasks + Send>>,
    ) -> JobId {
        let job = Job {
            kinship: self.relate(&function, count == 1),
            function,
            tasks,
            next: 0,
            count,
            left: count,
            failure: None,
            abandoned: false,
        };
        let id = self.place(job);
        if count > 0 {
            self.queue.push_back(id);
            self.waiting += count as usize;
            self.unfinished += 1;
        }
        id
    }

    /// The kinship of a new job. It is of the newest one's series if both are
    /// calls of one function and the other is not over.
    fn relate(&mut self, function: &Function, single: bool) -> Kinship {
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

    /// Enters a job that has failed.
    pub(crate) fn enter_failed(&mut self, function: Function, failure: Error) -> JobId {
        let id = self.enter(function, 0, None);
        self.job_mut(id).failure = Some(failure);
        id
    }

    fn place(&mut self, job: Job) -> JobId {
        match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(job);
                JobId(slot)
            }
            None => {
                self.slots.push(Some(job));
                JobId(self.slots.len() as u32 - 1)
            }
        }
    }

    fn job(&self, id: JobId) -> &Job {
        self.slots[id.0 as usize].as_ref().expect("an id is used as long as its job exists")
    }

    fn job_mut(&mut self, id: JobId) -> &mut Job {
        self.slots[id.0 as usize].as_mut().expect("an id is used as long as its job exists")
    }

    /// Jobs that are not done.
    pub(crate) fn unfinished(&self) -> usize {
        self.unfinished
    }

    /// Tasks that nobody was given.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// The tasks that are to be given next.
    pub(crate) fn next(&self) -> Option<Next<'_>> {
        let id = *self.queue.front()?;
        let job = self.job(id);
        let id = TaskId { job: id, task: job.next };
        let count = job.count - job.next;
        Some(Next { id, count, kinship: job.kinship, function: &job.function })
    }

    /// The first `count` of the [`next`](Self::next) tasks were given to a worker.
    pub(crate) fn give(&mut self, count: u32) {
        let Some(&id) = self.queue.front() else { return };
        self.waiting -= count as usize;
        let job = self.job_mut(id);
        job.next += count;
        if job.next == job.count {
            self.queue.pop_front();
        }
    }

    /// A task of the job is done.
    pub(crate) fn done(&mut self, id: JobId) {
        let job = self.job_mut(id);
        job.left -= 1;
        if job.left == 0 {
            self.finished(id);
        }
    }

    /// A task of the job has failed. The first such error is the job's.
    pub(crate) fn failed(&mut self, id: JobId, error: Error) {
        self.job_mut(id).failure.get_or_insert(error);
        self.done(id);
    }

    /// Fails every job that is not done. The task that `error` names, if any,
    /// is one of `of`.
    pub(crate) fn fail(&mut self, error: &Error, of: Option<JobId>) {
        self.queue.clear();
        self.waiting = 0;
        for slot in 0..self.slots.len() {
            let id = JobId(slot as u32);
            let Some(job) = &mut self.slots[slot] else { continue };
            if job.left > 0 {
                job.left = 0;
                job.failure = Some(told_again(error, of == Some(id)));
                self.finished(id);
            }
        }
    }

    fn finished(&mut self, id: JobId) {
        self.unfinished -= 1;
        if self.job(id).abandoned {
            self.remove(id);
        }
    }

    /// Whether all tasks of the job are done, or it has failed.
    pub(crate) fn is_finished(&self, id: JobId) -> bool {
        self.job(id).left == 0
    }

    /// How many tasks a finished job had, and their outputs unless the tasks
    /// are lent.
    pub(crate) fn outcome(&self, id: JobId) -> Result<(usize, &[u8])> {
        let job = self.job(id);
        match &job.failure {
            Some(failure) => Err(told_again(failure, true)),
            None => {
                let outputs = job.tasks.as_ref().map_or(&[][..], |tasks| tasks.outputs());
                Ok((job.count as usize, outputs))
            }
        }
    }

    /// Nobody will ask for the job any more; its tasks are executed all the
    /// same.
    pub(crate) fn abandon(&mut self, id: JobId) {
        if self.is_finished(id) {
            self.remove(id);
        } else {
            self.job_mut(id).abandoned = true;
        }
    }

    fn remove(&mut self, id: JobId) {
        self.slots[id.0 as usize] = None;
        self.free.push(id.0);
    }
}

/// Jobs, together with the tasks that were lent for as long as somebody waits
/// for one of them.
pub(crate) struct Ledger<'a, 't> {
    pub(crate) jobs: &'a mut Jobs,
    pub(crate) lent: Lent<'a, 't>,
}

/// Tasks of the one who waits, if they are not in the table.
pub(crate) type Lent<'a, 't> = Option<&'a mut (dyn Tasks + 't)>;

impl Ledger<'_, '_> {
    pub(crate) fn tasks(&self, id: JobId) -> &dyn Tasks {
        match (&self.jobs.job(id).tasks, &self.lent) {
            (Some(tasks), _) => &**tasks,
            (None, Some(lent)) => &**lent,
            (None, None) => unreachable!("whoever lends tasks waits until they are done"),
        }
    }

    pub(crate) fn output(&mut self, id: TaskId) -> &mut [u8] {
        let job = self.jobs.job_mut(id.job);
        match (&mut job.tasks, &mut self.lent) {
            (Some(tasks), _) => tasks.output(id.task as usize),
            (None, Some(lent)) => lent.output(id.task as usize),
            (None, None) => unreachable!("whoever lends tasks waits until they are done"),
        }
    }
}

/// An error for one more of those whom it concerns. Only the job whose task
/// it was is told of the task.
fn told_again(error: &Error, its_own: bool) -> Error {
    match error {
        Error::TaskPanicked { task, message } => {
            Error::TaskPanicked { task: *task, message: message.clone() }
        }
        Error::WorkerDied { pid, status, task } => {
            Error::WorkerDied { pid: *pid, status: *status, task: task.filter(|_| its_own) }
        }
        Error::Garbled { pid, what } => Error::Garbled { pid: *pid, what: what.clone() },
        Error::TooLarge { what, got, most } => Error::TooLarge { what, got: *got, most: *most },
        Error::System { what, source } => {
            let number = source.raw_os_error();
            let again = number.map_or_else(|| source.kind().into(), io::Error::from_raw_os_error);
            Error::System { what, source: again }
        }
        Error::PoolDropped => Error::PoolDropped,
        _ => Error::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::Map;

    fn function(place: u64) -> Function {
        let header = JobHeader { token: [place, 0], output_len: 8 };
        Function { header, context: Vec::new() }
    }

    fn tasks(count: usize) -> Option<Box<dyn Tasks + Send>> {
        Some(Box::new(Map::<u64, u64>::new(vec![0; count])))
    }

    fn give_all(jobs: &mut Jobs) -> Vec<Kinship> {
        let mut given = Vec::new();
        while let Some(kinship) = jobs.next().map(|next| next.kinship) {
            given.push(kinship);
            jobs.give(1);
        }
        given
    }

    #[test]
    fn calls_of_one_function_that_are_outstanding_together_are_one_series() {
        let mut jobs = Jobs::default();
        let calls: Vec<_> = (0..3).map(|_| jobs.enter(function(1), 1, tasks(1))).collect();
        jobs.enter(function(2), 1, tasks(1));
        let given = give_all(&mut jobs);
        assert!(given[0] == given[1] && given[1] == given[2]);
        assert!(given[3].series != given[0].series && given[3].function != given[0].function);
        assert_eq!(calls.len() + 1, jobs.unfinished());
    }

    #[test]
    fn a_call_after_the_last_is_over_begins_a_series() {
        let mut jobs = Jobs::default();
        let first = jobs.enter(function(1), 1, tasks(1));
        let before = give_all(&mut jobs)[0];
        jobs.done(first);
        jobs.enter(function(1), 1, tasks(1));
        let after = give_all(&mut jobs)[0];
        assert_eq!(before.function, after.function);
        assert_ne!(before.series, after.series);
    }

    #[test]
    fn every_map_is_a_series_of_its_own() {
        let mut jobs = Jobs::default();
        jobs.enter(function(1), 2, tasks(2));
        jobs.enter(function(1), 2, tasks(2));
        let given = give_all(&mut jobs);
        assert_eq!(given[0], given[1]);
        assert_ne!(given[1].series, given[2].series);
    }

    #[test]
    fn a_place_is_free_when_its_job_is_done_and_nobody_wants_it() {
        let mut jobs = Jobs::default();
        let abandoned_before = jobs.enter(function(1), 1, tasks(1));
        let abandoned_after = jobs.enter(function(1), 1, tasks(1));
        give_all(&mut jobs);
        jobs.abandon(abandoned_before);
        jobs.done(abandoned_before);
        assert_eq!(jobs.enter(function(1), 1, tasks(1)), abandoned_before);
        jobs.done(abandoned_after);
        assert_ne!(jobs.enter(function(1), 1, tasks(1)), abandoned_after);
        jobs.abandon(abandoned_after);
        assert_eq!(jobs.enter(function(1), 1, tasks(1)), abandoned_after);
    }

    #[test]
    fn a_death_names_the_task_to_the_job_that_had_it_only() {
        let mut jobs = Jobs::default();
        let ids = [0; 2].map(|_| jobs.enter(function(1), 5, tasks(5)));
        let finished = jobs.enter(function(1), 1, tasks(1));
        give_all(&mut jobs);
        jobs.done(finished);
        let status = multiproc::ExitStatus { code: -9 };
        jobs.fail(&Error::WorkerDied { pid: 7, status, task: Some(3) }, Some(ids[1]));
        let tasks = ids.map(|id| match jobs.outcome(id) {
            Err(Error::WorkerDied { pid: 7, task, .. }) => task,
            other => panic!("{other:?}"),
        });
        assert_eq!(tasks, [None, Some(3)]);
        assert!(jobs.outcome(finished).is_ok());
        assert_eq!(jobs.unfinished(), 0);
    }
}
