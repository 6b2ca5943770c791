//! What a pool is told when it is built.

use std::{num::NonZeroU64, num::NonZeroUsize, sync::Arc, time::Duration};

use super::{jobs::Policy, statistics::Statistics, status::Status, worker::Orders};
use crate::{
    Inheritance, Result, StartMethod, Token,
    codec::{self, Encoded},
    memory::Placed,
};

/// Where a pool's workers run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Pinning {
    /// Wherever the system puts them.
    #[default]
    None,
    /// Worker i on the i-th core that this process may use, and from the first
    /// one again when there are more workers.
    Spread,
    /// Worker i on the i-th of these cores, numbered as in `/proc/cpuinfo`,
    /// and from the first one again when there are more workers.
    Cores(Vec<usize>),
}

/// What workers do that have nothing to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Waiting {
    /// They sleep at once. Waking one costs some 50 µs between cores.
    Park,
    /// They look for work a while, if there is a core to spare for that, and
    /// sleep then.
    #[default]
    Adaptive,
    /// They look for work as long as the pool lives, which costs the time of as
    /// many cores. See also [`Pool::hot`](super::Pool::hot).
    Hot,
}

pub(super) struct Config {
    pub(super) workers: NonZeroUsize,
    pub(super) start_method: StartMethod,
    /// Prefix of the workers' names.
    pub(super) name: String,
    pub(super) start_timeout: Duration,
    pub(super) exit_timeout: Duration,
    /// The core of each worker, from the first again when they are used up.
    pub(super) cores: Vec<usize>,
    pub(super) memory_cap: Option<u64>,
    pub(super) max_tasks: Option<NonZeroU64>,
    pub(super) wants_backtraces: bool,
    pub(super) initialiser: Option<Initialiser>,
    pub(super) exit_hook: Option<Token>,
    /// Of calls that do not say otherwise.
    pub(super) policy: Policy,
    pub(super) progress: Option<Progress>,
    pub(super) spins: Spins,
    pub(super) waiting: Waiting,
    /// Whether the caller executes chunks of bulk jobs too.
    pub(super) caller_helps: bool,
}

/// For how long an empty stream is looked at before sleeping.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spins {
    pub(super) worker: Duration,
    pub(super) parent: Duration,
    /// Of somebody who waits for one worker while no more than those work for
    /// whom there are cores.
    pub(super) caller: Duration,
    /// How many cores there are.
    pub(super) cores: usize,
}

/// What every worker runs before its first task.
pub(super) struct Initialiser {
    pub(super) token: Token,
    /// Makes a copy of its argument for one more worker.
    pub(super) encode: Box<dyn Fn() -> Result<Encoded> + Send>,
}

/// Somebody who wants to be told how the pool gets on.
#[derive(Clone)]
pub(super) struct Progress {
    pub(super) every: Duration,
    pub(super) tell: Arc<dyn Fn(&Statistics) + Send + Sync>,
}

/// A worker or parent that waits looks for so long before it sleeps, if there
/// is a core to spare: about what waking a sleeper costs, so that waiting never
/// costs more than twice the best that could have been done (Karlin et al.,
/// "Competitive randomized algorithms for nonuniform problems", 1990).
const SPIN_WITH_CORES_TO_SPARE: Duration = Duration::from_micros(50);

/// Otherwise a worker looks for so long, which bridges back-to-back jobs and is
/// less than a time slice by far.
const SPIN_WITHOUT: Duration = Duration::from_micros(5);

impl Spins {
    /// For so many workers on so many cores.
    pub(super) fn of(workers: NonZeroUsize, cores: NonZeroUsize, waiting: Waiting) -> Self {
        let order = workers.cmp(&cores);
        let cores = cores.get();
        if waiting == Waiting::Park {
            return Self { cores, ..Self::default() };
        }
        let (worker, parent) = match order {
            std::cmp::Ordering::Less => (SPIN_WITH_CORES_TO_SPARE, SPIN_WITH_CORES_TO_SPARE),
            std::cmp::Ordering::Equal => (SPIN_WITHOUT, Duration::ZERO),
            // A spinner would hold up the work that it waits for.
            std::cmp::Ordering::Greater => (Duration::ZERO, Duration::ZERO),
        };
        Self { worker, parent, caller: SPIN_WITH_CORES_TO_SPARE, cores }
    }
}

impl Config {
    /// The name of the worker in `seat`.
    pub(super) fn name_of(&self, seat: usize) -> String {
        format!("{}-{seat}", self.name)
    }

    /// Workers in the seats before this one are those who look for work all
    /// the time: one fewer if the caller does the work of one.
    pub(super) fn hot_seats(&self) -> usize {
        self.workers.get() - usize::from(self.caller_helps && self.workers.get() > 1)
    }

    /// Where the worker in `seat` is pinned to.
    pub(super) fn core_of(&self, seat: usize) -> Option<usize> {
        self.cores.get(seat % self.cores.len().max(1)).copied()
    }

    /// For how long the worker in `seat` looks for work before it sleeps.
    fn spin_of(&self, seat: usize) -> Duration {
        // While the caller is awake it has the core of the worker that it
        // stands in for.
        let has_own_core = self.caller_helps && self.workers.get() <= self.spins.cores;
        match has_own_core && seat < self.hot_seats() {
            true => self.spins.caller,
            false => self.spins.worker,
        }
    }

    /// What the worker in `seat` is born with.
    pub(super) fn inheritance(
        &self,
        seat: usize,
        status: &Placed<Status>,
        streams: Vec<std::os::fd::OwnedFd>,
    ) -> Result<Inheritance> {
        let Encoded { bytes: status, mut descriptors } = codec::encode(status)?;
        let argument = self.initialiser.as_ref().map(|hook| (hook.encode)()).transpose()?;
        let (argument, argument_descriptors) =
            argument.map(|argument| (argument.bytes, argument.descriptors)).unzip();
        let orders = Orders {
            status,
            transport_descriptors: streams.len(),
            initialiser: self.initialiser.as_ref().map(|hook| hook.token).zip(argument),
            exit_hook: self.exit_hook,
            spin: self.spin_of(seat),
            writes_at_once: self.policy.at_most_once,
            wants_backtraces: self.wants_backtraces,
            memory_cap: self.memory_cap,
            cores: self.core_of(seat).into_iter().collect(),
        };
        descriptors.extend(streams);
        descriptors.extend(argument_descriptors.into_iter().flatten());
        Ok(Inheritance { payload: codec::encode(&orders)?.bytes, descriptors })
    }
}
