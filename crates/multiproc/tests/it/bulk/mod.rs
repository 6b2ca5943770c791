//! Arrays that the workers of a pool share, worked on chunk by chunk.

mod deaths;
mod helping;
mod jobs;
mod regions;

use multiproc::{SharedMemoryRings, StartMethod, pool};

type Pool = pool::Pool<SharedMemoryRings>;

fn pool(workers: usize, method: StartMethod) -> Pool {
    let pool = Pool::builder().workers(workers).start_method(method).build();
    pool.unwrap_or_else(|error| panic!("{error}"))
}

/// Adds 1 to every element.
fn increment((): (), chunk: &mut [u64]) {
    chunk.iter_mut().for_each(|x| *x += 1);
}
