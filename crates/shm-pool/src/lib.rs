//! A process pool with payloads and dispatch in shared memory.
//!
//! A job is published once; workers claim its tasks, and steal them from each
//! other, with atomic operations on shared words; results land in place. No
//! lock is involved that a dead worker could hold, and no system call while
//! there is work.
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
//!     let mut pool = Pool::builder().workers(2).start_method(StartMethod::ForkServer).build()?;
//!     assert_eq!(pool.map(cube, 1..=6)?, [1, 8, 27, 64, 125, 216]);
//!
//!     let mut array = pool.array::<u64>(1_000)?;
//!     array.fill(7);
//!     pool.for_each_chunk(&mut array, 100, 2, |factor: u64, chunk: &mut [u64]| {
//!         chunk.iter_mut().for_each(|x| *x *= factor);
//!     })?;
//!     assert!(array.iter().all(|&x| x == 14));
//!     pool.shutdown()
//! }
//! ```
//!
//! Choose it for work whose data can live in shared arrays, for small tasks,
//! and where a crash of the work must not be a crash of the program. Choose
//! threads where neither isolation nor a separate address space is needed.
#![forbid(unsafe_code)]

mod backend;
mod pool;

pub use backend::backend;
pub use multiproc::{BoardArray as SharedArray, Builder, Error, Result, StartMethod, init};
pub use pool::Pool;
