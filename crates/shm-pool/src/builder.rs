//! How a pool is to be.

use std::{num::NonZeroUsize, time::Duration};

use multiproc::{Board, BoardConfig, Error, Result, StartMethod, cpu_count};

use crate::Pool;

/// A pool in the making; see [`Pool::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    workers: usize,
    start_method: StartMethod,
    name: String,
    start_timeout: Duration,
}

/// Far more than a start takes, even of a program whose `main` has much to do
/// before its first line is reached on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);

impl Default for Builder {
    fn default() -> Self {
        Self {
            workers: cpu_count().get(),
            start_method: StartMethod::default(),
            name: "shm-pool".to_owned(),
            start_timeout: START_TIMEOUT,
        }
    }
}

impl Builder {
    /// Worker processes; by default as many as there are processors that this
    /// process can use.
    pub fn workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// How the workers are started.
    pub fn start_method(self, start_method: StartMethod) -> Self {
        Self { start_method, ..self }
    }

    /// What `ps` and `top` show of the workers, followed by their index.
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// How long a worker may take to answer before the build has failed.
    pub fn start_timeout(self, start_timeout: Duration) -> Self {
        Self { start_timeout, ..self }
    }

    /// Starts the workers and returns when every one has answered.
    ///
    /// # Errors
    ///
    /// [`Error::NoWorkers`] for 0 workers; [`Error::ForkWithThreads`] for
    /// [`StartMethod::Fork`] in a process with several threads; otherwise if a
    /// worker cannot be started or does not answer. Nothing is left then.
    pub fn build(self) -> Result<Pool> {
        let config = BoardConfig {
            workers: NonZeroUsize::new(self.workers).ok_or(Error::NoWorkers)?,
            start_method: self.start_method,
            name: self.name,
            start_timeout: self.start_timeout,
        };
        Board::start(&config).map(Pool::new)
    }
}
