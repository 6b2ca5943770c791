//! What the process trees of the runners use, read from `/proc`.
//!
//! Processor time comes from each process's own clock, which is exact to the
//! nanosecond and includes threads that have ended; of processes that have
//! ended and were waited for, the kernel tells it in ticks. Context switches
//! of ended threads and processes are lost.

use std::{
    collections::{HashMap, HashSet},
    sync::OnceLock,
};

use harness::record::Resources;
use nix::{
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};
use procfs::process::{Process, Stat};

/// All processes of the machine at one moment.
pub(crate) struct Census {
    by_id: HashMap<i32, Stat>,
}

/// A process and the processor time that it used for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Busiest {
    /// The kernel's short name of it.
    pub(crate) name: String,
    /// Its process id.
    pub(crate) pid: i32,
    /// In nanoseconds.
    pub(crate) cpu_ns: u64,
}

/// The processes of some runners: they, their descendants and their groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree(Vec<Leaf>);

/// A process of a tree.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    pid: i32,
    /// About the processor time of its children that have ended, when the census was
    /// taken.
    children_ns: u64,
}

impl Census {
    /// Looks at every process once.
    pub(crate) fn take() -> Self {
        let processes = procfs::process::all_processes().into_iter().flatten().flatten();
        let stats = processes.filter_map(|process| process.stat().ok());
        Self { by_id: stats.map(|stat| (stat.pid, stat)).collect() }
    }

    /// The tree of the runners with these process ids.
    pub(crate) fn tree(&self, runners: impl IntoIterator<Item = u32>) -> Tree {
        let roots: HashSet<i32> = runners.into_iter().map(u32::cast_signed).collect();
        let members = self.by_id.values().filter(|stat| self.belongs(stat, &roots));
        let leaf = |stat: &Stat| Leaf { pid: stat.pid, children_ns: likely_children_ns(stat) };
        Tree(members.map(leaf).collect())
    }

    /// Who has used most since `before`, this process and its children left
    /// out; `None` if nobody has used any.
    pub(crate) fn busiest_since(&self, before: &Self) -> Option<Busiest> {
        let own = HashSet::from([std::process::id().cast_signed()]);
        let others = self.by_id.values().filter(|stat| !self.belongs(stat, &own));
        let used = others.map(|now| {
            let same = before.by_id.get(&now.pid).filter(|then| then.starttime == now.starttime);
            let ticks = (now.utime + now.stime)
                .saturating_sub(same.map_or(0, |then| then.utime + then.stime));
            (ticks * ns_per_tick(), now)
        });
        let (cpu_ns, stat) = used.max_by_key(|(used, _)| *used)?;
        (cpu_ns > 0).then(|| Busiest { name: stat.comm.clone(), pid: stat.pid, cpu_ns })
    }

    /// Whether a process is in the group of one of `roots`, or descends from one.
    fn belongs(&self, stat: &Stat, roots: &HashSet<i32>) -> bool {
        // Parents are older than children, so this ends; the limit is for a
        // census in which an id was given away twice.
        const DEEPEST: usize = 64;
        let parent = |pid: &i32| self.by_id.get(pid).map(|stat| stat.ppid);
        let mut line = std::iter::successors(Some(stat.pid), parent).take(DEEPEST);
        roots.contains(&stat.pgrp) || line.any(|ancestor| roots.contains(&ancestor))
    }
}

impl Tree {
    /// Processor time so far, of ended children too as far as it can be told
    /// ([`likely_children_ns`]), in nanoseconds.
    pub(super) fn cpu_ns(&self) -> u64 {
        self.0.iter().map(|leaf| cpu_clock_ns(leaf.pid) + leaf.children_ns).sum()
    }

    /// Everything used so far; `runs` is left at zero.
    pub(super) fn used(&self) -> Resources {
        let mut used = Resources { processes: self.0.len() as u64, ..Resources::default() };
        for process in self.0.iter().filter_map(|leaf| Process::new(leaf.pid).ok()) {
            add(&mut used, &process);
        }
        used
    }

    /// Memory in use now, shared pages counted once over the tree, in bytes.
    pub(super) fn pss_bytes(&self) -> u64 {
        let of = |leaf: &Leaf| {
            let rollup = Process::new(leaf.pid).and_then(|process| process.smaps_rollup()).ok()?;
            rollup.memory_map_rollup.0.first()?.extension.map.get("Pss").copied()
        };
        self.0.iter().filter_map(of).sum()
    }
}

