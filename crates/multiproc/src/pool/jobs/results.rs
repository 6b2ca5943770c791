//! What becomes of jobs.

use std::{any::Any, task::Waker};

use super::{JobId, Jobs, Outcome, own};
use crate::{Error, Result, pool::work::Work};

impl Jobs {
    /// Whether all tasks of the job are done, or it has failed, and its
    /// callbacks were called.
    pub(crate) fn is_finished(&self, id: JobId) -> bool {
        let job = self.job(id);
        // Also of those that came when others had been called already.
        let were_called = job.callbacks.is_empty();
        were_called
            && match job.outcome {
                Outcome::Work(_) => job.left == 0 && !job.is_open,
                Outcome::Lent => false,
                Outcome::Failed(..) | Outcome::Concluded(_) | Outcome::Taken => true,
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

    /// Has `waker` woken when the job is finished.
    pub(crate) fn wake_when_finished(&mut self, id: JobId, waker: &Waker) {
        let wakers = &mut self.job_mut(id).wakers;
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }
}
