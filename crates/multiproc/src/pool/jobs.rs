//! The table of jobs: what the pool was asked for and is not done yet, or is
//! done and nobody has collected.

use std::{
    any::Any,
    collections::{HashMap, VecDeque},
    num::NonZeroUsize,
    task::Waker,
    time::Duration,
};

use super::{
    frame::{Failure, JobHeader, ValueOf, job},
    lane::TaskId,
    work::{Loss, Work},
};
use crate::{Error, Result, memory};

/// A job's place in the table. It is not given to another job before the
/// first is done and collected or abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct JobId(u32);

/// What the tasks of a job have in common.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Function {
    pub(crate) header: JobHeader,
    pub(crate) context: Vec<u8>,
}

/// How a job's tasks are to be treated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    /// Tasks that a worker is given at a time; otherwise learned.
    pub(crate) chunk_len: Option<NonZeroUsize>,
    /// How often a task is begun again whose worker died while it ran.
    pub(crate) retries: u32,
    /// Whether a task must not be begun again even if nobody knows whether it
    /// was begun before.
    pub(crate) at_most_once: bool,
    pub(crate) soft_deadline: Option<Duration>,
    pub(crate) hard_deadline: Option<Duration>,
}

impl Policy {
    pub(crate) fn is_timed(&self) -> bool {
        self.soft_deadline.is_some() || self.hard_deadline.is_some()
    }
}

/// A job to be entered.
pub(crate) struct Order {
    pub(crate) function: Function,
    pub(crate) policy: Policy,
    pub(crate) work: Box<dyn Work>,
    pub(crate) count: u64,
    /// More tasks will be [added](Jobs::add).
    pub(crate) is_open: bool,
    /// Turns the work into what its callbacks get to see.
    pub(crate) conclude: fn(Box<dyn Work>) -> Box<dyn Any + Send>,
}

/// What a finished job's callback is shown: what [`Order::conclude`] has made.
pub(crate) type Callback = Box<dyn FnOnce(&(dyn Any + Send)) + Send>;

/// Jobs, and the queue of those that have tasks which nobody was given.
#[derive(Default)]
pub(crate) struct Jobs {
    slots: Vec<Option<Job>>,
    free: Vec<u32>,
    queue: VecDeque<JobId>,
    /// Tasks that nobody was given.
    waiting: u64,
    /// Jobs that are not done.
    unfinished: usize,
    /// Those of them whose tasks have deadlines.
    timed: usize,
    /// Of the newest job.
    kinship: Kinship,
    function: Option<Function>,
    single: bool,
    /// Done, with callbacks that were not called.
    concluding: Vec<JobId>,
    /// To be woken when the table is not locked: they may run anybody's code.
    woken: Vec<Waker>,
    /// Jobs that are cancelled and have tasks under way.
    cancelled: Vec<JobId>,
    /// Totals for the statistics.
    pub(crate) retried: u64,
    /// Tasks that failed without an answer of their worker.
    pub(crate) failed_unanswered: u64,
}

/// What tells a worker's next task from its last without a look at bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinship {
    /// Number of the function. A function that comes again after another one
    /// has another number.
    pub(crate) function: u64,
    /// Number of the series; see [`super::pace`].
    pub(crate) series: u64,
}

struct Job {
    function: Function,
    policy: Policy,
    kinship: Kinship,
    outcome: Outcome,
    conclude: fn(Box<dyn Work>) -> Box<dyn Any + Send>,
    /// The first task that nobody was ever given.
    next: u64,
    /// Tasks that were given and must be given again, before the next.
    returned: VecDeque<u64>,
    count: u64,
    /// Tasks that are not answered.
    left: u64,
    is_open: bool,
    is_queued: bool,
    is_abandoned: bool,
    /// How often its tasks have brought a worker down, for those that have.
    charges: HashMap<u64, u32>,
    wakers: Vec<Waker>,
    callbacks: Vec<Callback>,
}

enum Outcome {
    /// Not concluded.
    Work(Box<dyn Work>),
    /// The callbacks are being called.
    Lent,
    Concluded(Box<dyn Any + Send>),
    /// Instead of all results; with the work, which may hold a caller's array.
    Failed(Error, Option<Box<dyn Work>>),
    Taken,
}

impl Job {
    /// Unless it has ended already.
    fn fail(&mut self, error: Error) {
        self.outcome = match std::mem::replace(&mut self.outcome, Outcome::Lent) {
            Outcome::Work(work) => Outcome::Failed(error, Some(work)),
            ended => ended,
        };
    }
}

