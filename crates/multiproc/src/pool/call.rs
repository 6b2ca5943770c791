//! What a pool is asked to do, and how.

use std::{any::Any, num::NonZeroUsize, sync::Arc, time::Duration};

use bytemuck::{AnyBitPattern, NoUninit, Pod};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    AsyncResult, Pool, Star, Stream,
    frame::{JobHeader, job},
    function::CallFn,
    jobs::{Function, JobId, Order, Policy, harmless, own},
    stream::{Window, never_concluded},
    transport::Transport,
    work::{Calls, ChunksInPlace, ChunksOutOfPlace, Work},
};
use crate::{Error, Result, TaskFn, Token};

/// How an array is divided: task i gets `len` elements from i · `len` on, what
/// is left of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunks {
    /// Elements of a chunk.
    pub len: usize,
    /// How many there are.
    pub count: usize,
}

impl Chunks {
    /// All chunks of `len` elements that an array of `of` elements has; the
    /// last may be shorter.
    ///
    /// # Panics
    ///
    /// If `len` is 0.
    #[must_use]
    pub fn of(of: usize, len: usize) -> Self {
        assert!(len > 0, "a chunk has at least one element");
        Self { len, count: of.div_ceil(len) }
    }
}

/// Calls into a pool that are to be treated otherwise than the pool was built
/// to. Made by [`Pool::call`]; has the same methods.
///
/// ```
/// # use std::time::Duration;
/// # fn show<T: multiproc::pool::Transport>(pool: &multiproc::pool::Pool<T>) -> multiproc::Result<()> {
/// let patient = pool.call().retries(3).hard_deadline(Duration::from_secs(60));
/// let cubes = patient.map(|x: u64| x.pow(3), 1..=6)?;
/// # Ok(())
/// # }
/// ```
#[must_use = "it does nothing until one of its methods is called"]
pub struct Call<'p, T: Transport> {
    pub(super) pool: &'p Pool<T>,
    pub(super) policy: Policy,
    ahead: Option<usize>,
}

impl<T: Transport> Clone for Call<'_, T> {
    fn clone(&self) -> Self {
        Self { pool: self.pool, policy: self.policy.clone(), ahead: self.ahead }
    }
}

/// How.
impl<'p, T: Transport> Call<'p, T> {
    pub(super) fn new(pool: &'p Pool<T>, policy: Policy) -> Self {
        Self { pool, policy, ahead: None }
    }

    /// Gives workers so many tasks at a time. Without this it is learned from
    /// how long they take: one at a time if they are long, batches of some
    /// 0.2 to 1 ms if they are short.
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub fn chunk_len(mut self, tasks: usize) -> Self {
        let tasks = NonZeroUsize::new(tasks).expect("a chunk has at least one task");
        self.policy.chunk_len = Some(tasks);
        self
    }

    /// Begins a task again whose worker died while it ran, so many times; for
    /// tasks that may run more than once. See
    /// [`Builder::retries`](super::Builder::retries).
    pub fn retries(mut self, retries: u32) -> Self {
        self.policy.retries = retries;
        self
    }

    /// See [`Builder::soft_deadline`](super::Builder::soft_deadline).
    pub fn soft_deadline(mut self, limit: Duration) -> Self {
        self.policy.soft_deadline = Some(limit);
        self
    }

    /// See [`Builder::hard_deadline`](super::Builder::hard_deadline).
    pub fn hard_deadline(mut self, limit: Duration) -> Self {
        self.policy.hard_deadline = Some(limit);
        self
    }

    /// How many tasks a [stream](Stream) has under way or waiting to be
    /// consumed, at most. Without this it is learned, up to 8192.
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub fn ahead(mut self, tasks: usize) -> Self {
        assert!(tasks > 0, "a stream has at least one task under way");
        self.ahead = Some(tasks);
        self
    }
}

