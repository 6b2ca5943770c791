//! The processor quota and throttling of this process's cgroup, version 1 or 2.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::files::Files;

const ROOT: &str = "/sys/fs/cgroup";

/// How much the quota has stopped a cgroup so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Throttling {
    /// Periods in which it was used up.
    pub(crate) periods: u64,
    /// Time of its tasks lost by that, summed over the cores.
    pub(crate) time: Duration,
}

/// Processors that the tightest quota from here up to the root allows, or
/// `None` if there is none.
pub(crate) fn quota_cores(files: &dyn Files) -> Option<f64> {
    folders(files).iter().filter_map(|folder| quota(files, folder)).min_by(f64::total_cmp)
}

/// What the quota has done so far; `None` where the kernel does not tell.
pub(crate) fn throttling(files: &dyn Files) -> Option<Throttling> {
    let folders = folders(files);
    let stats = folders.iter().filter_map(|folder| files.text(&at(folder, "cpu.stat")));
    stats.filter_map(|stat| throttling_of(&stat)).next()
}

/// `cpu.stat`: version 2 counts microseconds, version 1 nanoseconds.
fn throttling_of(stat: &str) -> Option<Throttling> {
    let field = |name: &str| {
        let mut lines = stat.lines();
        lines.find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok())
    };
    let time = field("throttled_usec ")
        .map(Duration::from_micros)
        .or_else(|| field("throttled_time ").map(Duration::from_nanos));
    Some(Throttling { periods: field("nr_throttled ")?, time: time.unwrap_or_default() })
}

/// This process's cgroup folders, the innermost first. In a container the
/// path that `/proc/self/cgroup` names may lie outside the visible tree; the
/// walk ends at the mount's root either way.
fn folders(files: &dyn Files) -> Vec<PathBuf> {
    let table = files.text("/proc/self/cgroup").unwrap_or_default();
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

fn quota(files: &dyn Files, folder: &Path) -> Option<f64> {
    match files.line(&at(folder, "cpu.max")) {
        Some(line) => cores_of(&line),
        None => cores_of(&format!(
            "{} {}",
            files.line(&at(folder, "cpu.cfs_quota_us"))?,
            files.line(&at(folder, "cpu.cfs_period_us"))?
        )),
    }
}

/// A folder without a name in it joins as `folder/`, which is no path to a file.
fn at(folder: &Path, name: &str) -> String {
    let folder = folder.to_string_lossy();
    format!("{}/{name}", folder.trim_end_matches('/'))
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

    type Texts = &'static [(&'static str, &'static str)];

    const VERSION_1: Texts = &[
        ("/proc/self/cgroup", "5:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n"),
        ("/sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.cfs_quota_us", "150000\n"),
        ("/sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.cfs_period_us", "100000\n"),
        ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
        ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
        (
            "/sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.stat",
            "nr_periods 90\nnr_throttled 12\nthrottled_time 3000000000\n",
        ),
    ];

    /// The quota is that of a group further out.
    const VERSION_2: Texts = &[
        ("/proc/self/cgroup", "0::/user.slice/session-1.scope\n"),
        ("/sys/fs/cgroup/user.slice/session-1.scope/cpu.max", "max 100000\n"),
        ("/sys/fs/cgroup/user.slice/cpu.max", "200000 100000\n"),
        (
            "/sys/fs/cgroup/user.slice/cpu.stat",
            "usage_usec 5\nnr_periods 9\nnr_throttled 2\nthrottled_usec 1500000\n",
        ),
    ];

    #[test]
    fn quotas_of_both_versions_are_read() {
        assert_eq!(quota_cores(&VERSION_1), Some(1.5));
        assert_eq!(quota_cores(&VERSION_2), Some(2.0));
        assert_eq!(cores_of("-1 100000"), None);
    }

    #[test]
    fn throttled_time_of_both_versions_is_in_one_unit() {
        let expected = Throttling { periods: 12, time: Duration::from_secs(3) };
        assert_eq!(throttling(&VERSION_1), Some(expected));
        let expected = Throttling { periods: 2, time: Duration::from_millis(1500) };
        assert_eq!(throttling(&VERSION_2), Some(expected));
    }

    #[test]
    fn without_cgroups_there_is_nothing_to_tell() {
        let none: Texts = &[];
        assert_eq!((quota_cores(&none), throttling(&none)), (None, None));
        // The root of version 2 counts no throttling.
        let root: Texts =
            &[("/proc/self/cgroup", "0::/\n"), ("/sys/fs/cgroup/cpu.stat", "usage_usec 5\n")];
        assert_eq!((quota_cores(&root), throttling(&root)), (None, None));
    }
}
