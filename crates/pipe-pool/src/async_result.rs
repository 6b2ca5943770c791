//! A result that is on its way.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use multiproc::{Error, Result};

use crate::{jobs::JobId, pool::Shared};

/// What became of [`Pool::apply_async`](crate::Pool::apply_async) or
/// [`map_async`](crate::Pool::map_async), as soon as it has.
///
/// It may outlive the pool. Dropping it abandons the result and nothing else:
/// its tasks are executed all the same.
#[must_use = "the result is lost if nobody gets it"]
pub struct AsyncResult<R> {
    pool: Arc<Shared>,
    job: JobId,
    collect: Collect<R>,
}

/// Makes the result of the number of tasks and the bytes of their outputs.
pub(crate) type Collect<R> = fn(tasks: usize, outputs: &[u8]) -> R;

impl<R> AsyncResult<R> {
    pub(crate) fn new(pool: Arc<Shared>, job: JobId, collect: Collect<R>) -> Self {
        Self { pool, job, collect }
    }

    /// Waits for the result.
    ///
    /// # Errors
    ///
    /// - [`Error::TaskPanicked`] for the first panic, when all other tasks of
    ///   the same call are done.
    /// - [`Error::WorkerDied`] if a worker of the pool died, which ends the
    ///   pool; the error names the task if it was one of these.
    /// - [`Error::PoolDropped`] if the pool was dropped before this was done.
    /// - [`Error::Broken`] if the pool had no workers any more when this was
    ///   asked for.
    pub fn get(self) -> Result<R> {
        self.outcome_at(None)
    }

    /// Waits for the result, at most for `timeout`. Asked again, it is there
    /// again.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] if it is not ready by then; it can still be had
    /// later. Otherwise as [`get`](Self::get).
    pub fn get_timeout(&mut self, timeout: Duration) -> Result<R> {
        self.outcome_at(Some(timeout))
    }

    /// Waits until the result is ready, be it an error, at most for `timeout`;
    /// whether it is.
    pub fn wait(&self, timeout: Option<Duration>) -> bool {
        // A time beyond the clock's end never comes.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        self.pool.lock().wait(self.job, deadline)
    }

    /// Whether the result, be it an error, can be had without waiting.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.wait(Some(Duration::ZERO))
    }

    fn outcome_at(&self, timeout: Option<Duration>) -> Result<R> {
        if !self.wait(timeout) {
            return Err(Error::TimedOut);
        }
        self.pool.lock().outcome(self.job).map(|(tasks, outputs)| (self.collect)(tasks, outputs))
    }
}

impl<R> Drop for AsyncResult<R> {
    fn drop(&mut self) {
        self.pool.lock().abandon(self.job);
    }
}

impl<R> fmt::Debug for AsyncResult<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncResult").field("job", &self.job).finish_non_exhaustive()
    }
}
