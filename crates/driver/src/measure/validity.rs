//! What else the machine did during a round, and whether the round counts.

use std::{
    collections::VecDeque,
    fs,
    time::{Duration, Instant},
};

use harness::record::{BlockRecord, Validity};
use nix::{
    sched::{CpuSet, sched_getaffinity},
    time::{ClockId, clock_gettime},
    unistd::Pid,
};

use super::resources::{self, Tree};
use crate::{
    client::own_cpu,
    config::ValidityLimits,
    environment::{cgroup, files::Machine},
};

/// The kernel counts processor time in ticks of 10 ms, so shares are taken
/// over at least this long; a shorter round shares the verdict of the time
/// around it.
const WINDOW: Duration = Duration::from_millis(500);

/// A look costs about a millisecond, so one is not taken after every round of
/// a few hundred microseconds.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// The same in looks: where there are many processes one costs more.
const LEAST_PAUSE: u32 = 30;

/// Watches the machine all along, over the lives of many runners, for some of those
/// are shorter than it takes to tell anything.
pub(crate) struct Observer {
    limits: ValidityLimits,
    pressure: Pressure,
    cores: CpuSet,
    looks: VecDeque<Look>,
    /// What the last one took of the processor.
    cost_of_look: Duration,
    verdict: Validity,
}

/// Watches the machine from one moment to another, during which children of
/// this process begin and end.
pub(crate) struct Span {
    observer: Observer,
    begin: Look,
}

impl Span {
    /// It begins now, when there are no children.
    pub(crate) fn begin(limits: ValidityLimits) -> Self {
        // Whoever is measured here keeps all cores busy: that some task waits is told, but
        // nobody else's fault.
        let mut observer =
            Observer::begin(ValidityLimits { max_pressure: f64::INFINITY, ..limits });
        observer.watch_pressure(true);
        let begin = observer.look(&Tree::default());
        Self { observer, begin }
    }

    /// It ends now, when the children have been waited for: what they used is
    /// this process's.
    pub(crate) fn end(&self) -> Validity {
        self.observer.judge(&self.begin, &self.observer.look(&Tree::default()))
    }

    /// What has happened since it began, children that have ended being this
    /// process's own; `None` if that is too short a time to tell.
    pub(crate) fn change(&self) -> Option<Change> {
        Change::between(&self.begin, &self.observer.look(&Tree::default()))
    }
}

/// What the machine did between two moments; shares are 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Change {
    /// Of the usable cores' time: what the hypervisor took.
    pub(crate) steal: f64,
    /// Of the usable cores' time: what other processes used.
    pub(crate) others: f64,
    /// Of the time: while some task waited for a core that nobody here kept busy.
    pub(crate) waited: f64,
    /// Pages swapped in.
    pub(crate) swapped_in: u64,
    /// Periods in which the cgroup's quota was used up.
    pub(crate) throttled: u64,
}

impl Change {
    fn between(from: &Look, to: &Look) -> Option<Self> {
        let elapsed = to.at - from.at;
        let total = to.cores.total.saturating_sub(from.cores.total);
        if total == 0 || elapsed < WINDOW / 2 {
            return None;
        }
        let share = |ticks: f64| (ticks / total as f64).clamp(0.0, 1.0);
        let busy = to.cores.busy.saturating_sub(from.cores.busy) as f64;
        let own = to.own_ns.saturating_sub(from.own_ns) as f64 / NS_PER_TICK;
        Some(Self {
            steal: share(to.cores.steal.saturating_sub(from.cores.steal) as f64),
            others: share(busy - own),
            waited: to.pressure.saturating_sub(from.pressure) as f64 / elapsed.as_micros() as f64,
            swapped_in: to.swapped_in.saturating_sub(from.swapped_in),
            throttled: to.throttled.saturating_sub(from.throttled),
        })
    }
}

/// Running totals at one moment.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    cores: CoreTimes,
    own_ns: u64,
    swapped_in: u64,
    throttled: u64,
    /// In microseconds, while it was watched.
    pressure: u64,
}

