//! A process that runs a function, as its parent holds it.

mod end;
mod plan;

use std::{fmt, marker::PhantomData, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use self::plan::Plan;
use super::{
    BEGINS_WITHIN, Biography, ExitStatus,
    line::Said,
    registry::{self, Started},
    target,
};
use crate::{Result, codec};

/// A process that calls a function with arguments of its own and returns a
/// value.
///
/// The function is a plain one or a closure that captures nothing; everything
/// that it needs goes into its argument, a tuple if there are several, which
/// may hold handles of this crate: connections, queues, locks, shared memory.
///
/// ```
/// use multiproc::Process;
///
/// let mut process = Process::new(|(base, exponent): (u64, u32)| base.pow(exponent), (7, 3));
/// process.start()?;
/// assert_eq!(process.result()?, 343);
/// # Ok::<(), multiproc::Error>(())
/// ```
///
/// A dropped handle leaves its process running: it is still among the
/// [`active_children`](crate::active_children), and when this process exits
/// normally it is waited for, or killed if it is a [daemon](Self::daemon). If
/// this process is killed, all its children are, and theirs.
pub struct Process<R = ()> {
    plan: Plan,
    state: State,
    result: PhantomData<fn() -> R>,
}

type EncodeArguments = Box<dyn Fn() -> Result<codec::Encoded> + Send>;

enum State {
    /// The arguments are encoded at the start.
    New(EncodeArguments),
    Started(Arc<Started>),
    Ended {
        started: Arc<Started>,
        status: ExitStatus,
        said: Option<Said>,
    },
    Closed,
}

impl<R: Serialize + DeserializeOwned> Process<R> {
    /// A process that will call `target` with `arguments`, which are kept
    /// until it has started and dropped then.
    pub fn new<A, F>(target: F, arguments: A) -> Self
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        let number = registry::next_number();
        let this = Biography::of_this_process();
        let plan = Plan {
            number,
            name: format!("Process-{}", this.lineage_of_child(number)),
            is_daemon: this.is_daemon,
            start_method: None,
            cores: Vec::new(),
            patience: BEGINS_WITHIN,
            entry: target::entry(target),
        };
        let state = State::New(Box::new(move || codec::encode(&arguments)));
        Self { plan, state, result: PhantomData }
    }
}

impl<R> Process<R> {
    /// Its process id, once it was started.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.started().map(|started| started.process.pid())
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// Whether it is killed, and not waited for, when this process exits.
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.plan.is_daemon
    }

    /// Whether it was started and still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.started().is_some_and(Started::is_alive)
    }

    fn started(&self) -> Option<&Started> {
        match &self.state {
            State::Started(started) | State::Ended { started, .. } => Some(started),
            State::New(_) | State::Closed => None,
        }
    }
}

impl<R> Drop for Process<R> {
    fn drop(&mut self) {
        if let State::Started(started) = &self.state {
            // Its function's value is not kept for nobody.
            started.process.hang_up();
        }
    }
}

impl<R> fmt::Debug for Process<R> {
    /// Neither waits nor reaps: the exit code is there once somebody has asked
    /// for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.started().and_then(|started| started.process.status());
        f.debug_struct("Process")
            .field("name", &self.plan.name)
            .field("pid", &self.pid())
            .field("exit_code", &status.map(|status| status.code))
            .finish_non_exhaustive()
    }
}
