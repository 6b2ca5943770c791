//! What becomes of jobs.

use std::{any::Any, task::Waker};

use super::{Discarded, JobId, Jobs, Outcome, own};
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

    /// What has become of a finished job, once.
    pub(crate) fn take_outcome(&mut self, id: JobId) -> Ended {
        let job = self.job_mut(id);
        let outcome = std::mem::replace(&mut job.outcome, Outcome::Taken);
        Ended { outcome, conclude: job.conclude }
    }

    /// The work of a finished job that was not concluded, and why it has
    /// failed as a whole, if it has.
    pub(crate) fn take_work<W: Work>(&mut self, id: JobId) -> (Box<W>, Option<Error>) {
        let (work, error) = match std::mem::replace(&mut self.job_mut(id).outcome, Outcome::Taken) {
            Outcome::Work(work) => (work, None),
            Outcome::Failed(error, Some(work)) => (work, Some(error)),
            _ => unreachable!("nobody else has this job"),
        };
        (own(work), error)
    }

    /// The work of a job that is not concluded, and why it has failed as a
    /// whole, if it has.
    pub(crate) fn work<W: Work>(&mut self, id: JobId) -> (&mut W, Option<&Error>) {
        let (work, error) = match &mut self.job_mut(id).outcome {
            Outcome::Work(work) => (work, None),
            Outcome::Failed(error, Some(work)) => (work, Some(&*error)),
            _ => unreachable!("a stream is never concluded"),
        };
        let work: &mut dyn Any = &mut **work;
        (work.downcast_mut().expect("the work that was entered"), error)
    }

    /// Nobody will ask for the job any more; its tasks are executed all the
    /// same.
    #[must_use = "it is to be dropped when the table is not locked any more"]
    pub(crate) fn abandon(&mut self, id: JobId) -> Option<Discarded> {
        let job = self.job(id);
        if job.left == 0 && !job.is_open && self.is_finished(id) {
            return Some(self.remove(id));
        }
        self.job_mut(id).is_abandoned = true;
        None
    }

    /// Has `waker` woken when the job is finished, instead of the one that is
    /// given back.
    pub(crate) fn wake_when_finished(&mut self, id: JobId, waker: Waker) -> Option<Waker> {
        self.job_mut(id).waker.replace(waker)
    }
}

/// What has become of a job, to be concluded when the table is not locked any
/// more: that drops values of users' types.
pub(crate) struct Ended {
    outcome: Outcome,
    conclude: fn(Box<dyn Work>) -> Box<dyn Any + Send>,
}

impl Ended {
    pub(crate) fn conclude<C: Any + Send>(self) -> Result<C>
    where
        Result<C>: Any,
    {
        let concluded = match self.outcome {
            Outcome::Work(work) => (self.conclude)(work),
            Outcome::Concluded(concluded) => concluded,
            Outcome::Failed(error, _) => return Err(error),
            Outcome::Lent | Outcome::Taken => return Err(Error::OutcomeTaken),
        };
        *concluded.downcast::<Result<C>>().expect("a job is concluded as it was entered")
    }
}
