//! The strategies that this binary hosts itself.

use harness::{Backend, BackendError, Configuration, StartMethod, Strategy};

/// A backend by name.
pub(crate) struct Entry {
    /// As on the command line, in configs and in records.
    pub(crate) name: &'static str,
    /// One line on what it is.
    pub(crate) description: &'static str,
    /// Empty for all but process pools.
    pub(crate) start_methods: &'static [StartMethod],
    /// Makes it.
    pub(crate) construct: Constructor,
}

type Constructor = fn(&Configuration) -> Result<Box<dyn Backend>, BackendError>;

/// The static split over scoped threads, which has no warm workers.
pub(crate) const SCOPED_THREADS: &str = "threads-scoped";

/// Every backend, in the order in which reports show them.
pub(crate) const ALL: &[Entry] = &[
    Entry {
        name: Strategy::SERIAL,
        description: "the baseline: one thread, no dispatch",
        start_methods: &[],
        construct: serial::backend,
    },
    Entry {
        name: "threads",
        description: "a persistent pool of std threads with a shared queue",
        start_methods: &[],
        construct: threads::backend,
    },
    Entry {
        name: SCOPED_THREADS,
        description: "std threads started for every run, each with a static part of the tasks",
        start_methods: &[],
        construct: threads::backend,
    },
    Entry {
        name: "rayon",
        description: "a rayon thread pool, which steals work",
        start_methods: &[],
        construct: rayon_pool::backend,
    },
    Entry {
        name: "pipe-pool",
        description: "a pool of processes, payloads through pipes",
        start_methods: &StartMethod::ALL,
        construct: pipe_pool::backend,
    },
    Entry {
        name: "shm-pool",
        description: "a pool of processes, payloads and dispatch in shared memory",
        start_methods: &StartMethod::ALL,
        construct: shm_pool::backend,
    },
];

/// The backend called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.name == name)
}

impl Entry {
    /// The table rows of this backend: one, or one for each of its start
    /// methods that is among `chosen`.
    pub(crate) fn strategies(&self, chosen: &[StartMethod]) -> Vec<Strategy> {
        if self.start_methods.is_empty() {
            return vec![Strategy::named(self.name)];
        }
        let methods = self.start_methods.iter().filter(|method| chosen.contains(method));
        methods
            .map(|&method| Strategy { start_method: Some(method), ..Strategy::named(self.name) })
            .collect()
    }
}
