//! The pool.

use crate::SharedArray;
use bytemuck::Pod;
use multiproc::{Board, Builder, PoolConfig, Result, SHUTDOWN_PATIENCE, Startable, TaskFn};

/// Worker processes that share memory with this one.
///
/// Dropping it kills the workers; [`shutdown`](Self::shutdown) ends them in
/// order and tells whether they did.
#[derive(Debug)]
pub struct Pool {
    board: Board,
    /// Memory of `map`, kept for the next call.
    scratch: Option<Scratch>,
}

#[derive(Debug)]
struct Scratch {
    arguments: SharedArray<u8>,
    results: SharedArray<u8>,
}

impl Startable for Pool {
    const NAME: &'static str = "shm-pool";

    fn start(config: &PoolConfig) -> Result<Self> {
        Ok(Self { board: Board::start(config)?, scratch: None })
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
        self.board.workers()
    }

    /// Process ids of the workers.
    pub fn pids(&self) -> impl ExactSizeIterator<Item = i32> {
        self.board.pids()
    }

    /// An array of `len` zeros, born in memory that the workers share.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](crate::Error::Memory) if there is not enough.
    pub fn array<T: Pod>(&mut self, len: usize) -> Result<SharedArray<T>> {
        self.board.array(len)
    }

    /// Calls `f` with `context` and each chunk of `chunk_len` elements of
    /// `array`, in place, one task a chunk. A shorter rest at the end of the
    /// array is a task too.
    ///
    /// The context is at most 64 bytes.
    ///
    /// # Errors
    ///
    /// See [`Board::execute`]: a panic of a task leaves its chunk as it was at
    /// that moment and the others done; a worker's death leaves the array in
    /// between and ends the pool.
    ///
    /// # Panics
    ///
    /// If `chunk_len` is 0 or the array comes from another pool.
    pub fn for_each_chunk<C, T, F>(
        &mut self,
        array: &mut SharedArray<T>,
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
        array: &mut SharedArray<T>,
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
        let chunks = array.stretches_mut(chunk_len);
        self.board.execute(TaskFn::chunk(f), bytemuck::bytes_of(&context), tasks, None, chunks)
    }

    /// The results of `f` for each of `arguments`, in their order, one task an
    /// argument. Arguments and results are copied through shared memory.
    ///
    /// # Errors
    ///
    /// If a task panics or a worker dies; see [`Board::execute`].
    ///
    /// # Panics
    ///
    /// If `R` has no bytes, for then nothing would be returned.
    pub fn map<A, R, F>(&mut self, f: F, arguments: impl IntoIterator<Item = A>) -> Result<Vec<R>>
    where
        A: Pod,
        R: Pod,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        let arguments: Vec<A> = arguments.into_iter().collect();
        assert!(size_of::<R>() > 0, "a result has at least one byte");
        let tasks = arguments.len();
        let mut scratch = self.take_scratch(size_of_val(&*arguments), tasks * size_of::<R>())?;
        let arguments: &[u8] = bytemuck::cast_slice(&arguments);
        scratch.arguments[..arguments.len()].copy_from_slice(arguments);
        let from = scratch.arguments.stretches(size_of::<A>());
        let to = scratch.results.stretches_mut(size_of::<R>());
        self.board.execute(TaskFn::map(f), &[], tasks, Some(from), to)?;
        let results = &scratch.results[..tasks * size_of::<R>()];
        let results =
            results.chunks_exact(size_of::<R>()).map(bytemuck::pod_read_unaligned).collect();
        self.scratch = Some(scratch);
        Ok(results)
    }

    /// Memory for so many bytes; grows by doubling, so that a series of calls
    /// seldom needs more.
    fn take_scratch(&mut self, arguments: usize, results: usize) -> Result<Scratch> {
        if let Some(scratch) = self.scratch.take_if(|scratch| {
            scratch.arguments.len() >= arguments && scratch.results.len() >= results
        }) {
            return Ok(scratch);
        }
        self.scratch = None;
        Ok(Scratch {
            arguments: self.array(arguments.next_power_of_two())?,
            results: self.array(results.next_power_of_two())?,
        })
    }

    /// Ends the workers and waits until they have ended.
    ///
    /// # Errors
    ///
    /// If one did not end by itself, with exit code 0; it has ended all the same.
    pub fn shutdown(self) -> Result<()> {
        self.board.shutdown(SHUTDOWN_PATIENCE)
    }
}
