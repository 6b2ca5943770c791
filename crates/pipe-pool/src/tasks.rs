//! The bytes of a job's tasks, on the parent's side.

use std::ops::Range;

use crate::frame::IN_PLACE;

/// Where a job's tasks read and write.
pub(crate) enum Tasks<'a> {
    /// Task i changes the i-th stretch of `stride` bytes; the last may be shorter.
    InPlace { bytes: &'a mut [u8], count: usize, stride: usize },
    /// Task i computes the i-th `result_len` bytes of `results` from the i-th
    /// `argument_len` bytes of `arguments`.
    Map {
        arguments: &'a [u8],
        argument_len: usize,
        results: &'a mut [u8],
        result_len: usize,
        count: usize,
    },
}

impl Tasks<'_> {
    pub(crate) fn count(&self) -> usize {
        match *self {
            Self::InPlace { count, .. } | Self::Map { count, .. } => count,
        }
    }

    /// For the job's header.
    pub(crate) fn output_len(&self) -> u64 {
        match *self {
            Self::InPlace { .. } => IN_PLACE,
            Self::Map { result_len, .. } => result_len as u64,
        }
    }

    pub(crate) fn input(&self, task: usize) -> &[u8] {
        match self {
            Self::InPlace { bytes, stride, .. } => &bytes[stretch(task, *stride, bytes.len())],
            Self::Map { arguments, argument_len, .. } => {
                &arguments[stretch(task, *argument_len, arguments.len())]
            }
        }
    }

    pub(crate) fn output(&mut self, task: usize) -> &mut [u8] {
        match self {
            Self::InPlace { bytes, stride, .. } => {
                let stretch = stretch(task, *stride, bytes.len());
                &mut bytes[stretch]
            }
            Self::Map { results, result_len, .. } => {
                let stretch = stretch(task, *result_len, results.len());
                &mut results[stretch]
            }
        }
    }
}

fn stretch(task: usize, stride: usize, len: usize) -> Range<usize> {
    let start = task * stride;
    start..(start + stride).min(len)
}
