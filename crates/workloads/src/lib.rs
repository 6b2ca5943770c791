//! The kernels that every strategy runs, their input and the answers that
//! must come out.
//!
//! A *task* works on its own *stretch* of one `u64` buffer, modulo 2⁶⁴:
//!
//! | workload | stretch | the task |
//! |---|---|---|
//! | `sum-of-squares` | one slot | stores Σ i² for i in `0..task_size` |
//! | `square` | `task_size` elements | replaces each x by x² |
//! | `cube` | `task_size` elements | replaces each x by x³ |
//!
//! Every kernel does work that is linear in the task size: vectorised, but
//! not folded into a closed form. The closed forms live in [`answers`] and
//! are only for checking.
//!
//! ```
//! use workloads::{Workload, checksum};
//!
//! let (tasks, task_size, nonce) = (3, 5, 42);
//! let mut buffer = vec![0; tasks * Workload::Cube.stretch_len(task_size)];
//! Workload::Cube.fill(&mut buffer, 0, nonce);
//! for stretch in buffer.chunks_mut(task_size) {
//!     Workload::Cube.run_task(task_size, stretch);
//! }
//! assert_eq!(checksum(&buffer, 0), Workload::Cube.expected_checksum(tasks, task_size, nonce));
//! ```
#![forbid(unsafe_code)]

pub mod answers;
mod input;
mod kernels;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use answers::checksum;
pub use kernels::{cube, instruction_set, square, sum_of_squares};

/// What a task computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Σ i² for i below the task size: pure arithmetic, eight bytes of payload.
    SumOfSquares,
    /// x² for every element of an array: memory bandwidth as much as arithmetic.
    Square,
    /// x³ for every element of an array.
    Cube,
}

impl Workload {
    /// All workloads, in the order in which reports show them.
    pub const ALL: [Self; 3] = [Self::SumOfSquares, Self::Square, Self::Cube];

    /// The name used on the command line, in configs and in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SumOfSquares => "sum-of-squares",
            Self::Square => "square",
            Self::Cube => "cube",
        }
    }

    /// One line on what a task of this workload does.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::SumOfSquares => "each task adds i² for i below the task size; 8 bytes of payload",
            Self::Square => "each task squares its stretch of a u64 array in place",
            Self::Cube => "each task cubes its stretch of a u64 array in place",
        }
    }

    /// Elements of the buffer that belong to one task.
    #[must_use]
    pub const fn stretch_len(self, task_size: usize) -> usize {
        match self {
            Self::SumOfSquares => 1,
            Self::Square | Self::Cube => task_size,
        }
    }

    /// Executes one task on its stretch of the buffer.
    ///
    /// # Panics
    ///
    /// For [`Workload::SumOfSquares`], if the stretch is empty.
    pub fn run_task(self, task_size: usize, stretch: &mut [u64]) {
        match self {
            Self::SumOfSquares => stretch[0] = sum_of_squares(task_size as u64),
            Self::Square => square(stretch),
            Self::Cube => cube(stretch),
        }
    }

    /// Writes the input of a run into `part` of the buffer, which starts at
    /// element `first` of it.
    ///
    /// The input differs with `nonce`, so that the answer of an earlier run
    /// can never pass for this one's. For [`Workload::SumOfSquares`], whose
    /// buffer holds results only, it is a filler that no task computes.
    pub fn fill(self, part: &mut [u64], first: usize, nonce: u64) {
        match self {
            Self::SumOfSquares => part.fill(input::filler(nonce)),
            Self::Square | Self::Cube => input::Progression::new(nonce).write(part, first),
        }
    }

    /// The [`checksum`] of the whole buffer after a correct run on the input
    /// that [`fill`](Self::fill) wrote for `nonce`.
    #[must_use]
    pub fn expected_checksum(self, tasks: usize, task_size: usize, nonce: u64) -> u64 {
        let len = (tasks * self.stretch_len(task_size)) as u64;
        match self {
            Self::SumOfSquares => {
                let each = answers::sum_of_squares(task_size as u64);
                answers::weighted_power_sum(input::Progression::constant(each), 1, len)
            }
            Self::Square => answers::weighted_power_sum(input::Progression::new(nonce), 2, len),
            Self::Cube => answers::weighted_power_sum(input::Progression::new(nonce), 3, len),
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The name is not one of [`Workload::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown workload `{0}`\nhelp: use sum-of-squares, square or cube")]
pub struct UnknownWorkload(String);

impl FromStr for Workload {
    type Err = UnknownWorkload;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|workload| workload.name() == name)
            .ok_or_else(|| UnknownWorkload(name.to_owned()))
    }
}
