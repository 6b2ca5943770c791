//! Strategies on std threads.
//!
//! - `threads`: a persistent pool with one shared queue, as thread pools are
//!   written with the standard library: a mutex, a condition variable, one
//!   entry a task.
//! - `threads-scoped`: new threads for every run, each with an equal share of
//!   the tasks, as `std::thread::scope` suggests.
#![forbid(unsafe_code)]

mod pool;
mod scoped;

use harness::{Backend, BackendError, Configuration};

/// Name of the strategy with the persistent pool.
pub const THREADS: &str = "threads";

/// Name of the strategy with the static split.
pub const THREADS_SCOPED: &str = "threads-scoped";

/// The thread backend that `configuration` names.
///
/// # Errors
///
/// If it names neither of the two, or asks for a start method.
pub fn backend(configuration: &Configuration) -> Result<Box<dyn Backend>, BackendError> {
    if configuration.strategy.start_method.is_some() {
        return Err(BackendError::unsupported(configuration, "threads have no start method"));
    }
    let workers = configuration.workers.get();
    match configuration.strategy.backend.as_str() {
        THREADS => Ok(Box::new(pool::Threads { workers })),
        THREADS_SCOPED => Ok(Box::new(scoped::Scoped { workers })),
        _ => Err(BackendError::unsupported(configuration, "not a strategy on std threads")),
    }
}