/// As what it was entered.
pub(crate) fn own<W: Work>(work: Box<dyn Work>) -> W {
    let work: Box<dyn Any> = work;
    *work.downcast().expect("the work that was entered")
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

/// Entering, and what is to be done next.
impl Jobs {
    pub(crate) fn enter(&mut self, order: Order) -> JobId {
        let job = Job {
            kinship: self.relate(&order.function, order.count == 1 && !order.is_open),
            function: order.function,
            policy: order.policy,
            outcome: Outcome::Work(order.work),
            conclude: order.conclude,
            next: 0,
            returned: VecDeque::new(),
            count: 0,
            left: 0,
            is_open: order.is_open,
            is_queued: false,
            is_abandoned: false,
            charges: HashMap::new(),
            wakers: Vec::new(),
            callbacks: Vec::new(),
        };
        let id = self.place(job);
        if order.count > 0 || order.is_open {
            self.unfinished += 1;
            self.timed += usize::from(self.job(id).policy.is_timed());
            self.add(id, order.count);
        }
        id
    }

    /// Enters a job that has failed.
    pub(crate) fn enter_failed(&mut self, order: Order, error: Error) -> JobId {
        let id = self.enter(Order { count: 0, is_open: false, ..order });
        self.job_mut(id).fail(error);
        id
    }

    /// An open job has `count` tasks more.
    pub(crate) fn add(&mut self, id: JobId, count: u64) {
        let job = self.job_mut(id);
        job.count += count;
        job.left += count;
        self.waiting += count;
        if count > 0 {
            self.enqueue(id, VecDeque::push_back);
        }
    }

    /// All open jobs have all their tasks.
    pub(crate) fn close_all(&mut self) {
        for slot in 0..self.slots.len() {
            if self.slots[slot].as_ref().is_some_and(|job| job.is_open) {
                self.close(JobId(slot as u32));
            }
        }
    }

    /// An open job has all its tasks.
    pub(crate) fn close(&mut self, id: JobId) {
        let job = self.job_mut(id);
        if std::mem::take(&mut job.is_open) && job.left == 0 {
            self.finished(id);
        }
    }

    fn enqueue(&mut self, id: JobId, how: fn(&mut VecDeque<JobId>, JobId)) {
        if !std::mem::replace(&mut self.job_mut(id).is_queued, true) {
            how(&mut self.queue, id);
        }
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
        self.unfinished + self.concluding.len()
    }

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

    /// Of a job.
    pub(crate) fn series(&self, id: JobId) -> u64 {
        self.job(id).kinship.series
    }

    pub(crate) fn policy(&self, id: JobId) -> &Policy {
        &self.job(id).policy
    }
}

/// What becomes of tasks.
impl Jobs {
    pub(crate) fn direct(&self, id: TaskId) -> Option<&[u8]> {
        match &self.job(id.job).outcome {
            Outcome::Work(work) => work.direct(id.task),
            _ => None,
        }
    }

    /// More bytes than this cannot be the output of the task.
    pub(crate) fn largest_output(&self, id: TaskId) -> usize {
        match self.job(id.job).function.header.kind {
            job::IN_PLACE => self.direct(id).map_or(0, <[u8]>::len),
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
        let accepted = guard(|| work.accept(id.task, output)).map_err(|error| {
            let why = error.to_string();
            let error = Error::TaskValue { task: id.task as usize, what: "result", why };
            work.fail(id.task, error);
        });
        job.left -= 1;
        if job.left == 0 && !job.is_open {
            self.finished(id.job);
        }
        accepted.is_ok()
    }

    /// A worker has told why a task has no output.
    pub(crate) fn failed(&mut self, id: TaskId, failure: Failure, (pid, name): (i32, &str)) {
        let task = id.task as usize;
        let error = match failure {
            Failure::Panicked { message, backtrace } => {
                Error::TaskPanicked { task, pid, name: name.to_owned(), message, backtrace }
            }
            Failure::Value { what, why } => {
                let what = if what == ValueOf::Argument { "argument" } else { "result" };
                Error::TaskValue { task, what, why }
            }
        };
        self.end_with(id, error);
    }

    /// A task has failed for a reason that lies outside of it.
    pub(crate) fn fail(&mut self, id: TaskId, error: Error) {
        self.failed_unanswered += 1;
        self.end_with(id, error);
    }

    /// A task has an answer that is of no use.
    pub(crate) fn fail_answered(&mut self, id: TaskId, error: Error) {
        self.end_with(id, error);
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

    fn answered(&mut self, id: JobId) {
        let job = self.job_mut(id);
        job.left -= 1;
        if job.left == 0 && !job.is_open {
            self.finished(id);
        }
    }

    fn finished(&mut self, id: JobId) {
        self.unfinished -= 1;
        self.timed -= usize::from(self.job(id).policy.is_timed());
        self.cancelled.retain(|&cancelled| cancelled != id);
        let job = self.job_mut(id);
        if !job.callbacks.is_empty() {
            self.concluding.push(id);
        } else {
            let wakers = std::mem::take(&mut job.wakers);
            let is_abandoned = job.is_abandoned;
            self.woken.extend(wakers);
            if is_abandoned {
                self.remove(id);
            }
        }
    }

    /// Fails every job that is not done.
    pub(crate) fn fail_all(&mut self, mut error: impl FnMut() -> Error) {
        self.queue.clear();
        self.waiting = 0;
        for slot in 0..self.slots.len() {
            let Some(job) = &mut self.slots[slot] else { continue };
            if job.left > 0 || job.is_open {
                (job.left, job.is_open, job.is_queued) = (0, false, false);
                job.fail(error());
                self.finished(JobId(slot as u32));
            }
        }
    }

    /// Fails a job: its tasks that nobody was given never begin, and what
    /// comes of the others is thrown away. Whether it was not finished.
    pub(crate) fn cancel(&mut self, id: JobId) -> bool {
        let job = self.job_mut(id);
        let is_over = job.left == 0 && !job.is_open;
        if is_over || !matches!(job.outcome, Outcome::Work(_)) {
            return false;
        }
        let waiting = job.count - job.next + job.returned.len() as u64;
        job.next = job.count;
        job.returned.clear();
        job.fail(Error::Cancelled);
        job.is_open = false;
        job.left -= waiting;
        let is_over = job.left == 0;
        if std::mem::take(&mut job.is_queued) {
            self.queue.retain(|&queued| queued != id);
        }
        self.waiting -= waiting;
        if is_over {
            self.finished(id);
        } else {
            let wakers = std::mem::take(&mut self.job_mut(id).wakers);
            self.woken.extend(wakers);
            self.cancelled.push(id);
        }
        true
    }

    /// Whether its tasks that are under way are to be stopped.
    pub(crate) fn is_cancelled(&self, id: JobId) -> bool {
        self.cancelled.contains(&id)
    }

    pub(crate) fn has_cancelled(&self) -> bool {
        !self.cancelled.is_empty()
    }

    /// Whether some tasks have deadlines.
    pub(crate) fn has_timed(&self) -> bool {
        self.timed > 0
    }
}

/// What becomes of jobs.
impl Jobs {
    /// Whether all tasks of the job are done, or it has failed, and its
    /// callbacks were called.
    pub(crate) fn is_finished(&self, id: JobId) -> bool {
        let job = self.job(id);
        match job.outcome {
            Outcome::Work(_) => job.left == 0 && !job.is_open && job.callbacks.is_empty(),
            Outcome::Failed(..) => job.callbacks.is_empty(),
            Outcome::Lent => false,
            Outcome::Concluded(_) | Outcome::Taken => true,
        }
    }

    /// Whoever is to be woken, when the table is not locked any more.
    pub(crate) fn take_woken(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.woken)
    }

    /// What has become of a finished job, once.
    pub(crate) fn take_outcome<C: Any + Send>(&mut self, id: JobId) -> Result<C>
    where
        Result<C>: Any,
    {
        let job = self.job_mut(id);
        let concluded = match std::mem::replace(&mut job.outcome, Outcome::Taken) {
            Outcome::Work(work) => (job.conclude)(work),
            Outcome::Concluded(concluded) => concluded,
            Outcome::Failed(error, _) => return Err(error),
            Outcome::Lent | Outcome::Taken => return Err(Error::OutcomeTaken),
        };
        *concluded.downcast::<Result<C>>().expect("a job is concluded as it was entered")
    }

    /// The work of a finished job that was not concluded, and why it has
    /// failed as a whole, if it has.
    pub(crate) fn take_work<W: Work>(&mut self, id: JobId) -> (W, Option<Error>) {
        let (work, error) = match std::mem::replace(&mut self.job_mut(id).outcome, Outcome::Taken) {
            Outcome::Work(work) => (work, None),
            Outcome::Failed(error, Some(work)) => (work, Some(error)),
            _ => unreachable!("nobody else has this job"),
        };
        (own(work), error)
    }

    /// The work of a job, if it is one that is not concluded.
    pub(crate) fn work<W: Work>(&mut self, id: JobId) -> Result<&mut W, &Error> {
        match &mut self.job_mut(id).outcome {
            Outcome::Work(work) => {
                let work: &mut dyn Any = &mut **work;
                Ok(work.downcast_mut().expect("the work that was entered"))
            }
            Outcome::Failed(error, _) => Err(error),
            _ => unreachable!("a stream is never concluded"),
        }
    }

    /// Nobody will ask for the job any more; its tasks are executed all the
    /// same.
    pub(crate) fn abandon(&mut self, id: JobId) {
        let job = self.job(id);
        if job.left == 0 && !job.is_open && self.is_finished(id) {
            self.remove(id);
        } else {
            self.job_mut(id).is_abandoned = true;
        }
    }

    fn remove(&mut self, id: JobId) {
        self.slots[id.0 as usize] = None;
        self.free.push(id.0);
    }

    /// Has `waker` woken when the job is finished.
    pub(crate) fn wake_when_finished(&mut self, id: JobId, waker: &Waker) {
        let wakers = &mut self.job_mut(id).wakers;
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }

    /// Has `callback` called when the job is finished.
    pub(crate) fn call_when_finished(&mut self, id: JobId, callback: Callback) {
        let is_over = {
            let job = self.job(id);
            let are_being_called = matches!(job.outcome, Outcome::Lent);
            job.left == 0 && !job.is_open && job.callbacks.is_empty() && !are_being_called
        };
        self.job_mut(id).callbacks.push(callback);
        if is_over {
            self.concluding.push(id);
        }
    }

    /// Whether there is something for [`take_callbacks`](Self::take_callbacks).
    pub(crate) fn has_callbacks_due(&self) -> bool {
        !self.concluding.is_empty()
    }

    /// Callbacks to be called, with what they are to be shown, without the
    /// table being locked. [`restore`](Self::restore) ends it.
    pub(crate) fn take_callbacks(&mut self) -> Vec<Concluding> {
        std::mem::take(&mut self.concluding).into_iter().map(|id| self.conclude(id)).collect()
    }

    fn conclude(&mut self, id: JobId) -> Concluding {
        let job = self.job_mut(id);
        let callbacks = std::mem::take(&mut job.callbacks);
        let conclude = job.conclude;
        let outcome = std::mem::replace(&mut job.outcome, Outcome::Lent);
        Concluding { id, callbacks, outcome, conclude }
    }

    pub(crate) fn restore(&mut self, concluding: Concluding) {
        let id = concluding.id;
        let job = self.job_mut(id);
        job.outcome = concluding.outcome;
        let wakers = std::mem::take(&mut job.wakers);
        let (has_more, is_abandoned) = (!job.callbacks.is_empty(), job.is_abandoned);
        self.woken.extend(wakers);
        if has_more {
            // Added while the others were called.
            self.concluding.push(id);
        } else if is_abandoned {
            self.remove(id);
        }
    }
}

/// A finished job whose callbacks are due.
pub(crate) struct Concluding {
    id: JobId,
    callbacks: Vec<Callback>,
    outcome: Outcome,
    conclude: fn(Box<dyn Work>) -> Box<dyn Any + Send>,
}

impl Concluding {
    /// Calls the callbacks. One that panics has said so; it does no harm.
    pub(crate) fn call(&mut self) {
        self.outcome = match std::mem::replace(&mut self.outcome, Outcome::Lent) {
            Outcome::Work(work) => Outcome::Concluded((self.conclude)(work)),
            outcome => outcome,
        };
        for callback in self.callbacks.drain(..) {
            let call = || match &self.outcome {
                Outcome::Concluded(concluded) => callback(&**concluded),
                Outcome::Failed(error, _) => callback(&error.again()),
                Outcome::Work(_) | Outcome::Lent | Outcome::Taken => {}
            };
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
        }
    }
}

/// Runs what may be a user's code, `Serialize` or `Deserialize`: its panic is
/// an error of the value.
pub(super) fn guard<R>(coding: impl FnOnce() -> Result<R>) -> Result<R> {
    // Unwind safe: the value counts as neither encoded nor decoded.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(coding)).unwrap_or_else(|_| {
        Err(Error::Encode { type_name: "value", why: "its serde implementation panicked".into() })
    })
}
