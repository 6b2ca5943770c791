//! Process pools: the whole of Python's `Pool`, and one kill costs at most one
//! task.
//!
//! Everything but the way that bytes take to a worker and back is here, and is
//! the same for all kinds of pools; see [`Transport`]. What happens if
//! somebody dies is in the README of this folder.

mod aligned;
mod async_result;
mod builder;
mod bulk;
mod call;
mod config;
mod core;
mod errand;
mod express;
mod frame;
mod function;
mod inbox;
mod jobs;
mod lane;
mod large;
mod member;
mod outbox;
mod outputs;
mod pace;
mod patience;
mod plain;
mod rehearsal;
mod run;
mod shared;
mod star;
mod statistics;
mod status;
mod stream;
mod transport;
mod value;
mod work;
mod worker;

use std::{fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

#[doc(hidden)]
pub use self::rehearsal::Rehearsal;
use self::shared::Shared;
pub use self::{
    async_result::AsyncResult,
    builder::Builder,
    bulk::Bulk,
    call::{Call, Chunks},
    config::{Pinning, Waiting},
    express::Hot,
    patience::Patience,
    star::Star,
    statistics::{Statistics, WorkerStatistics},
    stream::Stream,
    transport::{Port, Stream as TransportStream, Transport},
    worker::is_asked_to_stop,
};
pub(crate) use self::{
    errand::Errands,
    express::Posted,
    status::IS_SUPERVISED,
    work::{Failures, Loss, Work},
    worker::own_status,
};
use crate::{Error, Result};

/// Worker processes that execute functions.
///
/// Threads may share a pool, and none waits for another's call. Tasks begin in
/// the order in which they were asked for. Of long ones each worker has one
/// and gets the next as it finishes; short ones are given to it in batches of
/// some 0.2 to 1 ms.
///
/// A worker that dies is replaced. The task that it executed has failed with
/// [`Error::WorkerDied`], or is begun again if it may be
/// ([`Builder::retries`]); nobody else loses anything. A task that panics has
/// failed with [`Error::TaskPanicked`] and harms nobody.
///
/// Blocking calls need no thread besides their own. The first asynchronous
/// one (`…_async`, `imap`) starts a thread in this process, which ends with the
/// pool. While it lives this process cannot be forked; the pool's own workers
/// are forked from a copy that was made when it was built.
///
/// A user's `Serialize` and `Deserialize` run on the thread that calls or waits,
/// while the pool is locked. They should be quick: until they return nobody else
/// gets on, and a time-out or deadline may come later by as long. They must not
/// wait for a thread that asks the pool, and not ask it themselves, which is an
/// [`Error::TaskValue`] of their task. Callbacks, wakers, iterators and `Drop`s may
/// do all that.
///
/// [`shutdown`](Self::shutdown) finishes what was asked for and ends the
/// workers in order, as `close` and `join` do in Python. Dropping the pool
/// kills them, as [`terminate`](Self::terminate) does; results that were not
/// ready are [`Error::PoolDropped`] then. All of these wait for a callback that is
/// being called on the pool's thread: it must not need a lock that the caller
/// holds.
pub struct Pool<T: Transport> {
    shared: Arc<Shared<T>>,
}

impl<T: Transport> Pool<T> {
    /// A pool with one worker a processor, to be changed and built.
    pub fn builder() -> Builder<T> {
        Builder::default()
    }

    /// Calls that are to be treated otherwise than the pool was built to.
    pub fn call(&self) -> Call<'_, T> {
        let policy = self.shared.look(|core| core.config.policy.clone());
        Call::new(self, policy)
    }
}

