//! Building a pool.

use std::{
    marker::PhantomData,
    num::{NonZeroU64, NonZeroUsize},
    sync::Arc,
    time::Duration,
};

use nix::{
    sched::{CpuSet, sched_getaffinity},
    unistd::Pid,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Pool, Statistics,
    config::{Config, Initialiser, Pinning, Progress, Spins, Waiting},
    function::HookFn,
    jobs::Policy,
    shared::Shared,
    transport::Transport,
};
use crate::{
    Error, Result, SHUTDOWN_PATIENCE, StartMethod, codec, cpu_count, start_method::settle_default,
};

/// Far more than a start takes, even of a program whose `main` has much to do
/// before its first line is reached, on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A pool in the making.
#[must_use = "it builds nothing before `build()`"]
pub struct Builder<T> {
    workers: Option<usize>,
    /// `None`: by the default.
    start_method: Option<StartMethod>,
    pinning: Pinning,
    config: Config,
    transport: PhantomData<fn() -> T>,
}

impl<T: Transport> Default for Builder<T> {
    fn default() -> Self {
        let config = Config {
            workers: NonZeroUsize::MIN,
            start_method: StartMethod::default(),
            name: T::NAME.to_owned(),
            start_timeout: START_TIMEOUT,
            exit_timeout: SHUTDOWN_PATIENCE,
            cores: Vec::new(),
            memory_cap: None,
            max_tasks: None,
            wants_backtraces: false,
            initialiser: None,
            exit_hook: None,
            policy: Policy::default(),
            progress: None,
            spins: Spins::default(),
            waiting: Waiting::default(),
            caller_helps: false,
        };
        Self {
            workers: None,
            start_method: None,
            pinning: Pinning::None,
            config,
            transport: PhantomData,
        }
    }
}

/// The workers.
impl<T: Transport> Builder<T> {
    /// Worker processes; by default as many as there are processors that this
    /// process can use, affinity and cgroup quota counted.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// How the workers are started; otherwise by the
    /// [default](crate::default_start_method).
    pub fn start_method(mut self, start_method: StartMethod) -> Self {
        self.start_method = Some(start_method);
        self
    }

    /// What `ps` and `top` show of the workers, followed by their seat: the
    /// replacement of a worker has its name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.config.name = name.into();
        self
    }

    /// How long a worker may take to answer before the build has failed.
    pub fn start_timeout(mut self, start_timeout: Duration) -> Self {
        self.config.start_timeout = start_timeout;
        self
    }

    /// On which cores the workers run.
    pub fn pinning(mut self, pinning: Pinning) -> Self {
        self.pinning = pinning;
        self
    }

    /// What the workers do that have nothing to do. Pools whose workers cannot
    /// look for work without asking the system ignore it.
    pub fn waiting(mut self, waiting: Waiting) -> Self {
        self.config.waiting = waiting;
        self
    }

    pub(crate) fn set_caller_helps(mut self, helps: bool) -> Self {
        self.config.caller_helps = helps;
        self
    }

    /// Has every worker call `f` with a copy of `argument` before its first
    /// task. The argument may hold handles of this crate. If it panics in one
    /// of the first workers, [`build`](Self::build) fails; later the worker
    /// counts as one that has died.
    pub fn initialiser<A, F>(mut self, f: F, argument: A) -> Self
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) + Copy + Send + 'static,
    {
        let encode = Box::new(move || codec::encode(&argument));
        self.config.initialiser = Some(Initialiser { token: HookFn::new(f).token(), encode });
        self
    }

    /// How long a worker that was told to end and has nothing more to do may
    /// take for that, its [exit hook](Self::exit_hook) included, before it is
    /// killed: five seconds if nothing is said.
    pub fn exit_timeout(mut self, exit_timeout: Duration) -> Self {
        self.config.exit_timeout = exit_timeout;
        self
    }

    /// Has every worker call `f` when it ends in order: at
    /// [`shutdown`](Pool::shutdown) or after its
    /// [last task](Self::max_tasks_per_worker). It has [so
    /// long](Self::exit_timeout) for that.
    pub fn exit_hook<F: Fn() + Copy + Send + 'static>(mut self, f: F) -> Self {
        self.config.exit_hook = Some(HookFn::new(move |(): ()| f()).token());
        self
    }

    /// Replaces a worker after so many tasks, for tasks that leak. What it was
    /// given is done before it ends, and its successor begins meanwhile. So there
    /// may be twice as many workers as seats for a while, and not more: who takes
    /// the seat next waits for the first of them to end.
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub fn max_tasks_per_worker(mut self, tasks: u64) -> Self {
        let tasks = NonZeroU64::new(tasks).expect("a worker does at least one task");
        self.config.max_tasks = Some(tasks);
        self
    }

    /// How many bytes of memory of its own (`RLIMIT_DATA`: heap, stacks of
    /// threads, private mappings) a worker may have. A task that wants more
    /// aborts its worker, which is an error of that task.
    pub fn worker_memory_cap(mut self, bytes: u64) -> Self {
        self.config.memory_cap = Some(bytes);
        self
    }

    /// Whether the error of a task that panics has the calls that led there.
    /// To take them costs some milliseconds each time.
    pub fn backtraces(mut self, wanted: bool) -> Self {
        self.config.wants_backtraces = wanted;
        self
    }
}

