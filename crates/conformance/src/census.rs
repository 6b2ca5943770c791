//! What a process has of its own that could be left behind.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use procfs::process::{MMPermissions, Process, all_processes};

/// Its descriptors, shared mappings and child processes, as they were when it
/// was taken.
#[derive(Debug)]
pub(crate) struct Census {
    descriptors: Vec<String>,
    mappings: Vec<String>,
    processes: Vec<String>,
}

/// How long what ends by itself may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(1);

impl Census {
    pub(crate) fn take() -> Self {
        let me = Process::myself().expect("/proc can be read");
        Self {
            descriptors: descriptors(&me),
            mappings: shared_mappings(&me),
            processes: relatives(&me),
        }
    }

    /// What is there now and was not then, when it has had a second to go away.
    pub(crate) fn left(&self) -> Vec<String> {
        let deadline = Instant::now() + GONE_WITHIN;
        loop {
            let left = Self::take().beyond(self);
            if left.is_empty() || Instant::now() >= deadline {
                return left;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn beyond(self, before: &Self) -> Vec<String> {
        let new = |now: Vec<String>, before: &[String]| {
            now.into_iter().filter(|one| !before.contains(one)).collect::<Vec<_>>()
        };
        let mut left = new(self.descriptors, &before.descriptors);
        left.extend(new(self.mappings, &before.mappings));
        left.extend(new(self.processes, &before.processes));
        left
    }

    /// How many of each kind there are.
    pub(crate) fn counts(&self) -> [usize; 3] {
        [self.descriptors.len(), self.mappings.len(), self.processes.len()]
    }
}

/// Memory of this process that is in use, in bytes, without that of files.
///
/// What it shares with its workers is theirs as much as its own, and is found
/// as a mapping.
pub(crate) fn own_memory() -> u64 {
    let statm = Process::myself().and_then(|me| me.statm()).expect("/proc can be read");
    (statm.resident - statm.shared) * procfs::page_size()
}

/// Memory of `processes` that is theirs alone, in bytes; none of those that have
/// ended.
pub(crate) fn private_memory(processes: impl Iterator<Item = i32>) -> u64 {
    let status = |pid| Process::new(pid).and_then(|process| process.status()).ok();
    let kib = processes.filter_map(status).filter_map(|status| status.rssanon);
    1024 * kib.sum::<u64>()
}

/// Whether memory that was `before` and is `now` after as much work again is
/// more than the allocator's whims.
pub(crate) const fn has_grown(before: u64, now: u64) -> bool {
    const WHIMS: u64 = 4 << 20;
    now > before + before / 20 + WHIMS
}

/// Numbers and what they lead to, except the directory that is being read for
/// it.
fn descriptors(me: &Process) -> Vec<String> {
    me.fd()
        .expect("/proc can be read")
        .flatten()
        .map(|fd| format!("descriptor {} {:?}", fd.fd, fd.target))
        .filter(|fd| !fd.contains("/proc/"))
        .collect()
}

fn shared_mappings(me: &Process) -> Vec<String> {
    let maps = me.maps().expect("/proc can be read");
    let shared = maps.into_iter().filter(|map| map.perms.contains(MMPermissions::SHARED));
    shared.map(|map| format!("mapping {:x} {:?}", map.address.0, map.pathname)).collect()
}

/// Children in any state, zombies too, and what has this program and group
/// without being one.
fn relatives(me: &Process) -> Vec<String> {
    let own = me.stat().expect("/proc can be read");
    let program = me.exe().expect("/proc can be read");
    let is_relative = |process: &Process| {
        let Ok(stat) = process.stat() else { return false };
        let same_program = || process.exe().is_ok_and(|exe: PathBuf| exe == program);
        stat.ppid == own.pid || (stat.pgrp == own.pgrp && stat.pid != own.pid && same_program())
    };
    let all = all_processes().expect("/proc can be read").flatten();
    all.filter(is_relative)
        .filter_map(|process| process.stat().ok())
        .map(|stat| format!("process {} {} {}", stat.pid, stat.comm, stat.starttime))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_named() {
        let before = Census::take();
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let file = std::fs::File::open("/etc/passwd").unwrap();
        let left = Census::take().beyond(&before);
        assert!(left.iter().any(|one| one.contains("sleep")), "{left:?}");
        assert!(left.iter().any(|one| one.contains("/etc/passwd")), "{left:?}");
        child.kill().unwrap();
        let zombie = Census::take().beyond(&before);
        assert!(zombie.iter().any(|one| one.starts_with("process ")), "{zombie:?}");
        child.wait().unwrap();
        drop(file);
        assert_eq!(before.left(), [""; 0]);
    }
}
