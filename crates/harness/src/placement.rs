//! Where workers run.

use std::marker::PhantomData;

use nix::{
    errno::Errno,
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use crate::backend::{BackendError, FailureKind};

/// Where the workers of a backend run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// Wherever the system puts them.
    #[default]
    Free,
    /// Worker i on the i-th core that the process may use, and from the first one
    /// again when there are more workers than cores.
    Pinned,
}

/// The cores that the threads of a backend are placed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seats {
    /// None: wherever the system puts them.
    cores: Vec<usize>,
}

/// The seat of a thread that outlives the backend. Dropping it lets the thread run
/// where it could before.
#[derive(Debug)]
pub struct Lent {
    before: Option<CpuSet>,
    /// It is the thread's that took it.
    _not_send: PhantomData<*const ()>,
}

/// The calling thread: affinity belongs to threads.
const SELF: Pid = Pid::from_raw(0);

impl Placement {
    /// What `pin = true` and `pin = false` stand for.
    #[must_use]
    pub const fn of(is_pinned: bool) -> Self {
        if is_pinned { Self::Pinned } else { Self::Free }
    }

    /// Whether every worker stays on one core.
    #[must_use]
    pub const fn is_pinned(self) -> bool {
        matches!(self, Self::Pinned)
    }

    /// Whether workers run wherever the system puts them: records leave it out.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        matches!(self, Self::Free)
    }
}

impl Seats {
    /// The seats that `placement` gives to the threads of this process: the cores
    /// that the calling thread may run on, if they are to be pinned.
    ///
    /// # Errors
    ///
    /// [`FailureKind::System`] if the system does not say which cores these are.
    pub fn of(placement: Placement) -> Result<Self, BackendError> {
        if placement.is_free() {
            return Ok(Self { cores: Vec::new() });
        }
        let allowed = sched_getaffinity(SELF).map_err(|errno| refused("a core", errno))?;
        let is_allowed = |core: &usize| allowed.is_set(*core).unwrap_or(false);
        Ok(Self { cores: (0..CpuSet::count()).filter(is_allowed).collect() })
    }

    /// Keeps the calling thread, which is that of `worker`, counted from 0, on the
    /// core that is its own; leaves it alone where workers are free.
    ///
    /// # Errors
    ///
    /// [`FailureKind::System`] if the system refuses, e.g. because the core was taken
    /// from this process meanwhile.
    pub fn take(&self, worker: usize) -> Result<(), BackendError> {
        if self.cores.is_empty() {
            return Ok(());
        }
        let core = self.cores[worker % self.cores.len()];
        let told = |errno| refused(&format!("core {core}"), errno);
        let mut only = CpuSet::new();
        only.set(core).map_err(told)?;
        sched_setaffinity(SELF, &only).map_err(told)
    }

    /// [`take`](Self::take)s a seat until the value is dropped: for a caller that
    /// does the work of a worker.
    ///
    /// # Errors
    ///
    /// As for [`take`](Self::take).
    pub fn borrow(&self, worker: usize) -> Result<Lent, BackendError> {
        let before = match self.cores.is_empty() {
            true => None,
            false => Some(sched_getaffinity(SELF).map_err(|errno| refused("a core", errno))?),
        };
        self.take(worker)?;
        Ok(Lent { before, _not_send: PhantomData })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Where it was allowed to run it is still: or else it stays where it is.
        self.before.map(|before| sched_setaffinity(SELF, &before));
    }
}

fn refused(to: &str, errno: Errno) -> BackendError {
    let problem = format!(
        "cannot pin a worker to {to}: {errno}\nhelp: see `taskset -cp $$`, or leave `pin` out of the config"
    );
    BackendError::new(FailureKind::System, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cores that the calling thread may run on.
    fn allowed() -> Vec<usize> {
        let set = sched_getaffinity(SELF).expect("it can be asked for");
        (0..CpuSet::count()).filter(|&core| set.is_set(core).unwrap_or(false)).collect()
    }

    /// Where a thread may run that has taken the seat of `worker`.
    fn seated(seats: &Seats, worker: usize) -> Vec<usize> {
        let thread = std::thread::scope(|scope| {
            scope.spawn(|| seats.take(worker).map(|()| allowed())).join()
        });
        thread.expect("it does not panic").expect("the core is allowed")
    }

    #[test]
    fn each_worker_has_a_core_and_those_beyond_them_share_in_turn() {
        let seats = Seats::of(Placement::Pinned).expect("the cores are known");
        let cores = allowed();
        for worker in 0..2 * cores.len() + 1 {
            assert_eq!(seated(&seats, worker), [cores[worker % cores.len()]], "worker {worker}");
        }
    }

    #[test]
    fn free_workers_stay_where_they_may_be() {
        let seats = Seats::of(Placement::Free).expect("nothing is asked");
        assert_eq!(seated(&seats, 1), allowed());
    }

    #[test]
    fn a_borrowed_seat_is_given_back() {
        let before = allowed();
        let seats = Seats::of(Placement::Pinned).expect("the cores are known");
        let lent = seats.borrow(1).expect("the core is allowed");
        assert_eq!(allowed(), [before[1 % before.len()]]);
        drop(lent);
        assert_eq!(allowed(), before);
    }

    #[test]
    fn a_core_that_cannot_be_had_is_a_typed_failure_that_says_which() {
        let seats = Seats { cores: vec![CpuSet::count() - 1] };
        let error = seats.take(0).expect_err("no machine has it");
        assert_eq!(error.kind, FailureKind::System);
        let core = format!("core {}", CpuSet::count() - 1);
        assert!(error.message.contains(&core) && error.message.contains("help:"), "{error}");
    }
}
