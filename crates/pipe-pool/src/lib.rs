//! A process pool that moves payloads through pipes.
//!
//! ```
//! use pipe_pool::{Pool, StartMethod};
//!
//! fn cube(x: u64) -> u64 {
//!     x.pow(3)
//! }
//!
//! fn main() -> pipe_pool::Result<()> {
//!     pipe_pool::init(); // child processes start here and never return
//!     let pool = Pool::builder().workers(2).start_method(StartMethod::ForkServer).build()?;
//!     assert_eq!(pool.map(cube, 1..=6)?, [1, 8, 27, 64, 125, 216]);
//!     pool.shutdown()
//! }
//! ```
//!
//! # When to choose it, and when not
//!
//! Choose it where arguments and results are values of any type that serde
//! can write, small against the work, and where a crash of the work must not
//! be a crash of the program. Choose `shm-pool` where they are large arrays of
//! plain numbers, or where tasks are so short that a system call counts: here
//! every byte is copied four times, through two pipes. Choose threads where
//! neither isolation nor a separate address space is needed.
//!
//! # What it guarantees
//!
//! - A worker that is killed, aborts, calls `exit`, overflows its stack or runs
//!   out of memory costs at most the task that it executed: that has failed, or
//!   is begun again if the [pool](Builder::retries) or the
//!   [call](multiproc::pool::Call::retries) allows it. The worker is replaced.
//! - What may run twice: a task that had ended when its worker died, but whose
//!   result was still in the worker, because it was short and its result waited
//!   for others to be written together. With [`Builder::at_most_once`] nothing
//!   does.
//! - What never runs twice: a task whose result or error was told.
//! - A panic, an argument or a result that cannot cross, and a task that takes
//!   longer than its deadline are errors of that task, and lose no other's
//!   result.
//! - No process of the pool outlives this one, however it ends, and nothing is
//!   left of a pool that was dropped. A program that a task executes is the task's
//!   own: it is not ended with the worker.
//!
//! Every worker has two pipes of its own, one to it and one from it, each with
//! a single writer and a single reader. The parent never blocks on one of
//! them, so results bigger than a pipe's buffer flow, and it sleeps on the
//! workers themselves too, so a death is noticed at once.
//!
//! # Arrays
//!
//! ```
//! # fn main() -> pipe_pool::Result<()> {
//! # pipe_pool::init();
//! let pool = pipe_pool::Pool::builder().workers(2).build()?;
//! let mut array = pool.array::<u64>(1_000)?;
//! array.fill(7);
//! pool.for_each_chunk(&mut array, 100, 2, |factor: u64, chunk: &mut [u64]| {
//!     chunk.iter_mut().for_each(|x| *x *= factor);
//! })?;
//! assert!(array.iter().all(|&x| x == 14));
//! # pool.shutdown()
//! # }
//! ```
#![forbid(unsafe_code)]

mod array;
mod backend;
mod pipes;

pub use array::Array;
pub use backend::backend;
pub use multiproc::{Error, Result, StartMethod, init, pool::AsyncResult};
pub use pipes::{PipePort, PipeStream, Pipes};

/// Worker processes that are sent arguments and send results through pipes.
pub type Pool = multiproc::pool::Pool<Pipes>;

/// A [`Pool`] in the making.
pub type Builder = multiproc::pool::Builder<Pipes>;

#[doc(hidden)]
pub type Rehearsal = multiproc::pool::Rehearsal<Pipes>;
