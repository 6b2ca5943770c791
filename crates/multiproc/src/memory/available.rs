//! How much memory can be had before somebody is killed for it.

use std::{fs, io, path::Path};

use nix::{
    sys::resource::{Resource, getrlimit},
    unistd::{SysconfVar, sysconf},
};

/// So little is not worth a look at what is available, which costs some
/// hundred microseconds and would be part of every pool's start.
const ALWAYS_FITS: u64 = 1 << 20;

/// Whether `bytes` of memory can be taken, asked before any of it is: a
/// kernel that overcommits would hand out the pages and then kill somebody
/// for them.
pub(crate) fn may_be_taken(bytes: u64) -> io::Result<()> {
    if bytes > ALWAYS_FITS && bytes > available_memory() {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    Ok(())
}

/// Whether a memory file can have a size of `bytes`: beyond the limit, which
/// holds for such files too, the kernel would send `SIGXFSZ`, which kills.
pub(crate) fn may_be_file(bytes: u64) -> io::Result<()> {
    if bytes > file_size_limit() {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    Ok(())
}

/// Whether `bytes` more can be mapped, asked before they are taken: all of them
/// would be, only to be given back when the mapping is refused.
pub(super) fn may_be_mapped(bytes: u64) -> io::Result<()> {
    let limit = getrlimit(Resource::RLIMIT_AS).map_or(u64::MAX, |(soft, _)| soft);
    // No limit is the usual case, and costs a system call only.
    if limit < u64::MAX && bytes > ALWAYS_FITS && bytes > limit.saturating_sub(mapped()) {
        return Err(io::Error::from_raw_os_error(libc::ENOMEM));
    }
    Ok(())
}

/// Bytes of address space that this process has in use; 0 if that cannot be read.
fn mapped() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    bytes_in(&status, "VmSize:").unwrap_or(0)
}

/// The number of bytes in a line that tells kibibytes.
fn bytes_in(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Bytes of memory that the machine has.
pub(crate) fn physical() -> usize {
    let number =
        |name| sysconf(name).ok().flatten().and_then(|number| usize::try_from(number).ok());
    let pages = number(SysconfVar::_PHYS_PAGES).unwrap_or(usize::MAX);
    pages.saturating_mul(number(SysconfVar::PAGE_SIZE).unwrap_or(4096))
}

/// The size of a file, in bytes, that this process may make.
pub(crate) fn file_size_limit() -> u64 {
    getrlimit(Resource::RLIMIT_FSIZE).map_or(u64::MAX, |(soft, _)| soft)
}

/// Memory that this process can still take, in bytes: what the machine has
/// available, and what the limits of its cgroup and of those above leave.
/// What cannot be read limits nothing.
pub(crate) fn available_memory() -> u64 {
    let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let headrooms = cgroups.lines().filter_map(|line| {
        // `0::/path` in version 2, `4:memory:/path` in version 1.
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        match controllers {
            "" => least_headroom("/sys/fs/cgroup", path, ["memory.max", "memory.current"]),
            "memory" => {
                let files = ["memory.limit_in_bytes", "memory.usage_in_bytes"];
                least_headroom("/sys/fs/cgroup/memory", path, files)
            }
            _ => None,
        }
    });
    headrooms.chain(machine()).min().unwrap_or(u64::MAX)
}

/// `MemAvailable` of `/proc/meminfo`.
fn machine() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    bytes_in(&meminfo, "MemAvailable:")
}

/// The smallest headroom of a cgroup and its ancestors.
fn least_headroom(root: &str, path: &str, [limit, usage]: [&str; 2]) -> Option<u64> {
    let group = Path::new(root).join(path.trim_start_matches('/'));
    let ancestors = group.ancestors().take_while(|folder| folder.starts_with(root));
    let headroom = |folder: &Path| {
        let number =
            |file: &str| fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok();
        // No limit reads `max` in version 2.
        let (limit, used) = (number(limit)?, number(usage)?);
        Some(limit.saturating_sub(used.saturating_sub(reclaimable(folder))))
    };
    ancestors.filter_map(headroom).min()
}

/// Cached files, which the kernel drops before it kills anybody.
fn reclaimable(folder: &Path) -> u64 {
    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let line = stat.lines().find_map(|line| line.strip_prefix("inactive_file "));
    line.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "needs /proc")]
    fn there_is_some_memory_and_not_more_than_the_machine_has() {
        let available = available_memory();
        assert!(available > 1 << 20);
        assert!(available <= machine().expect("/proc is mounted").saturating_mul(2));
    }
}