/// Tasks. To have some of them treated otherwise than the pool was built to,
/// see [`call`](Self::call).
impl<T: Transport> Pool<T> {
    /// The result of `f` for `argument`.
    ///
    /// # Errors
    ///
    /// See [`AsyncResult::get`].
    pub fn apply<A, R, F>(&self, f: F, argument: A) -> Result<R>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        self.call().apply(f, argument)
    }

    /// Begins to compute the result of `f` for `argument`. Any number of
    /// results may be outstanding.
    pub fn apply_async<A, R, F>(&self, f: F, argument: A) -> AsyncResult<R>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        self.call().apply_async(f, argument)
    }

    /// The results of `f` for each of `arguments`, in their order, one task an
    /// argument. If a task fails all others are done nevertheless; to get
    /// their results too, see [`map_outcomes`](Self::map_outcomes).
    ///
    /// # Errors
    ///
    /// See [`AsyncResult::get`].
    pub fn map<A, R, F>(&self, f: F, arguments: impl IntoIterator<Item = A>) -> Result<Vec<R>>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        self.call().map(f, arguments)
    }

    /// Begins to compute the results of `f` for each of `arguments`.
    pub fn map_async<A, R, F>(
        &self,
        f: F,
        arguments: impl IntoIterator<Item = A>,
    ) -> AsyncResult<Vec<R>>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        self.call().map_async(f, arguments)
    }

    /// What became of `f` for each of `arguments`, in their order: a result or
    /// that task's error. If the pool ends meanwhile, what is done is done, and
    /// the error of the others is the pool's.
    ///
    /// # Errors
    ///
    /// If the pool cannot execute anything any more.
    pub fn map_outcomes<A, R, F>(
        &self,
        f: F,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Vec<Result<R>>>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        self.call().map_outcomes(f, arguments)
    }

    /// As [`map`](Self::map), of a function of several arguments that come as
    /// tuples.
    ///
    /// # Errors
    ///
    /// See [`AsyncResult::get`].
    pub fn starmap<A, R, F>(&self, f: F, arguments: impl IntoIterator<Item = A>) -> Result<Vec<R>>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Star<A, R>,
    {
        self.call().starmap(f, arguments)
    }

    /// As [`map_async`](Self::map_async), of a function of several arguments
    /// that come as tuples.
    pub fn starmap_async<A, R, F>(
        &self,
        f: F,
        arguments: impl IntoIterator<Item = A>,
    ) -> AsyncResult<Vec<R>>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Star<A, R>,
    {
        self.call().starmap_async(f, arguments)
    }

    /// The results of `f` for each of `arguments`, one after the other in their
    /// order, each as soon as it is there. Arguments are taken as they are
    /// needed: there may be any number of them.
    pub fn imap<A, R, F, I>(&self, f: F, arguments: I) -> Stream<T, A, R, I::IntoIter>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
        I: IntoIterator<Item = A>,
    {
        self.call().imap(f, arguments)
    }

    /// The same in the order in which the tasks end.
    pub fn imap_unordered<A, R, F, I>(&self, f: F, arguments: I) -> Stream<T, A, R, I::IntoIter>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
        I: IntoIterator<Item = A>,
    {
        self.call().imap_unordered(f, arguments)
    }
}

/// The pool itself.
impl<T: Transport> Pool<T> {
    /// Worker processes, those included that are being replaced; 0 once the
    /// pool has ended.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.shared.look(|core| if core.has_ended() { 0 } else { core.config.workers.get() })
    }

    /// Process ids of the workers, by seat; of a seat whose worker
    /// [retires](Builder::max_tasks_per_worker), two as long as that has not ended.
    pub fn pids(&self) -> impl ExactSizeIterator<Item = i32> + use<T> {
        self.shared.look(|core| core.pids()).into_iter()
    }

    /// How the pool gets on.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.shared.look(|core| core.statistics())
    }

    /// Accepts no more tasks; what was asked for before is done.
    pub fn close(&self) {
        self.shared.with(core::Core::close);
    }

    /// Waits until everything that was asked for is done, abandoned or not, and
    /// the workers have ended.
    ///
    /// # Errors
    ///
    /// [`Error::PoolOpen`] if the pool was not [closed](Self::close);
    /// [`Error::WorkerDied`] if a worker without a task did not end with exit
    /// code 0, as after a panic of the [exit hook](Builder::exit_hook), or not
    /// [in time](Builder::exit_timeout), after which it was killed;
    /// [`Error::WorkersKeepDying`] if that has ended the pool.
    pub fn join(&self) -> Result<()> {
        if !self.shared.look(|core| core.is_closed()) {
            return Err(Error::PoolOpen);
        }
        self.shared.wait(None, |core| core.jobs.unfinished() == 0 && !core.has_errands());
        self.shared.with(core::Core::dismiss);
        // Who takes too long is killed.
        self.shared.wait(None, |core| core.has_ended());
        let failure = self.shared.look(core::Core::take_failure);
        self.shared.kill(Error::PoolClosed);
        failure.map_or(Ok(()), Err)
    }

    /// Kills the workers; results that are not ready are
    /// [`Error::PoolDropped`]. Nothing happens if the pool has ended.
    pub fn terminate(&self) {
        self.shared.kill(Error::PoolDropped);
    }

    /// Finishes what was asked for, abandoned or not, ends the workers and
    /// waits until they have ended: [`close`](Self::close) and
    /// [`join`](Self::join). Results can be had from their [`AsyncResult`]s
    /// afterwards too, where their errors are told as well.
    ///
    /// # Errors
    ///
    /// As for [`join`](Self::join).
    pub fn shutdown(self) -> Result<()> {
        self.close();
        self.join()
    }
}

impl<T: Transport> Drop for Pool<T> {
    fn drop(&mut self) {
        // Its results may live on, the workers may not.
        self.terminate();
    }
}

impl<T: Transport> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(T::NAME).field("pids", &self.pids().collect::<Vec<_>>()).finish()
    }
}
