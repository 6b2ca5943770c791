//! One suite that every backend must pass.
//!
//! A test harness is threaded, so nothing may fork in it. Each check
//! therefore runs in a process of its own ([`isolated`]), started afresh from
//! the test's executable: single-threaded, in its own process group, under a
//! watchdog, and it must leave nothing behind.
#![forbid(unsafe_code)]

mod answers;
mod bench;
mod cells;
mod census;
mod deaths;
mod isolation;
mod options;
mod placement;
pub mod pools;
pub mod soak;
pub mod storm;
mod terminal;

pub use answers::gives_right_answers;
pub use bench::bench_workloads;
pub use deaths::{dies_with_its_parent, survives_dead_workers};
pub use isolation::{Isolated, isolated};
pub use placement::{Caller, keeps_workers_in_their_seats};

use std::num::NonZeroUsize;

use harness::{Backend, BackendError, Configuration, StartMethod, Strategy};

/// A backend crate's constructor.
pub trait Constructor:
    Fn(&Configuration) -> Result<Box<dyn Backend>, BackendError> + Copy + Send + 'static
{
}

impl<F> Constructor for F where
    F: Fn(&Configuration) -> Result<Box<dyn Backend>, BackendError> + Copy + Send + 'static
{
}

/// A process pool's strategy.
#[must_use]
pub fn pool(backend: &str, start_method: StartMethod) -> Strategy {
    Strategy { start_method: Some(start_method), ..Strategy::named(backend) }
}

fn configuration(strategy: &Strategy, workers: usize) -> Configuration {
    let workers = NonZeroUsize::new(workers).expect("at least one worker");
    Configuration { strategy: strategy.clone(), workers }
}
