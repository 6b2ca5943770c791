//! The pool.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytemuck::Pod;
use multiproc::{Builder, Error, PoolConfig, Result, SHUTDOWN_PATIENCE, Startable, TaskFn};

use crate::{
    async_result::{AsyncResult, Collect},
    dispatch::Dispatcher,
    frame::JobHeader,
    jobs::Function,
    tasks::{InPlace, Map, Tasks},
};

/// Worker processes that are sent arguments and send results.
///
/// [`map`](Self::map), [`apply`](Self::apply) and
/// [`for_each_chunk`](Self::for_each_chunk) wait for their results. What
/// [`apply_async`](Self::apply_async) and [`map_async`](Self::map_async) begin
/// goes on while the program does something else, as far as workers have been
/// given tasks; every call into the pool or one of its results gives them more.
/// Tasks begin in the order in which they were asked for. Of long ones each
/// worker has one and gets the next as it finishes; short ones are given to it
/// in batches of some 0.2 ms.
///
/// Threads may share a pool. While one of them waits for a result, the others'
/// calls wait for it.
///
/// [`shutdown`](Self::shutdown) finishes what was asked for and ends the
/// workers in order, as `close` and `join` do in Python. Dropping the pool
/// kills them, as `terminate` does; results that were not ready are
/// [`Error::PoolDropped`] then. The death of a worker ends the pool: results
/// that were not ready are [`Error::WorkerDied`], later calls are
/// [`Error::Broken`].
pub struct Pool {
    shared: Arc<Shared>,
}

/// What a pool and its results have in common.
pub(crate) struct Shared(Mutex<Dispatcher>);

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Dispatcher> {
        // Nobody else's code runs under this lock. Should ours panic in it,
        // the workers must still be ended when the pool is dropped.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Startable for Pool {
    const NAME: &'static str = "pipe-pool";

    fn start(config: &PoolConfig) -> Result<Self> {
        Ok(Self { shared: Arc::new(Shared(Mutex::new(Dispatcher::start(config)?))) })
    }
}

impl Pool {
    /// A pool with one worker a processor, to be changed and built.
    pub fn builder() -> Builder<Self> {
        Builder::default()
    }