/// For how long tasks have waited for a core on somebody else's account.
///
/// The kernel counts all waiting. While runners are started, and in a block that can
/// keep all cores busy itself, tasks wait without anybody else's doing.
#[derive(Clone, Copy, Debug, Default)]
struct Pressure {
    /// Until it was last watched, in microseconds.
    before: u64,
    /// The kernel's count when that began, if it is watched now.
    since: Option<u64>,
}

impl Pressure {
    const fn at(self, count: u64) -> u64 {
        match self.since {
            Some(since) => self.before + count.saturating_sub(since),
            None => self.before,
        }
    }

    const fn watched(self, count: u64, is_watched: bool) -> Self {
        Self { before: self.at(count), since: if is_watched { Some(count) } else { None } }
    }
}

/// Ticks of the cores that can be used here, summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct CoreTimes {
    total: u64,
    busy: u64,
    steal: u64,
}

impl Observer {
    /// Begins to watch, before any runner is started.
    pub(crate) fn begin(limits: ValidityLimits) -> Self {
        let mut observer = Self {
            limits,
            pressure: Pressure::default(),
            cores: sched_getaffinity(Pid::from_raw(0)).unwrap_or_default(),
            looks: VecDeque::new(),
            cost_of_look: Duration::ZERO,
            verdict: Validity::default(),
        };
        observer.looks.push_back(observer.look(&Tree::default()));
        observer
    }

    /// The rounds of a life of `block` begin, all of its runners being there.
    pub(crate) fn rounds_begin(&mut self, block: &BlockRecord) {
        let cores = block.available_cores;
        self.watch_pressure(block.configurations.iter().all(|one| one.workers.get() < cores));
    }

    /// That life has no more rounds.
    pub(crate) fn rounds_end(&mut self) {
        self.watch_pressure(false);
    }

    fn watch_pressure(&mut self, is_watched: bool) {
        self.pressure = self.pressure.watched(pressure_count(), is_watched);
    }

    /// What the machine did about the time of the round that has just ended. `own` names
    /// the processes that live and whose time is the sweep's: a fork server, for one, is
    /// not there from the beginning.
    pub(crate) fn after_round(&mut self, own: impl FnOnce() -> Tree) -> Validity {
        let newest = self.looks.back().map(|look| look.at.elapsed());
        if newest.is_none_or(|age| age >= pause(self.cost_of_look)) {
            // Not by the clock on the wall: a machine that stands still for a while
            // during a look is no reason to look away.
            let before = cpu_of_this_thread();
            let now = self.look(&own());
            self.cost_of_look = cpu_of_this_thread().saturating_sub(before);
            self.looks.push_back(now);
            // The oldest that is kept is the youngest beyond the window.
            while self.looks.len() > 2 && now.at - self.looks[1].at >= WINDOW {
                self.looks.pop_front();
            }
            self.verdict = self.judge(&self.looks[0], &now);
        }
        self.verdict.clone()
    }

    fn look(&self, own: &Tree) -> Look {
        Look {
            at: Instant::now(),
            cores: fs::read_to_string("/proc/stat")
                .map_or_else(|_| CoreTimes::default(), |stat| core_times(&stat, &self.cores)),
            // Whoever has ended has left his time to this process.
            own_ns: own_cpu().as_nanos() as u64 + resources::ended_children_ns() + own.cpu_ns(),
            swapped_in: counter("/proc/vmstat", "pswpin "),
            throttled: cgroup::throttling(&Machine).map_or(0, |so_far| so_far.periods),
            pressure: self.pressure.at(pressure_count()),
        }
    }

    fn judge(&self, from: &Look, to: &Look) -> Validity {
        let Some(change) = Change::between(from, to) else { return Validity::default() };
        let Change { steal, others, waited, .. } = change;
        let mut contaminated = Vec::new();
        if steal > self.limits.max_steal {
            contaminated.push(format!("the hypervisor took {:.0} % of the cores", steal * 100.0));
        }
        if others > self.limits.max_others {
            contaminated.push(format!("other processes used {:.0} % of the cores", others * 100.0));
        }
        if change.swapped_in > 0 {
            contaminated.push("memory was swapped in".to_owned());
        }
        if change.throttled > 0 {
            contaminated.push("the cgroup's processor quota was used up".to_owned());
        }
        if waited > self.limits.max_pressure {
            contaminated
                .push(format!("tasks waited for a core {:.0} % of the time", waited * 100.0));
        }
        Validity { steal, others, contaminated }
    }
}

