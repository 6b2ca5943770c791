//! A process pool that moves payloads through pipes.
//!
//! Every worker has two pipes of its own, one to it and one from it, each with
//! a single writer and a single reader. The parent never blocks on one of
//! them, so results bigger than a pipe's buffer flow, and it sleeps on the
//! workers themselves too, so a death is noticed at once.
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
//!
//!     let mut array = vec![7; 1_000];
//!     pool.for_each_chunk(&mut array, 100, 2, |factor: u64, chunk: &mut [u64]| {
//!         chunk.iter_mut().for_each(|x| *x *= factor);
//!     })?;
//!     assert!(array.iter().all(|&x| x == 14));
//!     pool.shutdown()
//! }
//! ```
//!
//! Choose it where arguments and results are small against the work and live
//! in ordinary memory. Choose `shm-pool` where they are large: here every byte
//! is copied four times, through two pipes.
#![forbid(unsafe_code)]

mod async_result;
mod backend;
mod dispatch;
mod frame;
mod jobs;
mod lane;
mod pace;
mod pool;
mod tasks;
mod worker;

pub use async_result::AsyncResult;
pub use backend::backend;
pub use multiproc::{Builder, Error, Result, StartMethod, init};
pub use pool::Pool;
