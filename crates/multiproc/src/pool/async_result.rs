//! A result that is on its way.

use std::{
    any::Any,
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::{
    jobs::{Ended, JobId},
    shared::Shared,
    transport::Transport,
};
use crate::{Error, Result};

/// What became of [`Pool::apply_async`](super::Pool::apply_async) or
/// [`map_async`](super::Pool::map_async), as soon as it has.
///
/// It is a [`Future`], which any executor can await; whoever has polled it last
/// is woken. It may outlive the pool.
/// Dropping it abandons the result and nothing else: its tasks are executed
/// all the same; [`cancel`](Self::cancel) stops them.
#[must_use = "the result is lost if nobody gets it"]
pub struct AsyncResult<R> {
    pool: Arc<dyn Awaited>,
    job: JobId,
    result: PhantomData<fn() -> R>,
}

/// What a result needs of its pool, whatever its transport.
pub(super) trait Awaited: Send + Sync {
    fn wait_for(&self, job: JobId, deadline: Option<Instant>) -> bool;
    fn is_finished(&self, job: JobId) -> bool;
    fn cancel(&self, job: JobId) -> bool;
    fn abandon(&self, job: JobId);
    fn with_jobs(&self, act: &mut dyn FnMut(&mut super::jobs::Jobs));
}

impl<T: Transport> Awaited for Shared<T> {
    fn wait_for(&self, job: JobId, deadline: Option<Instant>) -> bool {
        self.wait(deadline, |core| core.jobs.is_finished(job))
    }

    fn is_finished(&self, job: JobId) -> bool {
        self.look(|core| core.jobs.is_finished(job))
    }

    fn cancel(&self, job: JobId) -> bool {
        self.with(|core| {
            let was_running = core.jobs.cancel(job);
            let _ = core.keep_times();
            was_running
        })
    }

    fn abandon(&self, job: JobId) {
        self.abandon(job);
    }

    fn with_jobs(&self, act: &mut dyn FnMut(&mut super::jobs::Jobs)) {
        self.with(|core| act(&mut core.jobs));
    }
}

impl<R: Send + 'static> AsyncResult<R> {
    pub(super) fn new(pool: Arc<dyn Awaited>, job: JobId) -> Self {
        Self { pool, job, result: PhantomData }
    }

    /// Waits for the result.
    ///
    /// # Errors
    ///
    /// The error of the first task that has failed, by its index, when all
    /// other tasks of the same call are done: [`Error::TaskPanicked`],
    /// [`Error::TaskValue`], [`Error::WorkerDied`],
    /// [`Error::DeadlineExceeded`]. Or what became of all of them:
    /// [`Error::Cancelled`], [`Error::PoolDropped`], [`Error::PoolClosed`] if
    /// the pool was closed when this was asked for,
    /// [`Error::WorkersKeepDying`].
    pub fn get(self) -> Result<R> {
        self.wait(None);
        self.take()
    }

    /// Waits for the result, at most for `timeout`.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] if it is not ready by then; it can still be had
    /// later. [`Error::OutcomeTaken`] if it was had before. Otherwise as
    /// [`get`](Self::get).
    pub fn get_timeout(&mut self, timeout: Duration) -> Result<R> {
        if self.wait(Some(timeout)) { self.take() } else { Err(Error::TimedOut) }
    }

    /// Has `callback` called with the result once it is there, on the thread
    /// that waits for the pool just then: it should be short. If it panics,
    /// that is printed and ignored.
    pub fn on_result(self, callback: impl FnOnce(&R) + Send + 'static) -> Self {
        self.on_outcome(|outcome| {
            if let Ok(result) = outcome {
                callback(result);
            }
        })
    }

    /// The same for an error.
    pub fn on_error(self, callback: impl FnOnce(&Error) + Send + 'static) -> Self {
        self.on_outcome(|outcome| {
            if let Err(error) = outcome {
                callback(error);
            }
        })
    }

    fn on_outcome(self, callback: impl FnOnce(Result<&R, &Error>) + Send + 'static) -> Self {
        let mut callback = Some(move |shown: &(dyn Any + Send)| {
            if let Some(outcome) = shown.downcast_ref::<Result<R>>() {
                callback(outcome.as_ref());
            } else if let Some(error) = shown.downcast_ref::<Error>() {
                callback(Err(error));
            }
        });
        let job = self.job;
        self.pool.with_jobs(&mut |jobs| {
            if let Some(callback) = callback.take() {
                jobs.call_when_finished(job, Box::new(callback));
            }
        });
        self
    }

    fn take(&self) -> Result<R> {
        let mut ended = None;
        self.pool.with_jobs(&mut |jobs| ended = Some(jobs.take_outcome(self.job)));
        ended.map_or(Err(Error::OutcomeTaken), Ended::conclude)
    }
}

impl<R> AsyncResult<R> {
    /// Waits until the result is ready, be it an error, at most for `timeout`;
    /// whether it is.
    pub fn wait(&self, timeout: Option<Duration>) -> bool {
        // A time beyond the clock's end never comes.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        self.pool.wait_for(self.job, deadline)
    }

    /// Whether the result, be it an error, can be had without waiting.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.pool.is_finished(self.job)
    }

    /// Stops what this is the result of: tasks that no worker was given never
    /// begin, and a worker that executes one of them is killed and replaced.
    /// False if the result was ready before; it is unharmed then.
    pub fn cancel(&self) -> bool {
        self.pool.cancel(self.job)
    }
}

impl<R: Send + 'static> Future for AsyncResult<R> {
    type Output = Result<R>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<R>> {
        let mut ended = None;
        // Wakers are copied and dropped outside of the pool's lock.
        let mut waker = Some(context.waker().clone());
        self.pool.with_jobs(&mut |jobs| {
            if jobs.is_finished(self.job) {
                ended = Some(jobs.take_outcome(self.job));
            } else if let Some(latest) = waker.take() {
                waker = jobs.wake_when_finished(self.job, latest);
            }
        });
        ended.map_or(Poll::Pending, |ended| Poll::Ready(ended.conclude()))
    }
}

impl<R> Drop for AsyncResult<R> {
    fn drop(&mut self) {
        self.pool.abandon(self.job);
    }
}

impl<R> fmt::Debug for AsyncResult<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncResult").field("is_ready", &self.is_ready()).finish_non_exhaustive()
    }
}