/// The tasks, unless a [call](Pool::call) says otherwise.
impl<T: Transport> Builder<T> {
    /// Begins a task again whose worker died while it ran, so many times; for
    /// tasks that may run more than once. 0 if nothing is said: the task has
    /// failed then.
    pub fn retries(mut self, retries: u32) -> Self {
        self.config.policy.retries = retries;
        self
    }

    /// Never begins a task again that may have been begun before. Workers write
    /// every result before they begin the next task, so that one death still
    /// costs at most one task; in a pool with pipes that is a system call more
    /// a task.
    pub fn at_most_once(mut self, at_most_once: bool) -> Self {
        self.config.policy.at_most_once = at_most_once;
        self
    }

    /// A task that runs for longer than this is asked to stop: it learns so
    /// from [`is_asked_to_stop`](super::is_asked_to_stop). Measured from the
    /// task's begin in its worker.
    pub fn soft_deadline(mut self, limit: Duration) -> Self {
        self.config.policy.soft_deadline = Some(limit);
        self
    }

    /// A task that runs for longer than this is ended with its worker, which is
    /// replaced; it has failed with [`Error::DeadlineExceeded`] and is not
    /// begun again. A worker that has such a task and does not get on for that
    /// long without executing anything, because it was stopped, is replaced
    /// too, and nothing has failed.
    pub fn hard_deadline(mut self, limit: Duration) -> Self {
        self.config.policy.hard_deadline = Some(limit);
        self
    }

    /// Has `tell` called with the pool's [`Statistics`] every so often, on the
    /// thread that waits for the pool just then; not while nobody waits, and
    /// never on two threads at once. It should be short.
    pub fn on_progress(
        mut self,
        every: Duration,
        tell: impl Fn(&Statistics) + Send + Sync + 'static,
    ) -> Self {
        let every = every.max(Duration::from_millis(1));
        self.config.progress = Some(Progress { every, tell: Arc::new(tell) });
        self
    }

    /// Starts the workers and returns when every one is ready.
    ///
    /// # Errors
    ///
    /// [`Error::NoWorkers`] for 0 workers; [`Error::ForkWithThreads`] for
    /// [`StartMethod::Fork`] in a process with several threads;
    /// [`Error::InitialiserFailed`]; [`Error::CoresNotAvailable`] as the
    /// latter; otherwise if a worker cannot be started or does not answer.
    /// Nothing is left then.
    pub fn build(self) -> Result<Pool<T>> {
        let mut config = self.config;
        let cores = cpu_count();
        config.workers = match self.workers {
            Some(workers) => NonZeroUsize::new(workers).ok_or(Error::NoWorkers)?,
            None => cores,
        };
        config.spins = Spins::of(config.workers, cores, config.waiting);
        config.start_method = self.start_method.unwrap_or_else(settle_default);
        if config.policy.at_most_once && config.policy.retries > 0 {
            return Err(Error::RetriesAtMostOnce);
        }
        config.cores = match self.pinning {
            Pinning::None => Vec::new(),
            Pinning::Spread => available_cores()?,
            Pinning::Cores(cores) if cores.is_empty() => {
                let source = std::io::ErrorKind::InvalidInput.into();
                return Err(Error::CoresNotAvailable { cores, source });
            }
            Pinning::Cores(cores) => cores,
        };
        Ok(Pool { shared: Shared::start(config)? })
    }
}

/// The cores that this thread may run on.
fn available_cores() -> Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0)).map_err(Error::errno("get the affinity"))?;
    Ok((0..CpuSet::count()).filter(|&core| set.is_set(core).unwrap_or(false)).collect())
}