/// What. See the methods of the same names of [`Pool`].
impl<'p, T: Transport> Call<'p, T> {
    /// See [`Pool::apply`].
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
        match self.apply_at_once(f, &argument) {
            Some(result) => {
                harmless(|| drop(argument));
                result
            }
            None => self.begin_apply(f, Calls::new(vec![argument]).waited_for()).get(),
        }
    }

    /// See [`Pool::apply_async`].
    pub fn apply_async<A, R, F>(&self, f: F, argument: A) -> AsyncResult<R>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        let result = self.begin_apply(f, Calls::new(vec![argument]));
        self.pool.shared.drive();
        result
    }

    fn begin_apply<A, R, F>(&self, f: F, call: Calls<A, R>) -> AsyncResult<R>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        self.begin(f, call, |work| {
            let result: Result<R> = own::<Calls<A, R>>(work)
                .into_results()
                .map(|mut results| results.pop().expect("one task has one result"));
            Box::new(result)
        })
    }

    /// See [`Pool::map`].
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
        self.begin_map(f, Calls::new(arguments.into_iter().collect()).waited_for()).get()
    }

    /// See [`Pool::map_async`].
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
        let result = self.begin_map(f, Calls::new(arguments.into_iter().collect()));
        self.pool.shared.drive();
        result
    }

    fn begin_map<A, R, F>(&self, f: F, calls: Calls<A, R>) -> AsyncResult<Vec<R>>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        self.begin(f, calls, results_of::<A, R>)
    }

    /// See [`Pool::map_outcomes`].
    ///
    /// # Errors
    ///
    /// See there.
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
        let calls = Calls::<A, R>::new(arguments.into_iter().collect());
        let calls = Box::new(calls.waited_for());
        let count = calls.len() as u64;
        let function = self.function(CallFn::new(f).token(), job::CALL, Vec::new());
        let (calls, error) = self.execute(function, calls, count);
        match error {
            Some(error) if !calls.has_begun() => Err(error),
            error => Ok(calls.into_outcomes(|| error.as_ref().map_or(Error::Broken, Error::again))),
        }
    }

    /// See [`Pool::starmap`].
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
        self.map(move |tuple: A| f.call(tuple), arguments)
    }

    /// See [`Pool::starmap_async`].
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
        self.map_async(move |tuple: A| f.call(tuple), arguments)
    }

    /// See [`Pool::imap`].
    pub fn imap<A, R, F, I>(&self, f: F, arguments: I) -> Stream<T, A, R, I::IntoIter>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
        I: IntoIterator<Item = A>,
    {
        self.stream(f, arguments, true)
    }

    /// See [`Pool::imap_unordered`].
    pub fn imap_unordered<A, R, F, I>(&self, f: F, arguments: I) -> Stream<T, A, R, I::IntoIter>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
        I: IntoIterator<Item = A>,
    {
        self.stream(f, arguments, false)
    }

    fn stream<A, R, F, I>(&self, f: F, arguments: I, in_order: bool) -> Stream<T, A, R, I::IntoIter>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
        I: IntoIterator<Item = A>,
    {
        let window = Box::new(Window::<A, R>::new(in_order));
        let function = self.function(CallFn::new(f).token(), job::CALL, Vec::new());
        let job = self.submit(function, window, 0, true, never_concluded);
        let shared = Arc::clone(&self.pool.shared);
        shared.drive();
        Stream::new(shared, job, arguments.into_iter(), self.ahead)
    }

    fn begin<A, R, F, C: Send + 'static>(
        &self,
        f: F,
        calls: Calls<A, R>,
        conclude: fn(Box<dyn Work>) -> Box<dyn Any + Send>,
    ) -> AsyncResult<C>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        let count = calls.len() as u64;
        let function = self.function(CallFn::new(f).token(), job::CALL, Vec::new());
        let job = self.submit(function, Box::new(calls), count, false, conclude);
        AsyncResult::new(self.pool.shared.clone(), job)
    }

    fn function(&self, token: Token, kind: u32, context: Vec<u8>) -> Function {
        let is_timed = self.policy.is_timed().into();
        Function { header: JobHeader { token, kind, is_timed }, context }
    }

    fn submit(
        &self,
        function: Function,
        work: Box<dyn Work>,
        count: u64,
        is_open: bool,
        conclude: fn(Box<dyn Work>) -> Box<dyn Any + Send>,
    ) -> JobId {
        let policy = self.policy.clone();
        let order = Order { function, policy, work, count, is_open, conclude };
        self.pool.shared.with_more_to_do(|core| core.submit(order))
    }
}

