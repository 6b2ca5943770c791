//! Cores to run on.

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use crate::trouble::{Result, Trouble};

/// All figures compare on so many cores.
pub(crate) const WORKERS: usize = 2;

/// The first two cores that this thread may run on.
///
/// # Errors
///
/// If there is only one.
pub(crate) fn two_cores() -> Result<[usize; WORKERS]> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    let mut cores = (0..CpuSet::count()).filter(|&core| set.is_set(core).unwrap_or(false));
    match (cores.next(), cores.next()) {
        (Some(first), Some(second)) => Ok([first, second]),
        _ => Err(Trouble::lacking("it takes two cores")),
    }
}

/// Keeps the calling thread on `core`. That it cannot be kept there is no
/// failure: it may still run there.
pub(crate) fn pin(core: usize) {
    let mut set = CpuSet::new();
    if set.set(core).is_ok() {
        let _ = sched_setaffinity(Pid::from_raw(0), &set);
    }
}
