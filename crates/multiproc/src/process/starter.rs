//! Starting several processes alike, at any time and from any thread.

use std::sync::Arc;

use super::{
    BEGINS_WITHIN, Biography, Child, Inheritance, Order,
    forkserver::{self, Server},
    launch,
};
use crate::{EntryPoint, Error, Result, StartMethod, bootstrap};

/// Starts a pool's workers, the first ones and those that replace them.
///
/// This process may get threads in between, which forbid `fork`. So under
/// [`StartMethod::Fork`] a copy of this process is made once, has never more
/// than one thread, and forks those that replace others. The first ones this
/// process forks itself: it has a single thread then.
#[derive(Debug)]
pub(crate) struct Starter {
    method: StartMethod,
    /// Under [`StartMethod::Fork`], when the first ones were started.
    nursery: Option<Arc<Server>>,
}

impl Starter {
    pub(crate) fn new(method: StartMethod) -> Result<Self> {
        if bootstrap::awaits_init() {
            return Err(Error::InitNotReached);
        }
        super::keep_exit_statuses();
        Ok(Self { method, nursery: None })
    }

    /// The first ones were started: from now on others are, at any time and from
    /// any thread.
    pub(crate) fn go_over_to_others(&mut self) -> Result<()> {
        if self.method == StartMethod::Fork {
            self.nursery = Some(forkserver::fork_here()?);
        }
        Ok(())
    }

    /// As [`start`](super::start).
    pub(crate) fn start(
        &mut self,
        name: &str,
        entry: EntryPoint,
        inheritance: Inheritance,
    ) -> Result<Child> {
        let biography = Biography::of_child(name, self.method);
        let order =
            Order { biography, entry, inheritance, has_line: false, patience: BEGINS_WITHIN };
        let Some(nursery) = &mut self.nursery else {
            return launch(self.method, order).map(Child::new);
        };
        if nursery.has_ended_already() {
            // Somebody has killed it. Another copy can be made while this
            // process has one thread.
            *nursery = forkserver::fork_here()?;
            tracing::warn!(target: "multiproc", "nursery made again");
        }
        if !nursery.can_fork()? {
            // Where a copy cannot fork this process must, while it can.
            return launch(self.method, order).map(Child::new);
        }
        let process = forkserver::start_from(nursery, order)?;
        let pid = process.pid();
        tracing::debug!(target: "multiproc", name, pid, method = %self.method, "process started");
        Ok(Child::new(process))
    }
}
