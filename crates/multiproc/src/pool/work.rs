//! What a job's tasks compute from, and what becomes of their outputs, on the
//! parent's side.

use std::{any::Any, collections::BTreeMap, sync::Arc};

use bytemuck::Pod;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    frame::MOST_RUN_BYTES,
    jobs::DropEach,
    large::{self, LARGE_BYTES, Large, Room},
    outputs::Outputs,
    plain, value,
};
use crate::{Error, Result};

/// Arguments and results of a job's tasks, which have the numbers from 0 on.
///
/// Every task ends in one call of [`accept`](Self::accept) or
/// [`fail`](Self::fail); before that it may be staged several times.
pub(crate) trait Work: Any + Send {
    /// Appends the input of `task` to `frame`, but for what
    /// [`direct`](Self::direct) gives, whose length it returns.
    fn stage(&mut self, task: u64, frame: &mut Vec<u8>) -> Result<usize>;

    /// The end of the input of `task`, if it is to be written from where it lies.
    fn direct(&self, task: u64) -> Option<&[u8]> {
        let _ = task;
        None
    }

    /// The bytes of each input and of each output, if tasks that follow upon
    /// each other may travel in runs: all have as many, and none needs a user's
    /// code to be written or read.
    fn run_shape(&self) -> Option<RunShape> {
        None
    }

    /// Appends the inputs of `count` tasks from `first` on to `frame`.
    fn stage_run(&mut self, first: u64, count: u64, frame: &mut Vec<u8>) {
        let _ = (first, count, frame);
        unreachable!("it has no shape for runs");
    }

    /// Takes the outputs of tasks from `first` on, which are whole ones.
    fn accept_run(&mut self, first: u64, outputs: &[u8]) {
        let _ = (first, outputs);
        unreachable!("it has no shape for runs");
    }

    /// Whether what [`direct`](Self::direct) gives does not change before its
    /// task was answered, or the worker that was given it was killed and the
    /// system has taken note. That is not so if the caller gets its memory back
    /// earlier, as that of a job that was cancelled does.
    fn is_lent(&self) -> bool {
        false
    }

    /// Room for the output of `task`, which has so many bytes, if it is large.
    fn room(&self, task: u64, bytes: usize) -> Room {
        let _ = (task, bytes);
        Room::Otherwise
    }

    /// Takes the output of `task`, which was read to the [`room`](Self::room)
    /// for it.
    fn accept_large(&mut self, task: u64, output: Box<dyn Large>) {
        let _ = (task, output);
        unreachable!("it has no room");
    }

    /// Takes the output of `task`. An error is the task's.
    fn accept(&mut self, task: u64, output: &[u8]) -> Result<()>;

    /// `task` has no output.
    fn fail(&mut self, task: u64, error: Error);

    /// The worker that executed `task` is gone; `death` says how, of the index
    /// that it is given. What was lost: a task that has parts of its own knows
    /// which, and may begin that again if `may_retry`.
    fn lost(&mut self, task: u64, may_retry: bool, death: &dyn Fn(u64) -> Error) -> Loss {
        let _ = (task, may_retry, death);
        Loss::Task
    }
}

/// How long the inputs and outputs of tasks are that travel in runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunShape {
    /// Bytes of an input; not 0.
    pub(crate) input: usize,
    /// Bytes of an output; not 0.
    pub(crate) output: usize,
}

impl RunShape {
    /// That of tasks that compute an `R` from an `A`.
    pub(crate) fn of<A: 'static, R: 'static>() -> Option<Self> {
        Some(Self { input: plain::size::<A>()?, output: plain::size::<R>()? })
    }

    /// Most tasks that may travel together.
    pub(crate) fn most(self) -> usize {
        MOST_RUN_BYTES / self.input.max(self.output)
    }
}

/// What has got lost with the worker that executed a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The task.
    Task,
    /// Nothing: somebody else is to go on with it.
    Nothing,
    /// A part of it, which is done again when somebody else goes on with it.
    Retried,
    /// A part of it, which has failed. Somebody else is to go on with the rest.
    Failed,
}

/// What has failed, by task.
#[derive(Debug, Default)]
pub(crate) struct Failures(BTreeMap<u64, Error>);

impl Failures {
    pub(crate) fn add(&mut self, task: u64, error: Error) {
        self.0.entry(task).or_insert(error);
    }

