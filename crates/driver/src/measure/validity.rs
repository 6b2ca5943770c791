//! What else the machine did about the time of a round, and whether the round counts.

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
    counters: Counters,
    /// Processor time of the sweep's processes that nobody has inherited.
    orphaned_ns: u64,
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
        observer.watch(true, true);
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
    /// Of the time in which that was watched: while some task waited for a core.
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
            waited: waited(from.counted, to.counted),
            swapped_in: to.counted.swapped_in.saturating_sub(from.counted.swapped_in),
            throttled: to.counted.throttled.saturating_sub(from.counted.throttled),
        })
    }
}

/// Zero if that was watched for too short a time to tell.
fn waited(from: Counts, to: Counts) -> f64 {
    let watched = to.pressure_watched.saturating_sub(from.pressure_watched);
    if u128::from(watched) < (WINDOW / 2).as_micros() {
        return 0.0;
    }
    to.pressure.saturating_sub(from.pressure) as f64 / watched as f64
}

/// Running totals at one moment.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    cores: CoreTimes,
    own_ns: u64,
    counted: Counts,
}

/// What the kernel counts for the whole machine, or for this cgroup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    swapped_in: u64,
    throttled: u64,
    /// In microseconds.
    pressure: u64,
    /// For how long that was watched, in microseconds.
    pressure_watched: u64,
}

/// Counters that are watched now and then: while runners are started and ended, that
/// pages are read and tasks wait is the sweep's own doing.
#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    swapped_in: Watched,
    throttled: Watched,
    pressure: Watched,
    pressure_watched: Watched,
}

/// How far a counter has come while it was watched.
#[derive(Clone, Copy, Debug, Default)]
struct Watched {
    /// Until it was last watched.
    before: u64,
    /// Where it stood when that began, if it is watched now.
    since: Option<u64>,
}

impl Watched {
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

impl Counters {
    const fn at(self, counts: Counts) -> Counts {
        Counts {
            swapped_in: self.swapped_in.at(counts.swapped_in),
            throttled: self.throttled.at(counts.throttled),
            pressure: self.pressure.at(counts.pressure),
            pressure_watched: self.pressure_watched.at(counts.pressure_watched),
        }
    }

    const fn watched(self, counts: Counts, rounds: bool, pressure: bool) -> Self {
        Self {
            swapped_in: self.swapped_in.watched(counts.swapped_in, rounds),
            throttled: self.throttled.watched(counts.throttled, rounds),
            pressure: self.pressure.watched(counts.pressure, pressure),
            pressure_watched: self.pressure_watched.watched(counts.pressure_watched, pressure),
        }
    }
}

impl Counts {
    fn now() -> Self {
        Self {
            swapped_in: counter("/proc/vmstat", "pswpin "),
            throttled: cgroup::throttling(&Machine).map_or(0, |so_far| so_far.periods),
            pressure: counter("/proc/pressure/cpu", "some "),
            pressure_watched: micros_now(),
        }
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
            counters: Counters::default(),
            orphaned_ns: 0,
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
        // Where the block itself can keep all cores busy tasks wait without anybody
        // else's doing.
        let cores = block.available_cores;
        let leaves_a_core = block.configurations.iter().all(|one| one.workers.get() < cores);
        self.watch(true, leaves_a_core);
    }

    /// They are over; `end` ends the runners, whose processes are `own` until then.
    pub(crate) fn rounds_end<T>(&mut self, own: &Tree, end: impl FnOnce() -> T) -> T {
        self.watch(false, false);
        let before = own_ns(own);
        let ended = end();
        // A fork server that outlives its runner, say: init inherits what it used.
        self.orphaned_ns += before.saturating_sub(own_ns(&Tree::default()));
        ended
    }

    fn watch(&mut self, rounds: bool, pressure: bool) {
        self.counters = self.counters.watched(Counts::now(), rounds, pressure);
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
            let mut now = self.look(&own());
            self.cost_of_look = cpu_of_this_thread().saturating_sub(before);
            // Less than before: some of them have died, and init has waited for them.
            let orphaned_ns =
                self.looks.back().map_or(0, |last| last.own_ns.saturating_sub(now.own_ns));
            self.orphaned_ns += orphaned_ns;
            now.own_ns += orphaned_ns;
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
            own_ns: own_ns(own) + self.orphaned_ns,
            counted: self.counters.at(Counts::now()),
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

/// Processor time of this process, of its children that have ended, and of `own`.
fn own_ns(own: &Tree) -> u64 {
    own_cpu().as_nanos() as u64 + resources::ended_children_ns() + own.cpu_ns()
}

/// Of a clock that nobody sets.
fn micros_now() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |now| Duration::from(now).as_micros() as u64)
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
    use std::{num::NonZeroUsize, process::Command};

