//! What is called when a job is finished.

use std::any::Any;

use super::{JobId, Jobs, Outcome, harmless};
use crate::pool::work::Work;

/// What a finished job's callback is shown: what
/// [`Order::conclude`](super::Order::conclude) has made.
pub(crate) type Callback = Box<dyn FnOnce(&(dyn Any + Send)) + Send>;

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
            harmless(|| match &self.outcome {
                Outcome::Concluded(concluded) => callback(&**concluded),
                Outcome::Failed(error, _) => callback(&error.again()),
                Outcome::Work(_) | Outcome::Lent | Outcome::Taken => {}
            });
        }
    }
}

impl Jobs {
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
        let waker = job.waker.take();
        let (has_more, is_abandoned) = (!job.callbacks.is_empty(), job.is_abandoned);
        self.woken.extend(waker);
        if has_more {
            // Added while the others were called.
            self.concluding.push(id);
        } else if is_abandoned {
            let job = self.remove(id);
            self.discarded.push(job);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::{
        Result,
        pool::{
            frame::{JobHeader, job},
            jobs::{Function, Order, Policy, own},
            lane::TaskId,
            work::Calls,
        },
    };

    /// A job whose result, 7, is there.
    fn finished() -> (Jobs, JobId) {
        let header = JobHeader { token: [0, 0], kind: job::CALL, is_timed: 0 };
        let mut jobs = Jobs::default();
        let id = jobs.enter(Order {
            function: Function { header, context: Vec::new() },
            policy: Policy::default(),
            work: Box::new(Calls::<u64, u64>::new(vec![1])),
            count: 1,
            is_open: false,
            conclude: |work| Box::new(own::<Calls<u64, u64>>(work).into_results()),
        });
        jobs.give(1);
        assert!(jobs.done(TaskId { job: id, task: 0 }, &7u64.to_ne_bytes()));
        (jobs, id)
    }

    /// What a callback of the job is shown.
    fn shown(jobs: &mut Jobs, id: JobId) -> Receiver<Vec<u64>> {
        let (show, shown) = channel();
        let callback = move |results: &(dyn Any + Send)| {
            let results: &Result<Vec<u64>> = results.downcast_ref().unwrap();
            show.send(results.as_ref().unwrap().clone()).unwrap();
        };
        jobs.call_when_finished(id, Box::new(callback));
        shown
    }

    fn call_all(jobs: &mut Jobs) {
        for mut concluding in jobs.take_callbacks() {
            concluding.call();
            jobs.restore(concluding);
        }
    }

    #[test]
    fn a_callback_that_comes_when_others_were_called_is_called_before_the_result_can_be_had() {
        let (mut jobs, id) = finished();
        let first = shown(&mut jobs, id);
        assert!(!jobs.is_finished(id));
        call_all(&mut jobs);
        assert_eq!(first.try_recv(), Ok(vec![7]));
        assert!(jobs.is_finished(id));
        let second = shown(&mut jobs, id);
        assert!(!jobs.is_finished(id));
        call_all(&mut jobs);
        assert_eq!(second.try_recv(), Ok(vec![7]));
        assert!(jobs.is_finished(id));
        assert_eq!(jobs.take_outcome(id).conclude::<Vec<u64>>().unwrap(), [7]);
    }

    #[test]
    fn a_job_that_is_abandoned_keeps_its_place_until_its_callbacks_were_called() {
        let (mut jobs, id) = finished();
        let _first = shown(&mut jobs, id);
        call_all(&mut jobs);
        let second = shown(&mut jobs, id);
        assert!(jobs.abandon(id).is_none());
        call_all(&mut jobs);
        assert_eq!(second.try_recv(), Ok(vec![7]));
    }
}