    /// Worker processes; 0 once an error has ended them.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.pids().len()
    }

    /// Process ids of the workers.
    pub fn pids(&self) -> impl ExactSizeIterator<Item = i32> + use<> {
        self.shared.lock().pids().collect::<Vec<_>>().into_iter()
    }

    /// The result of `f` for `argument`.
    ///
    /// # Errors
    ///
    /// See [`AsyncResult::get`].
    pub fn apply<A, R, F>(&self, f: F, argument: A) -> Result<R>
    where
        A: Pod + Send,
        R: Pod + Send,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        self.apply_async(f, argument).get()
    }

    /// Begins to compute the result of `f` for `argument`. Any number of
    /// results may be outstanding.
    ///
    /// ```
    /// # fn main() -> pipe_pool::Result<()> {
    /// # pipe_pool::init();
    /// # let pool = pipe_pool::Pool::builder().workers(2).build()?;
    /// let results: Vec<_> = (1..=6).map(|x| pool.apply_async(|x: u64| x * x, x)).collect();
    /// let mut sum = 0;
    /// for result in results {
    ///     sum += result.get()?;
    /// }
    /// assert_eq!(sum, 91);
    /// # pool.shutdown()
    /// # }
    /// ```
    pub fn apply_async<A, R, F>(&self, f: F, argument: A) -> AsyncResult<R>
    where
        A: Pod + Send,
        R: Pod + Send,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        self.begin(f, vec![argument], |_, output| bytemuck::pod_read_unaligned(output))
    }

    /// Begins to compute the results of `f` for each of `arguments`, in their
    /// order, one task an argument.
    pub fn map_async<A, R, F>(
        &self,
        f: F,
        arguments: impl IntoIterator<Item = A>,
    ) -> AsyncResult<Vec<R>>
    where
        A: Pod + Send,
        R: Pod + Send,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        self.begin(f, arguments.into_iter().collect(), |tasks, outputs| {
            let mut results = vec![R::zeroed(); tasks];
            bytemuck::cast_slice_mut(&mut results).copy_from_slice(outputs);
            results
        })
    }

    fn begin<A, R, F, C>(&self, f: F, arguments: Vec<A>, collect: Collect<C>) -> AsyncResult<C>
    where
        A: Pod + Send,
        R: Pod + Send,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        let tasks = Map::<A, R>::new(arguments);
        let function = function(TaskFn::map(f), &tasks, &[]);
        let job = self.shared.lock().submit(function, Box::new(tasks));
        AsyncResult::new(Arc::clone(&self.shared), job, collect)
    }

    /// Calls `f` with `context` and each chunk of `chunk_len` elements of
    /// `array`, one task a chunk; the bytes travel to a worker and back to
    /// their place. A shorter rest at the end of the array is a task too.
    ///
    /// # Errors
    ///
    /// - [`Error::TaskPanicked`](crate::Error::TaskPanicked) for the first
    ///   panic; its chunk is as it was and all others are done.
    /// - [`Error::WorkerDied`](crate::Error::WorkerDied): the array is in
    ///   between, and the pool is [`Error::Broken`](crate::Error::Broken) from
    ///   then on.
    ///
    /// # Panics
    ///
    /// If `chunk_len` is 0.
    pub fn for_each_chunk<C, T, F>(
        &self,
        array: &mut [T],
        chunk_len: usize,
        context: C,
        f: F,
    ) -> Result<()>
    where
        C: Pod,
        T: Pod,
        F: Fn(C, &mut [T]) + Copy + Send + 'static,
    {
        assert!(chunk_len > 0, "a chunk has at least one element");
        let tasks = array.len().div_ceil(chunk_len);
        self.for_each_task(array, tasks, chunk_len, context, f)
    }

    /// The same with the number of tasks given, so that chunks may be empty:
    /// task i gets `chunk_len` elements from i · `chunk_len` on.
    pub(crate) fn for_each_task<C, T, F>(
        &self,
        array: &mut [T],
        tasks: usize,
        chunk_len: usize,
        context: C,
        f: F,
    ) -> Result<()>
    where
        C: Pod,
        T: Pod,
        F: Fn(C, &mut [T]) + Copy + Send + 'static,
    {
        let stride = chunk_len * size_of::<T>();
        let mut tasks = InPlace { bytes: bytemuck::cast_slice_mut(array), count: tasks, stride };
        let function = function(TaskFn::chunk(f), &tasks, bytemuck::bytes_of(&context));
        self.shared.lock().execute(function, &mut tasks)
    }

    /// The results of `f` for each of `arguments`, in their order, one task an
    /// argument.
    ///
    /// # Errors
    ///
    /// If a task panics or a worker dies; see
    /// [`for_each_chunk`](Self::for_each_chunk).
    pub fn map<A, R, F>(&self, f: F, arguments: impl IntoIterator<Item = A>) -> Result<Vec<R>>
    where
        A: Pod,
        R: Pod,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        let mut tasks = Map::new(arguments.into_iter().collect());
        let function = function(TaskFn::map(f), &tasks, &[]);
        self.shared.lock().execute(function, &mut tasks)?;
        Ok(tasks.into_results())
    }

    /// Finishes what was asked for, abandoned or not, ends the workers and
    /// waits until they have ended. Results can be had from their
    /// [`AsyncResult`] afterwards too, where their errors are told as well.
    ///
    /// # Errors
    ///
    /// If a worker died before or dies now, or did not end by itself, with exit
    /// code 0; it has ended all the same.
    pub fn shutdown(self) -> Result<()> {
        self.shared.lock().shutdown(SHUTDOWN_PATIENCE)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Its results may live on, the workers may not.
        self.shared.lock().kill(&Error::PoolDropped);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("pids", &self.pids().collect::<Vec<_>>()).finish()
    }
}

fn function(task: TaskFn, tasks: &impl Tasks, context: &[u8]) -> Function {
    let header = JobHeader { token: task.token(), output_len: tasks.output_len() };
    Function { header, context: context.to_vec() }
}
