//! The table of jobs: what the pool was asked for and is not done yet, or is
//! done and nobody has collected.

mod aftermath;
mod callbacks;
mod cancelling;
mod guard;
mod order;
mod queue;
mod results;
mod tasks;

use std::{
    any::Any,
    collections::{HashMap, VecDeque},
    task::Waker,
};

pub(super) use self::{
    aftermath::{Discarded, DropEach, harmless},
    callbacks::{Callback, Concluding},
    guard::{enter_lock, guard},
    order::{Function, Order, Policy, own},
    queue::{Kinship, Next},
    results::Ended,
};
use super::work::Work;
use crate::Error;

/// A job's place in the table. It is not given to another job before the
/// first is done and collected or abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct JobId(pub(in crate::pool) u32);

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
    /// To be dropped then, for the same reason.
    discarded: Vec<Discarded>,
    /// Jobs that are cancelled and have tasks under way.
    cancelled: Vec<JobId>,
    /// Totals for the statistics.
    pub(crate) retried: u64,
    /// Tasks that failed without an answer of their worker.
    pub(crate) failed_unanswered: u64,
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
    /// Of whoever has polled it last.
    waker: Option<Waker>,
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

/// Entering and leaving the table.
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
            waker: None,
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

    /// Jobs that are not done.
    pub(crate) fn unfinished(&self) -> usize {
        self.unfinished + self.concluding.len()
    }

    pub(crate) fn policy(&self, id: JobId) -> &Policy {
        &self.job(id).policy
    }

    /// Whether some tasks have deadlines.
    pub(crate) fn has_timed(&self) -> bool {
        self.timed > 0
    }

    fn finished(&mut self, id: JobId) {
        self.unfinished -= 1;
        self.timed -= usize::from(self.job(id).policy.is_timed());
        self.cancelled.retain(|&cancelled| cancelled != id);
        let job = self.job_mut(id);
        if !job.callbacks.is_empty() {
            self.concluding.push(id);
        } else {
            let (waker, is_abandoned) = (job.waker.take(), job.is_abandoned);
            self.woken.extend(waker);
            if is_abandoned {
                let job = self.remove(id);
                self.discarded.push(job);
            }
        }
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

    fn remove(&mut self, id: JobId) -> Discarded {
        self.free.push(id.0);
        let job = self.slots[id.0 as usize].take();
        job.expect("an id is used as long as its job exists").into()
    }
}
