//! What is called when a job is finished.

use std::any::Any;

use super::{JobId, Jobs, Outcome};
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
            let call = || match &self.outcome {
                Outcome::Concluded(concluded) => callback(&**concluded),
                Outcome::Failed(error, _) => callback(&error.again()),
                Outcome::Work(_) | Outcome::Lent | Outcome::Taken => {}
            };
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
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