    use harness::{Configuration, Job, Placement, Workload, record::ExperimentKind};

    use super::*;

    const LIMITS: ValidityLimits =
        ValidityLimits { max_steal: 0.05, max_others: 0.1, max_pressure: 0.5 };

    fn judged(cores: CoreTimes, own_ms: u64) -> Validity {
        let observer = Observer::begin(LIMITS);
        let from = Look {
            at: Instant::now(),
            cores: CoreTimes::default(),
            own_ns: 0,
            counted: Counts::default(),
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
    fn what_a_child_has_used_that_has_ended_is_the_sweeps_own() {
        let mut observer = Observer::begin(LIMITS);
        let before = observer.look(&Tree::default()).own_ns;
        let busy = "i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done";
        let mut child = Command::new("sh").args(["-c", busy]).spawn().expect("sh");
        let ended = observer.rounds_end(&Tree::default(), || child.wait());
        let (_, used_ns) = (ended.expect("ended"), observer.look(&Tree::default()).own_ns - before);
        assert!(used_ns > 10_000_000, "{used_ns} ns");
    }

    #[test]
    fn what_nobody_inherits_stays_the_sweeps_own() {
        let mut observer = Observer::begin(LIMITS);
        observer.looks[0].own_ns = 1 << 50;
        observer.looks[0].at -= WINDOW;
        observer.after_round(Tree::default);
        assert!(observer.looks.back().is_some_and(|look| look.own_ns == 1 << 50));
        assert!(observer.look(&Tree::default()).own_ns >= 1 << 50);
    }

    #[test]
    fn a_counter_is_counted_only_while_it_is_watched() {
        let watched = Watched::default().watched(100, true);
        assert_eq!(watched.at(130), 30);
        let paused = watched.watched(130, false);
        assert_eq!(paused.at(500), 30);
        assert_eq!(paused.watched(500, true).at(510), 40);
    }

    #[test]
    fn waiting_is_a_share_of_the_time_in_which_it_was_watched() {
        let from = Counts::default();
        let to = |pressure, pressure_watched| Counts { pressure, pressure_watched, ..from };
        assert!((waited(from, to(200_000, 250_000)) - 0.8).abs() < 1e-12);
        assert_eq!(waited(from, to(200_000, 249_999)), 0.0);
    }

    #[test]
    fn a_block_that_keeps_all_cores_busy_waits_on_its_own_account() {
        let mut observer = Observer::begin(LIMITS);
        let mut block = block(1);
        observer.rounds_begin(&block);
        assert!(observer.counters.pressure.since.is_some());
        block.configurations[0].workers = NonZeroUsize::new(2).expect("two");
        observer.rounds_begin(&block);
        assert!(observer.counters.pressure.since.is_none());
        assert!(observer.counters.throttled.since.is_some());
        observer.rounds_end(&Tree::default(), || ());
        assert!(observer.counters.throttled.since.is_none());
    }

    #[test]
    fn a_round_is_judged_by_what_was_before_its_life() {
        let limits = ValidityLimits { max_others: 0.0, ..LIMITS };
        let mut observer = Observer::begin(limits);
        // As if all work since the machine was started had been done in a second.
        observer.looks[0].at -= 2 * WINDOW;
        observer.looks[0].cores = CoreTimes::default();
        observer.rounds_begin(&block(1));
        let verdict = observer.after_round(Tree::default);
        assert!(!verdict.contaminated.is_empty(), "{verdict:?}");
    }

    /// Of two cores, with one configuration of so many workers.
    fn block(workers: usize) -> BlockRecord {
        let workers = NonZeroUsize::new(workers).expect("workers");
        BlockRecord {
            block: "b".to_owned(),
            experiment: "e".to_owned(),
            kind: ExperimentKind::SpeedUp,
            job: Job { workload: Workload::Square, tasks: 1, task_size: 1 },
            configurations: vec![Configuration { workers, ..Configuration::serial() }],
            available_cores: 2,
            placement: Placement::Free,
        }
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