    /// The one with the lowest number.
    pub(crate) fn into_first(mut self) -> Result<()> {
        self.0.pop_first().map_or(Ok(()), |(_, error)| Err(error))
    }
}

/// Task i computes a result from the i-th argument.
pub(crate) struct Calls<A, R> {
    arguments: DropEach<Vec<A>>,
    results: Outputs<R>,
    failures: Failures,
    is_waited_for: bool,
}

impl<A, R: 'static> Calls<A, R> {
    pub(crate) fn new(arguments: Vec<A>) -> Self {
        let results = Outputs::none(arguments.len());
        let arguments = arguments.into();
        Self { arguments, results, failures: Failures::default(), is_waited_for: false }
    }

    /// The same if the caller waits for the end of all, and nobody can cancel it.
    pub(crate) fn waited_for(self) -> Self {
        Self { is_waited_for: true, ..self }
    }

    pub(crate) fn len(&self) -> usize {
        self.arguments.len()
    }

    /// All results, or the first error.
    pub(crate) fn into_results(self) -> Result<Vec<R>> {
        self.failures.into_first()?;
        Ok(self.results.into_all())
    }

    /// Whether a task has ended, in whatever way.
    pub(crate) fn has_begun(&self) -> bool {
        !self.failures.0.is_empty() || self.results.has_any()
    }

    /// What became of each task; `missing` if nothing did.
    pub(crate) fn into_outcomes(self, missing: impl Fn() -> Error) -> Vec<Result<R>> {
        let mut failures = self.failures.0;
        let outcome = |(task, result): (usize, Option<R>)| {
            result.ok_or_else(|| failures.remove(&(task as u64)).unwrap_or_else(&missing))
        };
        self.results.into_each().into_iter().enumerate().map(outcome).collect()
    }
}

impl<A, R> Work for Calls<A, R>
where
    A: Serialize + Send + 'static,
    R: DeserializeOwned + Send + 'static,
{
    fn stage(&mut self, task: u64, frame: &mut Vec<u8>) -> Result<usize> {
        stage_value(&self.arguments[task as usize], frame)
    }

    fn direct(&self, task: u64) -> Option<&[u8]> {
        direct_value(&self.arguments[task as usize])
    }

    fn is_lent(&self) -> bool {
        self.is_waited_for
    }

    fn room(&self, _: u64, bytes: usize) -> Room {
        large::room::<R>(bytes)
    }

    fn accept_large(&mut self, task: u64, output: Box<dyn Large>) {
        self.results.put(task as usize, large::unwrap(output));
    }

    fn run_shape(&self) -> Option<RunShape> {
        RunShape::of::<A, R>()
    }

    fn stage_run(&mut self, first: u64, count: u64, frame: &mut Vec<u8>) {
        let content = plain::content::<Vec<A>>(&self.arguments).expect("arguments with a shape");
        let (first, count) = (first as usize, count as usize);
        frame.extend_from_slice(&content[first * size_of::<A>()..][..count * size_of::<A>()]);
    }

    fn accept_run(&mut self, first: u64, outputs: &[u8]) {
        self.results.put_run(first as usize, outputs);
    }

    fn accept(&mut self, task: u64, output: &[u8]) -> Result<()> {
        self.results.put(task as usize, value::decode(output)?);
        Ok(())
    }

    fn fail(&mut self, task: u64, error: Error) {
        self.failures.add(task, error);
    }
}

/// As [`Work::stage`].
pub(super) fn stage_value<A: Serialize + 'static>(value: &A, frame: &mut Vec<u8>) -> Result<usize> {
    match direct_value(value) {
        Some(bytes) => Ok(bytes.len()),
        None => value::encode_into(value, frame).map(|()| 0),
    }
}

/// As [`Work::direct`].
pub(super) fn direct_value<A: 'static>(value: &A) -> Option<&[u8]> {
    plain::content(value).filter(|content| content.len() > LARGE_BYTES)
}

/// Up to here a chunk is copied behind its header and shares a system call
/// with its neighbours; a larger one is written from where it lies.
const STAGED_CHUNK_BYTES: usize = 4096;

/// Task i changes the i-th stretch of an array in place.
pub(crate) struct ChunksInPlace<T> {
    array: Vec<T>,
    /// Elements of a stretch; the last may be shorter, or there may be none left.
    chunk_len: usize,
    failures: Failures,
}

