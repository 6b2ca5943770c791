//! How many processors there are.

use std::num::NonZeroUsize;

use nix::unistd::{SysconfVar, sysconf};

/// Processors that this process can use: affinity and cgroup quota counted, as
/// [`available_parallelism`](std::thread::available_parallelism) does. A quota of
/// two and a half is two.
#[must_use]
pub fn cpu_count() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Processors of the machine that are online, whether or not this process may
/// use them; see [`cpu_count`].
#[must_use]
pub fn host_cpu_count() -> NonZeroUsize {
    let online = sysconf(SysconfVar::_NPROCESSORS_ONLN).ok().flatten();
    let online = online.and_then(|count| usize::try_from(count).ok());
    online.and_then(NonZeroUsize::new).unwrap_or_else(cpu_count)
}
