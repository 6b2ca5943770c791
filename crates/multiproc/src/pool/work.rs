//! What a job's tasks compute from, and what becomes of their outputs, on the
//! parent's side.

use std::{any::Any, collections::BTreeMap, sync::Arc};

use bytemuck::Pod;
use serde::{Serialize, de::DeserializeOwned};

use super::value;
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
    arguments: Vec<A>,
    results: Vec<Option<R>>,
    failures: Failures,
}

impl<A, R> Calls<A, R> {
    pub(crate) fn new(arguments: Vec<A>) -> Self {
        let results = arguments.iter().map(|_| None).collect();
        Self { arguments, results, failures: Failures::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.arguments.len()
    }

    /// All results, or the first error.
    pub(crate) fn into_results(self) -> Result<Vec<R>> {
        self.failures.into_first()?;
        Ok(self.results.into_iter().map(|result| result.expect("no task has failed")).collect())
    }

    /// Whether a task has ended, in whatever way.
    pub(crate) fn has_begun(&self) -> bool {
        !self.failures.0.is_empty() || self.results.iter().any(Option::is_some)
    }

    /// What became of each task; `missing` if nothing did.
    pub(crate) fn into_outcomes(self, missing: impl Fn() -> Error) -> Vec<Result<R>> {
        let mut failures = self.failures.0;
        let outcome = |(task, result): (usize, Option<R>)| {
            result.ok_or_else(|| failures.remove(&(task as u64)).unwrap_or_else(&missing))
        };
        self.results.into_iter().enumerate().map(outcome).collect()
    }
}

impl<A, R> Work for Calls<A, R>
where
    A: Serialize + Send + 'static,
    R: DeserializeOwned + Send + 'static,
{
    fn stage(&mut self, task: u64, frame: &mut Vec<u8>) -> Result<usize> {
        value::encode_into(&self.arguments[task as usize], frame).map(|()| 0)
    }

    fn accept(&mut self, task: u64, output: &[u8]) -> Result<()> {
        self.results[task as usize] = Some(value::decode(output)?);
        Ok(())
    }

    fn fail(&mut self, task: u64, error: Error) {
        self.failures.add(task, error);
    }
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