/// Time for which some task has waited for a core so far, in microseconds.
fn pressure_count() -> u64 {
    counter("/proc/pressure/cpu", "some ")
}

/// From one look to the next: longer where a look costs more, but never so long that a
/// verdict is older than the time that it is about.
fn pause(cost_of_look: Duration) -> Duration {
    (LEAST_PAUSE * cost_of_look).clamp(BETWEEN_LOOKS, WINDOW)
}

fn cpu_of_this_thread() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// `/proc/stat` counts in units of 1/100 s on every architecture that Linux
/// shows to programs (`USER_HZ`).
const NS_PER_TICK: f64 = 1e7;

/// The lines `cpuN user nice system idle iowait irq softirq steal …` of `cores`.
fn core_times(stat: &str, cores: &CpuSet) -> CoreTimes {
    let mut sum = CoreTimes::default();
    for line in stat.lines() {
        let mut fields = line.split_whitespace();
        let number = fields.next().and_then(|name| name.strip_prefix("cpu")?.parse().ok());
        if !number.is_some_and(|number| cores.is_set(number).unwrap_or(false)) {
            continue;
        }
        let ticks: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
        let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = ticks[..] else {
            continue;
        };
        let busy = user + nice + system + irq + softirq;
        sum.busy += busy;
        sum.steal += steal;
        sum.total += busy + idle + iowait + steal;
    }
    sum
}

/// The last number in the line of `path` that begins with `name`; zero where
/// the kernel has no such file.
fn counter(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.rsplit([' ', '=']).next()?.parse().ok());
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ValidityLimits =
        ValidityLimits { max_steal: 0.05, max_others: 0.1, max_pressure: 0.5 };

    fn judged(cores: CoreTimes, own_ms: u64) -> Validity {
        let observer = Observer::begin(LIMITS);
        let from = Look {
            at: Instant::now(),
            cores: CoreTimes::default(),
            own_ns: 0,
            swapped_in: 0,
            throttled: 0,
            pressure: 0,
        };
        let to = Look {
            at: from.at + Duration::from_secs(1),
            cores,
            own_ns: own_ms * 1_000_000,
            ..from
        };
        observer.judge(&from, &to)
    }

    #[test]
    fn what_the_sweep_itself_uses_does_not_contaminate() {
        let validity = judged(CoreTimes { total: 200, busy: 190, steal: 0 }, 1_850);
        assert!(validity.contaminated.is_empty(), "{validity:?}");
    }

    #[test]
    fn what_others_use_and_what_the_hypervisor_takes_contaminates() {
        let validity = judged(CoreTimes { total: 200, busy: 150, steal: 40 }, 500);
        assert_eq!(validity.contaminated.len(), 2, "{validity:?}");
        assert!((validity.steal - 0.2).abs() < 1e-9 && (validity.others - 0.5).abs() < 1e-9);
    }

    #[test]
    fn the_next_look_comes_soon_whatever_the_last_one_cost() {
        assert_eq!(pause(Duration::ZERO), BETWEEN_LOOKS);
        assert_eq!(pause(Duration::from_millis(5)), Duration::from_millis(150));
        assert_eq!(pause(Duration::from_secs(1)), WINDOW);
    }

    #[test]
    fn a_look_during_which_the_machine_stands_still_costs_no_more() {
        const STILL: Duration = Duration::from_millis(300);
        let mut observer = Observer::begin(LIMITS);
        observer.looks.clear();
        observer.after_round(|| {
            std::thread::sleep(STILL);
            Tree::default()
        });
        assert!((Duration::from_nanos(1)..STILL).contains(&observer.cost_of_look));
    }

    #[test]
    fn only_the_cores_that_can_be_used_here_are_counted() {
        let mut cores = CpuSet::new();
        cores.set(1).expect("core 1");
        let stat = "cpu 9 9 9 9 9 9 9 9 0 0\ncpu0 9 9 9 9 9 9 9 9 0 0\ncpu1 1 2 3 10 0 4 5 6 0 0\n";
        assert_eq!(core_times(stat, &cores), CoreTimes { total: 31, busy: 15, steal: 6 });
    }
}
