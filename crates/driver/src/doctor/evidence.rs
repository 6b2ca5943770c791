//! Everything that is seen in the course of two seconds.

use std::time::Duration;

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_getcpu},
    unistd::Pid,
};

use super::noise::{self, Block};
use crate::{
    config::ValidityLimits,
    environment::{
        cgroup::{self, Throttling},
        files::Files,
    },
    measure::{
        resources::{Busiest, Census},
        validity::{Change, Span},
    },
};

/// Long enough for shares of the cores' time, which the kernel counts in
/// ticks of 10 ms, and short enough to be waited for.
const DURATION: Duration = Duration::from_secs(2);

/// Where the kernel tells how long tasks waited, and for what.
pub(super) const PRESSURES: [&str; 3] = ["cpu", "memory", "io"];

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    /// Cores that this process may run on.
    pub(super) cores: Vec<usize>,
    /// How long it took.
    pub(super) elapsed: Duration,
    pub(super) change: Option<Change>,
    pub(super) busiest: Option<Busiest>,
    /// Tasks that could run besides this one, seen between blocks.
    pub(super) runnable: Vec<f64>,
    /// Frequencies under load, seen between blocks, in MHz.
    pub(super) mhz: Vec<f64>,
    pub(super) before: Totals,
    pub(super) after: Totals,
    pub(super) blocks: Vec<Block>,
}

/// Counters that only grow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    /// As [`PRESSURES`]: time in which some task waited, in microseconds.
    pub(super) stalled_us: [Option<u64>; 3],
    /// How often a core was slowed down because it was hot.
    pub(super) hot: Option<u64>,
    pub(super) throttling: Option<Throttling>,
}

impl Evidence {
    /// Watches the machine while the noise is measured.
    pub(super) fn gather(files: &dyn Files) -> Self {
        let cores = usable_cores();
        let before = Totals::read(files, &cores);
        let (census, span) = (Census::take(), Span::begin(ValidityLimits::DEFAULT));
        let begun = std::time::Instant::now();
        let (mut runnable, mut mhz) = (Vec::new(), Vec::new());
        let blocks = noise::measure(DURATION, || {
            runnable.extend(others_that_can_run(files));
            mhz.extend(mhz_now(files, sched_getcpu().unwrap_or(0)));
        });
        Self {
            elapsed: begun.elapsed(),
            change: span.change(),
            busiest: Census::take().busiest_since(&census),
            after: Totals::read(files, &cores),
            cores,
            runnable,
            mhz,
            before,
            blocks,
        }
    }
}

impl Totals {
    fn read(files: &dyn Files, cores: &[usize]) -> Self {
        let throttled = |core: &usize| {
            let folder = format!("/sys/devices/system/cpu/cpu{core}/thermal_throttle");
            files.number(&format!("{folder}/core_throttle_count"))
        };
        let hot: Vec<f64> = cores.iter().filter_map(throttled).collect();
        Self {
            stalled_us: PRESSURES.map(|of| stalled_us(files, of)),
            hot: (!hot.is_empty()).then(|| hot.iter().sum::<f64>() as u64),
            throttling: cgroup::throttling(files),
        }
    }
}

/// The total of the line `some avg10=0.00 avg60=0.00 avg300=0.00 total=12`.
fn stalled_us(files: &dyn Files, of: &str) -> Option<u64> {
    let line = files.line(&format!("/proc/pressure/{of}"))?;
    line.strip_prefix("some ")?.rsplit_once("total=")?.1.parse().ok()
}

/// The fourth field of `0.20 0.18 0.12 1/80 11206`, without this process.
fn others_that_can_run(files: &dyn Files) -> Option<f64> {
    let line = files.line("/proc/loadavg")?;
    let (runnable, _) = line.split_whitespace().nth(3)?.split_once('/')?;
    Some((runnable.parse::<f64>().ok()? - 1.0).max(0.0))
}

/// The frequency of `core` in MHz: cpufreq's in kHz or, without it, what the
/// processor's table says.
fn mhz_now(files: &dyn Files, core: usize) -> Option<f64> {
    let path = format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq");
    files.number(&path).map(|khz| khz / 1e3).or_else(|| {
        let table = files.text("/proc/cpuinfo")?;
        let values = table.lines().filter_map(|line| line.strip_prefix("cpu MHz")?.split_once(':'));
        let (_, mhz) = values.clone().nth(core).or_else(|| values.clone().next())?;
        mhz.trim().parse().ok()
    })
}

fn usable_cores() -> Vec<usize> {
    let mask = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    (0..CpuSet::count()).filter(|&core| mask.is_set(core).unwrap_or(false)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Texts = &'static [(&'static str, &'static str)];

    #[test]
    fn counters_are_read_from_the_texts_that_linux_writes() {
        let texts: Texts = &[
            ("/proc/pressure/cpu", "some avg10=1.53 avg60=0.87 avg300=0.38 total=123456\n"),
            ("/proc/loadavg", "0.20 0.18 0.12 3/80 11206\n"),
            ("/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "4\n"),
            ("/sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "7\n"),
        ];
        let totals = Totals::read(&texts, &[0, 1]);
        assert_eq!(totals.stalled_us, [Some(123_456), None, None]);
        assert_eq!((totals.hot, totals.throttling), (Some(11), None));
        assert_eq!(others_that_can_run(&texts), Some(2.0));
    }

    #[test]
    fn the_frequency_is_that_of_the_core_and_cpufreq_knows_it_best() {
        const TABLE: &str =
            "processor\t: 0\ncpu MHz\t\t: 2499.998\n\nprocessor\t: 1\ncpu MHz\t\t: 3100.5\n";
        let laptop: Texts = &[
            ("/proc/cpuinfo", TABLE),
            ("/sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "3900000\n"),
        ];
        assert_eq!(mhz_now(&laptop, 1), Some(3900.0));
        let virtual_machine: Texts = &[("/proc/cpuinfo", TABLE)];
        assert_eq!(mhz_now(&virtual_machine, 1), Some(3100.5));
        let arm: Texts = &[("/proc/cpuinfo", "processor\t: 0\nBogoMIPS\t: 243.75\n")];
        assert_eq!(mhz_now(&arm, 0), None);
    }
}
