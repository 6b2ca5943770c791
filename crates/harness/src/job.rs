//! What is to be computed.

use std::fmt;

use serde::{Deserialize, Serialize};
use workloads::Workload;

/// Workload × number of tasks × task size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// What a task computes.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub workload: Workload,
    /// How many tasks there are.
    pub tasks: usize,
    /// Elements in a task.
    pub task_size: usize,
}

impl Job {
    /// Elements of the buffer that belong to one task.
    #[must_use]
    pub const fn stretch_len(&self) -> usize {
        self.workload.stretch_len(self.task_size)
    }

    /// Elements of the whole buffer, or `None` if they cannot be addressed.
    #[must_use]
    pub const fn buffer_len(&self) -> Option<usize> {
        self.tasks.checked_mul(self.stretch_len())
    }

    /// Bytes of the whole buffer; saturates.
    #[must_use]
    pub const fn payload_bytes(&self) -> usize {
        self.tasks.saturating_mul(self.stretch_len()).saturating_mul(size_of::<u64>())
    }

    /// Elements that all tasks process together; saturates.
    #[must_use]
    pub const fn elements(&self) -> usize {
        self.tasks.saturating_mul(self.task_size)
    }

    /// Executes one task of this job on its stretch of the buffer.
    pub fn run_task(&self, stretch: &mut [u64]) {
        self.workload.run_task(self.task_size, stretch);
    }

    /// The checksum that a correct run on the input of `nonce` leaves.
    #[must_use]
    pub fn expected_checksum(&self, nonce: u64) -> u64 {
        self.workload.expected_checksum(self.tasks, self.task_size, nonce)
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} × {}", self.workload, self.tasks, self.task_size)
    }
}

/// The stretches of a job's tasks, in order; empty ones for a task size of 0.
///
/// # Panics
///
/// If `buffer` is not as long as [`Job::buffer_len`] says.
pub fn stretches_mut<'a>(
    job: &Job,
    buffer: &'a mut [u64],
) -> impl ExactSizeIterator<Item = &'a mut [u64]> + use<'a> {
    assert_eq!(Some(buffer.len()), job.buffer_len(), "the buffer must be the job's");
    let stretch_len = job.stretch_len();
    let mut rest = buffer;
    (0..job.tasks).map(move |_| {
        let (stretch, tail) = std::mem::take(&mut rest).split_at_mut(stretch_len);
        rest = tail;
        stretch
    })
}
