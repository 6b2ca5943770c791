//! Pinning a process to cores.

use std::io;

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity},
    unistd::Pid,
};

use crate::{Error, Result};

/// The calling thread: affinity belongs to threads.
const SELF: Pid = Pid::from_raw(0);

/// Whether a child of this process could be pinned to `cores`.
pub(super) fn check(cores: &[usize]) -> Result<()> {
    let before = sched_getaffinity(SELF).map_err(Error::errno("get the affinity"))?;
    // The kernel alone knows: what the cgroup allows may be more than the
    // affinity of this thread says, and less than the machine has.
    let tried = pin(cores);
    let restored = sched_setaffinity(SELF, &before).map_err(Error::errno("restore the affinity"));
    tried.and(restored)
}

/// Moves this thread to another core if it runs on one of `cores`, which
/// somebody else is about to need and cannot leave, and may run on others. The
/// system would find that out by itself, but within milliseconds.
pub(crate) fn step_aside(mut cores: impl Iterator<Item = usize> + Clone) {
    let Ok(here) = sched_getcpu() else { return };
    if cores.clone().all(|core| core != here) {
        return;
    }
    let Ok(before) = sched_getaffinity(SELF) else { return };
    let mut elsewhere = before;
    let is_known = cores.all(|core| elsewhere.unset(core).is_ok());
    // Refused if there is no other. Once there it stays.
    if is_known && sched_setaffinity(SELF, &elsewhere).is_ok() {
        let _ = sched_setaffinity(SELF, &before);
    }
}

/// Pins this thread, and those that it will start, to `cores`.
pub(crate) fn pin(cores: &[usize]) -> Result<()> {
    let refused = |source| Error::CoresNotAvailable { cores: cores.to_vec(), source };
    let mut wanted = CpuSet::new();
    for &core in cores {
        wanted.set(core).map_err(|errno| refused(errno.into()))?;
    }
    sched_setaffinity(SELF, &wanted).map_err(|errno| refused(errno.into()))?;
    // The kernel leaves out silently what it cannot give.
    let given = sched_getaffinity(SELF).map_err(|errno| refused(errno.into()))?;
    if given != wanted {
        return Err(refused(io::Error::other("not all of them can be used by this process")));
    }
    Ok(())
}