/// What was used between two looks at the same tree.
pub(super) fn difference(before: &Resources, after: &Resources) -> Resources {
    Resources {
        runs: after.runs,
        cpu_ns: after.cpu_ns.saturating_sub(before.cpu_ns),
        voluntary_switches: after.voluntary_switches.saturating_sub(before.voluntary_switches),
        involuntary_switches: after
            .involuntary_switches
            .saturating_sub(before.involuntary_switches),
        minor_faults: after.minor_faults.saturating_sub(before.minor_faults),
        major_faults: after.major_faults.saturating_sub(before.major_faults),
        peak_pss_bytes: before.peak_pss_bytes.max(after.peak_pss_bytes),
        processes: before.processes.max(after.processes),
    }
}

/// Processor time of all children of the driver that have ended and of theirs,
/// in nanoseconds.
pub(super) fn ended_children_ns() -> u64 {
    let stat = Process::myself().and_then(|process| process.stat());
    stat.map_or(0, |stat| likely_children_ns(&stat))
}

fn add(used: &mut Resources, process: &Process) {
    used.cpu_ns += cpu_clock_ns(process.pid());
    if let Ok(stat) = process.stat() {
        used.cpu_ns += children_ns(&stat);
        used.minor_faults += stat.minflt + stat.cminflt;
        used.major_faults += stat.majflt + stat.cmajflt;
    }
    let threads = process.tasks().into_iter().flatten().flatten();
    for status in threads.filter_map(|thread| thread.status().ok()) {
        used.voluntary_switches += status.voluntary_ctxt_switches.unwrap_or(0);
        used.involuntary_switches += status.nonvoluntary_ctxt_switches.unwrap_or(0);
    }
}

/// Zero for a process that is gone: its parent's children's time has it then.
fn cpu_clock_ns(pid: i32) -> u64 {
    let time = clock_getcpuclockid(Pid::from_raw(pid)).and_then(clock_gettime);
    time.map_or(0, |time| {
        let nanoseconds = time.tv_sec() * 1_000_000_000 + time.tv_nsec();
        u64::try_from(nanoseconds).unwrap_or(0)
    })
}

fn children_ns(stat: &Stat) -> u64 {
    u64::try_from(stat.cutime + stat.cstime).unwrap_or(0) * ns_per_tick()
}

/// Both of the kernel's counts are rounded down to whole ticks. Where there have been
/// children half a tick is added to each: many runners that start and end workers all the
/// time would seem to use much less than they do. It is too much, by at most a tick, where
/// those have used next to nothing.
fn likely_children_ns(stat: &Stat) -> u64 {
    // Nobody lives without a page fault.
    let had_children = stat.cminflt > 0;
    children_ns(stat) + if had_children { ns_per_tick() } else { 0 }
}

fn ns_per_tick() -> u64 {
    static NS_PER_TICK: OnceLock<u64> = OnceLock::new();
    *NS_PER_TICK.get_or_init(|| 1_000_000_000 / procfs::ticks_per_second().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_holds_the_process_and_its_children_and_uses_time_and_memory() {
        let mut child = std::process::Command::new("sleep").arg("5").spawn().expect("sleep");
        let tree = Census::take().tree([std::process::id()]);
        let (used, pss) = (tree.used(), tree.pss_bytes());
        let is_child = |leaf: &Leaf| leaf.pid == child.id().cast_signed();
        let has_child = tree.0.iter().any(is_child);
        child.kill().expect("kill");
        child.wait().expect("wait");
        assert!(has_child);
        assert!(used.cpu_ns > 0 && used.minor_faults > 0 && used.processes >= 2, "{used:?}");
        assert!(pss > 100 << 10, "{pss} bytes for a test binary and sleep");
    }

    #[test]
    fn half_a_tick_of_each_count_is_taken_for_what_was_rounded_off() {
        let mut stat = Process::myself().and_then(|process| process.stat()).expect("stat");
        (stat.cutime, stat.cstime, stat.cminflt) = (0, 0, 0);
        assert_eq!(likely_children_ns(&stat), 0);
        stat.cminflt = 1;
        assert_eq!(likely_children_ns(&stat), ns_per_tick());
        (stat.cutime, stat.cstime) = (2, 3);
        assert_eq!(
            (likely_children_ns(&stat), children_ns(&stat)),
            (6 * ns_per_tick(), 5 * ns_per_tick())
        );
    }

    #[test]
    fn own_processes_are_never_the_busiest_of_the_others() {
        let before = Census { by_id: HashMap::new() };
        let busiest = Census::take().busiest_since(&before);
        assert_ne!(busiest.map(|busiest| busiest.pid), Some(std::process::id().cast_signed()));
        let now = Census::take();
        assert_eq!(now.busiest_since(&now), None, "nobody uses any in no time");
    }
}
