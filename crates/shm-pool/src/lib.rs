//! A process pool with payloads and dispatch in shared memory.
//!
//! ```
//! use shm_pool::{Pool, StartMethod};
//!
//! fn cube(x: u64) -> u64 {
//!     x.pow(3)
//! }
//!
//! fn main() -> shm_pool::Result<()> {
//!     shm_pool::init(); // child processes start here and never return
//!     let pool = Pool::builder().workers(2).start_method(StartMethod::ForkServer).build()?;
//!     assert_eq!(pool.map(cube, 1..=6)?, [1, 8, 27, 64, 125, 216]);
//!     pool.shutdown()
//! }
//! ```
//!
//! # Arrays
//!
//! An array of the pool lies in memory that all its workers share. A bulk call
//! is published once; workers claim its chunks, and steal them from each other,
//! with atomic operations on shared words, and work in place. Nothing is
//! copied, and there is no system call while there is work.
//!
//! ```
//! # fn main() -> shm_pool::Result<()> {
//! # shm_pool::init();
//! let pool = shm_pool::Pool::builder().workers(2).build()?;
//! let mut array = pool.array::<u64>(1_000)?;
//! array.fill(7);
//! pool.for_each_chunk(&mut array, 100, 2, |factor: u64, chunk: &mut [u64]| {
//!     chunk.iter_mut().for_each(|x| *x *= factor);
//! })?;
//! assert!(array.iter().all(|&x| x == 14));
//! # pool.shutdown()
//! # }
//! ```
//!
//! # When to choose it, and when not
//!
//! Choose it for work on large arrays of plain numbers, for tasks that are so
//! short that a system call counts, and where a crash of the work must not be a
//! crash of the program. Choose `pipe-pool` where workers are to share nothing
//! with this process but two pipes each. Choose threads where neither isolation
//! nor a separate address space is needed.
//!
//! # What it guarantees
//!
//! - A worker that is killed, aborts, calls `exit`, overflows its stack or runs
//!   out of memory costs at most the task, or the chunk of an array, that it
//!   executed: that has failed, or is begun again if the
//!   [pool](Builder::retries) or the [call](multiproc::pool::Call::retries)
//!   allows it. The worker is replaced.
//! - A chunk that has failed may be half-changed, unless the call allows
//!   retries: then it is copied before it is changed, and what has failed in the
//!   end is as it was. All other chunks are done, once.
//! - What may run twice: only what the call allows to be begun again.
//! - A panic, an argument or a result that cannot cross, and a task that takes
//!   longer than its deadline are errors of that task, and lose no other's
//!   result.
//! - No process of the pool outlives this one, however it ends, and nothing is
//!   left of a pool that was dropped. A program that a task executes is the task's
//!   own: it is not ended with the worker. The memory of an array is given back
//!   when it is dropped.
//!
//! Every worker has a piece of shared memory with two rings of bytes, one to it
//! and one from it, each with a single writer and a single reader. No lock is
//! involved that a dead worker could hold. Whoever is awake is not woken, and
//! whoever waits looks a while before it sleeps, if there is a core to spare.
#![forbid(unsafe_code)]

mod backend;

pub use backend::backend;
pub use multiproc::{
    Error, PoolArray as Array, Result, SharedMemoryRings, StartMethod, init, pool::AsyncResult,
};

/// Worker processes that share memory with this one.
pub type Pool = multiproc::pool::Pool<SharedMemoryRings>;

/// A [`Pool`] in the making.
pub type Builder = multiproc::pool::Builder<SharedMemoryRings>;

#[doc(hidden)]
pub type Rehearsal = multiproc::pool::Rehearsal<SharedMemoryRings>;
