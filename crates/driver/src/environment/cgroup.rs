//! The processor quota and throttling of this process's cgroup, version 1 or 2.

use std::{
    fs,
    path::{Path, PathBuf},
};

const ROOT: &str = "/sys/fs/cgroup";

/// Processors that the tightest quota from here up to the root allows, or
/// `None` if there is none.
pub(crate) fn quota_cores() -> Option<f64> {
    folders().iter().filter_map(|folder| quota(folder)).min_by(f64::total_cmp)
}

/// How often the quota has stopped this cgroup so far.
pub(crate) fn throttled_periods() -> Option<u64> {
    let folders = folders();
    let stat =
        folders.iter().find_map(|folder| fs::read_to_string(folder.join("cpu.stat")).ok())?;
    stat.lines().find_map(|line| line.strip_prefix("nr_throttled ")?.trim().parse().ok())
}

/// This process's cgroup folders, the innermost first. In a container the
/// path that `/proc/self/cgroup` names may lie outside the visible tree; the
/// walk ends at the mount's root either way.
fn folders() -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let lines = table.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':');
        Some((fields.next()?, fields.next()?, fields.next()?))
    });
    let mut folders = Vec::new();
    for (_, controllers, path) in lines {
        let mount = match controllers {
            "" => PathBuf::from(ROOT),
            list if list.split(',').any(|name| name == "cpu") => Path::new(ROOT).join(list),
            _ => continue,
        };
        let inner = Path::new(path.trim_start_matches('/'));
        folders.extend(inner.ancestors().map(|part| mount.join(part)));
    }
    folders
}

fn quota(folder: &Path) -> Option<f64> {
    let read = |name| fs::read_to_string(folder.join(name)).ok();
    match read("cpu.max") {
        Some(line) => cores_of(&line),
        None => cores_of(&format!(
            "{} {}",
            read("cpu.cfs_quota_us")?.trim(),
            read("cpu.cfs_period_us")?.trim()
        )),
    }
}

/// `quota period`, both in microseconds; `max` and -1 mean unlimited.
fn cores_of(line: &str) -> Option<f64> {
    let (quota, period) = line.trim().split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_of_both_versions_are_read() {
        assert_eq!(cores_of("150000 100000\n"), Some(1.5));
        assert_eq!(cores_of("max 100000\n"), None);
        assert_eq!(cores_of("-1 100000"), None);
    }
}