/// Bulk jobs of transports that share memory with the workers.
impl<T: Transport> Call<'_, T> {
    /// The pool's.
    pub(crate) fn transport(&self) -> &T {
        &self.pool.shared.transport
    }

    /// How many there are to be.
    pub(crate) fn workers(&self) -> usize {
        self.pool.shared.workers
    }

    /// How often a task is begun again whose worker died while it ran, and
    /// whether tasks have deadlines.
    pub(crate) fn terms(&self) -> (u32, bool) {
        (self.policy.retries, self.policy.is_timed())
    }

    /// Calls `f` for each of the `count` tasks of `work`, which encodes its
    /// arguments and decodes its results. No worker has two of them at a time.
    pub(crate) fn spread<A, R, F, W>(
        &self,
        f: F,
        work: Box<W>,
        count: u64,
    ) -> (Box<W>, Option<Error>)
    where
        A: DeserializeOwned + 'static,
        R: Serialize + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
        W: Work,
    {
        let call = self.clone().chunk_len(1);
        let function = call.function(CallFn::new(f).token(), job::CALL, Vec::new());
        call.execute(function, work, count)
    }
}

/// Chunks of arrays, whose bytes travel to a worker and back.
impl<T: Transport> Call<'_, T> {
    /// Calls `f` with `context` and each of the `chunks` of `array`, one task a
    /// chunk, and gives the array back. The chunk of a task that has failed is
    /// as it was.
    pub fn change_chunks_of<C, E, F>(
        &self,
        array: Vec<E>,
        chunks: Chunks,
        context: C,
        f: F,
    ) -> (Vec<E>, Result<()>)
    where
        C: NoUninit + AnyBitPattern,
        E: Pod + Send,
        F: Fn(C, &mut [E]) + Copy + Send + 'static,
    {
        let context = bytemuck::bytes_of(&context).to_vec();
        let function = self.function(TaskFn::chunk(f).token(), job::IN_PLACE, context);
        let work = Box::new(ChunksInPlace::new(array, chunks.len));
        let (work, error) = self.execute(function, work, chunks.count as u64);
        let (array, failures) = work.into_parts();
        (array, error.map_or_else(|| failures.into_first(), Err))
    }

    /// Calls `f` with `context`, each of the `chunks` of `input` and the same
    /// chunk of `output`, which is all zeros then, and gives the output back.
    /// The chunk of a task that has failed is as it was.
    pub fn map_chunks_of<C, I, O, F>(
        &self,
        input: Arc<Vec<I>>,
        output: Vec<O>,
        chunks: Chunks,
        context: C,
        f: F,
    ) -> (Vec<O>, Result<()>)
    where
        C: NoUninit + AnyBitPattern,
        I: Pod + Send + Sync,
        O: Pod + Send,
        F: Fn(C, &[I], &mut [O]) + Copy + Send + 'static,
    {
        let context = bytemuck::bytes_of(&context).to_vec();
        let function = self.function(TaskFn::map_chunk(f).token(), job::OUT_OF_PLACE, context);
        let work = Box::new(ChunksOutOfPlace::new(input, output, chunks.len));
        let (work, error) = self.execute(function, work, chunks.count as u64);
        let (array, failures) = work.into_parts();
        (array, error.map_or_else(|| failures.into_first(), Err))
    }

    fn execute<W: Work>(
        &self,
        function: Function,
        work: Box<W>,
        count: u64,
    ) -> (Box<W>, Option<Error>) {
        let job = self.submit(function, work, count, false, never_concluded);
        let shared = &self.pool.shared;
        shared.wait(None, |core| core.jobs.is_finished(job));
        let ended = shared.look(|core| core.jobs.take_work(job));
        shared.abandon(job);
        ended
    }
}

/// What a map gives when all its tasks are over.
pub(super) fn results_of<A, R>(work: Box<dyn Work>) -> Box<dyn Any + Send>
where
    A: Serialize + Send + 'static,
    R: DeserializeOwned + Send + 'static,
{
    Box::new(own::<Calls<A, R>>(work).into_results())
}
