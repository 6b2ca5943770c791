//! The pool.

use bytemuck::Pod;
use multiproc::{Builder, PoolConfig, Result, SHUTDOWN_PATIENCE, Startable, TaskFn};

use crate::{dispatch::Dispatcher, tasks::Tasks};

/// Worker processes that are sent arguments and send results.
///
/// Dropping it kills the workers; [`shutdown`](Self::shutdown) ends them in
/// order and tells whether they did.
#[derive(Debug)]
pub struct Pool {
    dispatcher: Dispatcher,
}

impl Startable for Pool {
    const NAME: &'static str = "pipe-pool";

    fn start(config: &PoolConfig) -> Result<Self> {
        Ok(Self { dispatcher: Dispatcher::start(config)? })
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
    pub fn pids(&self) -> impl ExactSizeIterator<Item = i32> {
        self.dispatcher.pids()
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
        &mut self,
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
        &mut self,
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
        let tasks = Tasks::InPlace { bytes: bytemuck::cast_slice_mut(array), count: tasks, stride };
        self.dispatcher.execute(TaskFn::chunk(f), bytemuck::bytes_of(&context), tasks)
    }

    /// The results of `f` for each of `arguments`, in their order, one task an
    /// argument.
    ///
    /// # Errors
    ///
    /// If a task panics or a worker dies; see
    /// [`for_each_chunk`](Self::for_each_chunk).
    pub fn map<A, R, F>(&mut self, f: F, arguments: impl IntoIterator<Item = A>) -> Result<Vec<R>>
    where
        A: Pod,
        R: Pod,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        let arguments: Vec<A> = arguments.into_iter().collect();
        let mut results = vec![R::zeroed(); arguments.len()];
        let tasks = Tasks::Map {
            arguments: bytemuck::cast_slice(&arguments),
            argument_len: size_of::<A>(),
            results: bytemuck::cast_slice_mut(&mut results),
            result_len: size_of::<R>(),
            count: arguments.len(),
        };
        self.dispatcher.execute(TaskFn::map(f), &[], tasks)?;
        Ok(results)
    }

    /// Ends the workers and waits until they have ended.
    ///
    /// # Errors
    ///
    /// If one did not end by itself, with exit code 0; it has ended all the same.
    pub fn shutdown(self) -> Result<()> {
        self.dispatcher.shutdown(SHUTDOWN_PATIENCE)
    }
}
