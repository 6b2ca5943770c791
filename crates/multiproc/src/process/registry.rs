//! The children that this process has started and that have not ended.
//!
//! A handle may be dropped while its process runs; the process goes on, and
//! what is left of it is here: enough to find it again, to wait for it when
//! this process exits, and to reap it.

use std::{
    collections::BTreeMap,
    os::fd::BorrowedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout},
    sys::signal::Signal,
};

use super::{ending, supervised::Supervised, this_process};
use crate::Result;

/// A child as every holder of it sees it.
#[derive(Debug)]
pub(super) struct Started {
    /// Which child of this process it is, counted from 1.
    pub(super) number: u64,
    pub(super) is_daemon: bool,
    pub(super) process: Supervised,
}

struct Registry {
    /// The process whose children these are. A forked one inherits the list
    /// of its parent, whose descriptors are not its to close.
    owner: u32,
    /// How many [`Process`](super::Process)es were made.
    made: u64,
    children: BTreeMap<u64, Arc<Started>>,
}

static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { owner: 0, made: 0, children: BTreeMap::new() });

fn registry() -> MutexGuard<'static, Registry> {
    let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    if registry.owner != this_process() {
        std::mem::forget(std::mem::take(&mut registry.children));
        registry.owner = this_process();
        registry.made = 0;
    }
    registry
}

/// The number of a new process.
pub(super) fn next_number() -> u64 {
    let mut registry = registry();
    registry.made += 1;
    registry.made
}

pub(super) fn add(started: &Arc<Started>) {
    ending::wait_for_children_at_exit();
    registry().children.insert(started.number, Arc::clone(started));
}

fn all() -> Vec<Arc<Started>> {
    registry().children.values().cloned().collect()
}

/// Reaps the children that have ended and that nobody holds.
pub(super) fn reap_forsaken() {
    let forsaken: Vec<Arc<Started>> = {
        let registry = registry();
        let forsaken = registry.children.values().filter(|child| Arc::strong_count(child) == 1);
        forsaken.cloned().collect()
    };
    reap_ended(&forsaken);
}

fn reap_ended(children: &[Arc<Started>]) {
    if children.is_empty() {
        return;
    }
    // One call for all of them.
    let mut sentinels: Vec<PollFd<'_>> = children
        .iter()
        .map(|child| PollFd::new(child.process.sentinel(), PollFlags::POLLIN))
        .collect();
    if nix::poll::poll(&mut sentinels, PollTimeout::ZERO).is_ok() {
        let ended = sentinels.iter().map(|sentinel| sentinel.any().unwrap_or(false));
        for (child, _) in children.iter().zip(ended).filter(|(_, ended)| *ended) {
            // What cannot be reaped now cannot be reaped ever.
            let _ = child.join(Some(Duration::ZERO));
        }
    }
}

/// Ends the daemons and waits for the others, and for those that are started
/// in the meantime.
pub(super) fn wait_for_all() {
    loop {
        let children = all();
        if children.is_empty() {
            return;
        }
        for daemon in children.iter().filter(|child| child.is_daemon) {
            daemon.process.signal(Signal::SIGKILL);
        }
        for child in children {
            let _ = child.join(None);
        }
    }
}

impl Started {
    /// Waits for the end for at most `timeout`; whether it has come. Nobody
    /// else needs to look after a child that has ended.
    pub(super) fn join(&self, timeout: Option<Duration>) -> Result<bool> {
        let waited = self.process.wait(timeout);
        if !matches!(waited, Ok(None)) && self.process.is_ours() {
            let forgotten = registry().children.remove(&self.number);
            drop(forgotten);
        }
        Ok(waited?.is_some())
    }

    pub(super) fn is_alive(&self) -> bool {
        matches!(self.join(Some(Duration::ZERO)), Ok(false))
    }
}

/// A running child of this process; from [`active_children`].
#[derive(Clone, Debug)]
pub struct ActiveChild {
    started: Arc<Started>,
}

/// The children that this process has started with
/// [`Process`](crate::Process) and that have not ended, in the order of their
/// making. Those whose handles were dropped are among them.
///
/// Reaps the children that have ended, as in Python.
#[must_use]
pub fn active_children() -> Vec<ActiveChild> {
    reap_ended(&all());
    all().into_iter().map(|started| ActiveChild { started }).collect()
}

impl ActiveChild {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.started.process.name()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.started.process.pid()
    }

    /// Whether it is ended, and not waited for, when this process exits.
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.started.is_daemon
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.started.is_alive()
    }

    /// Readable once it has ended.
    #[must_use]
    pub fn sentinel(&self) -> BorrowedFd<'_> {
        self.started.process.sentinel()
    }

    /// Waits until it ends.
    ///
    /// # Errors
    ///
    /// If the exit status cannot be had.
    pub fn join(&self) -> Result<()> {
        self.started.join(None).map(drop)
    }

    /// Waits until it ends, for at most `timeout`; whether it has ended.
    ///
    /// # Errors
    ///
    /// If the exit status cannot be had.
    pub fn join_timeout(&self, timeout: Duration) -> Result<bool> {
        self.started.join(Some(timeout))
    }

    /// Asks it to end, with `SIGTERM`.
    pub fn terminate(&self) {
        self.started.process.signal(Signal::SIGTERM);
    }

    /// Ends it, with `SIGKILL`.
    pub fn kill(&self) {
        self.started.process.signal(Signal::SIGKILL);
    }
}
