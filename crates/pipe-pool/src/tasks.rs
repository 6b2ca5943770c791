//! The bytes of a job's tasks, on the parent's side.

use std::ops::Range;

use bytemuck::Pod;

use crate::frame::IN_PLACE;

/// Where a job's tasks read and write.
pub(crate) trait Tasks {
    /// How many there are.
    fn count(&self) -> usize;

    /// Bytes of a task's output, for the job's header.
    fn output_len(&self) -> u64;

    /// What task `task` computes from.
    fn input(&self, task: usize) -> &[u8];

    /// Where the output of task `task` belongs.
    fn output(&mut self, task: usize) -> &mut [u8];

    /// All outputs, one behind the other.
    fn outputs(&self) -> &[u8];
}

/// Task i changes the i-th stretch of `stride` bytes; the last may be shorter.
pub(crate) struct InPlace<'a> {
    pub(crate) bytes: &'a mut [u8],
    pub(crate) count: usize,
    pub(crate) stride: usize,
}

impl Tasks for InPlace<'_> {
    fn count(&self) -> usize {
        self.count
    }

    fn output_len(&self) -> u64 {
        IN_PLACE
    }

    fn input(&self, task: usize) -> &[u8] {
        &self.bytes[stretch(task, self.stride, self.bytes.len())]
    }

    fn output(&mut self, task: usize) -> &mut [u8] {
        let stretch = stretch(task, self.stride, self.bytes.len());
        &mut self.bytes[stretch]
    }

    fn outputs(&self) -> &[u8] {
        self.bytes
    }
}

/// Task i computes the i-th of `results` from the i-th of `arguments`.
pub(crate) struct Map<A, R> {
    arguments: Vec<A>,
    results: Vec<R>,
}

impl<A: Pod, R: Pod> Map<A, R> {
    pub(crate) fn new(arguments: Vec<A>) -> Self {
        let results = vec![R::zeroed(); arguments.len()];
        Self { arguments, results }
    }

    pub(crate) fn into_results(self) -> Vec<R> {
        self.results
    }
}

impl<A: Pod, R: Pod> Tasks for Map<A, R> {
    fn count(&self) -> usize {
        self.arguments.len()
    }

    fn output_len(&self) -> u64 {
        size_of::<R>() as u64
    }

    fn input(&self, task: usize) -> &[u8] {
        bytemuck::bytes_of(&self.arguments[task])
    }

    fn output(&mut self, task: usize) -> &mut [u8] {
        bytemuck::bytes_of_mut(&mut self.results[task])
    }

    fn outputs(&self) -> &[u8] {
        bytemuck::cast_slice(&self.results)
    }
}

fn stretch(task: usize, stride: usize, len: usize) -> Range<usize> {
    let start = task * stride;
    start..(start + stride).min(len)
}
