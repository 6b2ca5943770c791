//! What both pools have in common before they have workers.

use std::{marker::PhantomData, num::NonZeroUsize, time::Duration};

use crate::{Error, Result, StartMethod, cpu_count, start_method::settle_default};

/// How the workers of a pool are to be started.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Worker processes.
    pub workers: NonZeroUsize,
    /// How they are started.
    pub start_method: StartMethod,
    /// What `ps` and `top` show of them, followed by their index.
    pub name: String,
    /// How long a worker may take to answer before the start has failed.
    pub start_timeout: Duration,
}

/// Far more than a start takes, even of a program whose `main` has much to do
/// before its first line is reached, on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a worker that was told to end may take before it is killed. It
/// has no task then and needs microseconds; a machine that is this busy is
/// beyond order.
pub const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// A pool that a [`Builder`] can build.
pub trait Startable: Sized {
    /// Prefix of its workers' names.
    const NAME: &'static str;

    /// Starts the workers and returns when every one has answered.
    ///
    /// # Errors
    ///
    /// If one cannot be started or does not answer in time; none is left then.
    fn start(config: &PoolConfig) -> Result<Self>;
}

/// A pool in the making.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder<P> {
    workers: usize,
    /// `None`: by the default.
    start_method: Option<StartMethod>,
    name: String,
    start_timeout: Duration,
    pool: PhantomData<fn() -> P>,
}

impl<P: Startable> Default for Builder<P> {
    fn default() -> Self {
        Self {
            workers: cpu_count().get(),
            start_method: None,
            name: P::NAME.to_owned(),
            start_timeout: START_TIMEOUT,
            pool: PhantomData,
        }
    }
}

impl<P: Startable> Builder<P> {
    /// Worker processes; by default as many as there are processors that this
    /// process can use.
    pub fn workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// How the workers are started; otherwise by the
    /// [default](crate::default_start_method).
    pub fn start_method(self, start_method: StartMethod) -> Self {
        Self { start_method: Some(start_method), ..self }
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
    pub fn build(self) -> Result<P> {
        P::start(&PoolConfig {
            workers: NonZeroUsize::new(self.workers).ok_or(Error::NoWorkers)?,
            start_method: self.start_method.unwrap_or_else(settle_default),
            name: self.name,
            start_timeout: self.start_timeout,
        })
    }
}
