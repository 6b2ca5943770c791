//! What the driver says to processes that it starts itself. Nobody else types it.

use std::{ffi::OsString, num::NonZeroUsize, path::PathBuf};

use clap::Args;
use harness::StartMethod;

use super::parse_start_method;

/// What is done, and how often.
#[derive(Clone, Debug, Args)]
pub(crate) struct PathsArgs {
    /// One of the paths; without it, all are listed as JSON.
    pub(crate) name: Option<String>,

    /// How often.
    #[arg(long, default_value_t = 1)]
    pub(crate) times: u64,

    /// The driver's process: the path ends when it does.
    #[arg(long)]
    pub(crate) parent: Option<u32>,
}

/// A load that ends with another process, which need not have started it.
#[derive(Clone, Debug, Args)]
pub(crate) struct LoadArgs {
    /// E.g. the driver's process: the load ends when it does.
    #[arg(long)]
    pub(crate) parent: u32,

    /// Seed of when it comes and goes.
    #[arg(long)]
    pub(crate) seed: u64,
}

/// What a runner hosts.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunnerArgs {
    /// One of the backends that `driver list` names.
    #[arg(long)]
    pub(crate) backend: String,

    /// For process pools: fork, forkserver or spawn.
    #[arg(long, value_parser = parse_start_method)]
    pub(crate) start_method: Option<StartMethod>,

    /// Everything that executes tasks.
    #[arg(long)]
    pub(crate) workers: NonZeroUsize,

    /// Keeps each worker on a core of its own; on the first one again where there
    /// are more workers than cores.
    #[arg(long)]
    pub(crate) pin: bool,

    /// The driver's process: the runner ends when it does.
    #[arg(long)]
    pub(crate) parent: Option<u32>,

    /// Does so much more work in every run, as a share: for self-tests.
    #[arg(long, hide = true, default_value_t = 0.0)]
    pub(crate) extra_work: f64,
}

/// Which figure is measured, and on what terms.
#[derive(Clone, Debug, Args)]
pub(crate) struct LimitsRunnerArgs {
    /// Its name.
    pub(crate) figure: String,

    /// How long its rounds may take.
    #[arg(long)]
    pub(crate) seconds: f64,

    /// What python3 is to run.
    #[arg(long)]
    pub(crate) python_script: Option<PathBuf>,

    /// The driver's process: the measurement ends when it does.
    #[arg(long)]
    pub(crate) parent: u32,
}

/// A command that ends with the driver.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExecArgs {
    /// The driver's process: the command ends when it does.
    #[arg(long)]
    pub(crate) parent: u32,

    /// The command and its arguments.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<OsString>,
}