impl<T: Pod> ChunksInPlace<T> {
    pub(crate) fn new(array: Vec<T>, chunk_len: usize) -> Self {
        Self { array, chunk_len, failures: Failures::default() }
    }

    pub(crate) fn into_parts(self) -> (Vec<T>, Failures) {
        (self.array, self.failures)
    }

    fn chunk(&self, task: u64) -> &[u8] {
        bytemuck::cast_slice(stretch(&self.array, task, self.chunk_len))
    }
}

impl<T: Pod + Send> Work for ChunksInPlace<T> {
    fn stage(&mut self, task: u64, frame: &mut Vec<u8>) -> Result<usize> {
        Ok(stage_small(self.chunk(task), frame))
    }

    fn direct(&self, task: u64) -> Option<&[u8]> {
        Some(self.chunk(task)).filter(|chunk| chunk.len() > STAGED_CHUNK_BYTES)
    }

    /// Its caller waits, and nobody can cancel it.
    fn is_lent(&self) -> bool {
        true
    }

    fn accept(&mut self, task: u64, output: &[u8]) -> Result<()> {
        let chunk = stretch_mut(&mut self.array, task, self.chunk_len);
        take_chunk(bytemuck::cast_slice_mut(chunk), output)
    }

    fn fail(&mut self, task: u64, error: Error) {
        self.failures.add(task, error);
    }
}

/// Task i computes the i-th stretch of one array from the i-th of another.
pub(crate) struct ChunksOutOfPlace<I, O> {
    input: Arc<Vec<I>>,
    output: Vec<O>,
    chunk_len: usize,
    failures: Failures,
}

impl<I: Pod, O: Pod> ChunksOutOfPlace<I, O> {
    pub(crate) fn new(input: Arc<Vec<I>>, output: Vec<O>, chunk_len: usize) -> Self {
        Self { input, output, chunk_len, failures: Failures::default() }
    }

    pub(crate) fn into_parts(self) -> (Vec<O>, Failures) {
        (self.output, self.failures)
    }

    fn chunk(&self, task: u64) -> &[u8] {
        bytemuck::cast_slice(stretch(&self.input, task, self.chunk_len))
    }
}

impl<I: Pod + Send + Sync, O: Pod + Send> Work for ChunksOutOfPlace<I, O> {
    fn stage(&mut self, task: u64, frame: &mut Vec<u8>) -> Result<usize> {
        let output = size_of_val(stretch(&self.output, task, self.chunk_len)) as u64;
        frame.extend_from_slice(&output.to_ne_bytes());
        Ok(stage_small(self.chunk(task), frame))
    }

    fn direct(&self, task: u64) -> Option<&[u8]> {
        Some(self.chunk(task)).filter(|chunk| chunk.len() > STAGED_CHUNK_BYTES)
    }

    /// Its caller waits, and nobody can cancel it.
    fn is_lent(&self) -> bool {
        true
    }

    fn accept(&mut self, task: u64, output: &[u8]) -> Result<()> {
        let chunk = stretch_mut(&mut self.output, task, self.chunk_len);
        take_chunk(bytemuck::cast_slice_mut(chunk), output)
    }

    fn fail(&mut self, task: u64, error: Error) {
        self.failures.add(task, error);
    }
}

/// The number of bytes that are left to be written directly.
fn stage_small(chunk: &[u8], frame: &mut Vec<u8>) -> usize {
    if chunk.len() > STAGED_CHUNK_BYTES {
        return chunk.len();
    }
    frame.extend_from_slice(chunk);
    0
}

fn take_chunk(chunk: &mut [u8], output: &[u8]) -> Result<()> {
    if chunk.len() != output.len() {
        let why = format!("{} bytes instead of {}", output.len(), chunk.len());
        return Err(Error::Decode { type_name: "chunk", why });
    }
    chunk.copy_from_slice(output);
    Ok(())
}

fn range(len: usize, task: u64, chunk_len: usize) -> std::ops::Range<usize> {
    let start = (task as usize).saturating_mul(chunk_len).min(len);
    start..start.saturating_add(chunk_len).min(len)
}

fn stretch<T>(array: &[T], task: u64, chunk_len: usize) -> &[T] {
    &array[range(array.len(), task, chunk_len)]
}

fn stretch_mut<T>(array: &mut [T], task: u64, chunk_len: usize) -> &mut [T] {
    let range = range(array.len(), task, chunk_len);
    &mut array[range]
}
