//! The pools as they are measured: the one place that says how.

use multiproc::{
    StartMethod,
    pool::{Bulk, Pinning, Pool},
};

use crate::trouble::Result;

/// A shared-memory pool for many tasks and for jobs of few parts: pinned, as the
/// peers may be. The caller is one of the `workers`, as it is with rayon's
/// `use_current_thread` and with chili.
pub(crate) fn shm(workers: usize) -> Result<shm_pool::Pool> {
    let builder = shm_pool::Pool::builder().workers(workers).start_method(StartMethod::Spawn);
    Ok(builder.pinning(Pinning::Spread).caller_helps(true).build()?)
}

/// A pool with pipes for many tasks, pinned.
pub(crate) fn pipe(workers: usize) -> Result<pipe_pool::Pool> {
    let builder = pipe_pool::Pool::builder().workers(workers).start_method(StartMethod::Spawn);
    Ok(builder.pinning(Pinning::Spread).build()?)
}

/// A pool for one call at a time: one worker, placed as the system likes.
pub(crate) fn for_single_calls<T: Bulk>() -> Result<Pool<T>> {
    as_it_comes(1, StartMethod::Spawn)
}

/// A pool as its users start it.
pub(crate) fn as_it_comes<T: Bulk>(workers: usize, method: StartMethod) -> Result<Pool<T>> {
    Ok(Pool::<T>::builder().workers(workers).start_method(method).build()?)
}
