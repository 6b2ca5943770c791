//! What a storm has come to.

use std::{fmt, time::Duration};

use multiproc::{Error, StartMethod};

use super::rounds::Tally;
use crate::census::has_grown;

/// What a storm with one start method has come to.
#[derive(Debug)]
pub struct Report {
    pub(super) method: StartMethod,
    pub(super) kills: u64,
    /// Kills that there should be in a second of the storm.
    pub(super) wanted: f64,
    pub(super) healed: u64,
    pub(super) tally: Tally,
    pub(super) calm: Pace,
    pub(super) storm: Pace,
    pub(super) memory: Memory,
    /// Why the pool did not end in order.
    pub(super) end: Option<Error>,
    pub(super) left: Vec<String>,
}

/// How fast work was done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    pub(super) rounds: u64,
    pub(super) time: Duration,
}

impl Pace {
    pub(super) fn add(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.time += other.time;
    }

    /// Rounds a second.
    fn rate(self) -> f64 {
        self.rounds as f64 / self.time.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// The parent's memory again and again, in bytes.
#[derive(Debug, Default)]
pub(super) struct Memory(Vec<u64>);

impl Memory {
    pub(super) fn note(&mut self, bytes: u64) {
        self.0.push(bytes);
    }

    /// The medians of the first and the second half, if it was looked at often
    /// enough: at first it grows, as buffers do.
    fn halves(&self) -> Option<(u64, u64)> {
        const FEWEST: usize = 6;
        let median = |half: &[u64]| {
            let mut half = half.to_vec();
            half.sort_unstable();
            half[half.len() / 2]
        };
        let (first, second) = self.0.split_at(self.0.len() / 2);
        (self.0.len() >= FEWEST).then(|| (median(first), median(second)))
    }
}

/// Less throughput than this, against that of the undisturbed pool, is a failure.
const LEAST_RATIO: f64 = 0.5;

impl Report {
    /// Throughput in the storm against that of the undisturbed pool in between.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.storm.rate() / self.calm.rate().max(f64::MIN_POSITIVE)
    }

    /// Workers killed in a second of the storm.
    #[must_use]
    pub fn kills_per_second(&self) -> f64 {
        self.kills as f64 / self.storm.time.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// What must not be and does not depend on how fast the machine is; none
    /// if all is well.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let Tally { wrong, lost, .. } = self.tally;
        let mut failures = Vec::new();
        if (wrong, lost) != (0, 0) {
            failures.push(format!("{wrong} results are wrong and {lost} are lost"));
        }
        if self.healed != self.kills {
            let Self { kills, healed, .. } = self;
            failures.push(format!("{kills} workers were killed and {healed} replaced"));
        }
        failures.extend(self.end.as_ref().map(|error| format!("the pool's end: {error}")));
        if !self.left.is_empty() {
            failures.push(format!("left behind: {:#?}", self.left));
        }
        if let Some((first, second)) = self.memory.halves()
            && has_grown(first, second)
        {
            failures.push(format!("memory has grown from {} to {}", MB(first), MB(second)));
        }
        failures
    }

    /// What must not be on a machine that has time for it.
    pub(super) fn slowness(&self) -> Vec<String> {
        let mut failures = Vec::new();
        if self.ratio() < LEAST_RATIO {
            failures.push(format!("throughput fell to {:.2} of the undisturbed", self.ratio()));
        }
        if self.kills_per_second() < 0.9 * self.wanted {
            let (had, wanted) = (self.kills_per_second(), self.wanted);
            failures.push(format!("{had:.1} kills a second instead of {wanted:.1}"));
        }
        failures
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<10} {:5.1} kills/s; undisturbed {:.2} rounds/s, in the storm {:.2}, ratio {:.2}",
            self.method,
            self.kills_per_second(),
            self.calm.rate(),
            self.storm.rate(),
            self.ratio(),
        )?;
        match self.memory.halves() {
            Some((first, second)) => {
                write!(f, "; parent's memory {}, then {}", MB(first), MB(second))
            }
            None => write!(f, "; too few rounds to judge memory by"),
        }
    }
}

/// Bytes, to be read by people.
struct MB(u64);

impl fmt::Display for MB {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MB", self.0 as f64 / 1e6)
    }
}

/// Several storms.
#[derive(Debug, Default)]
pub(super) struct Total {
    kills: u64,
    tally: Tally,
    left: usize,
}

impl Total {
    pub(super) fn add(&mut self, report: &Report) {
        self.kills += report.kills;
        self.tally.add(report.tally);
        self.left += report.left.len();
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { tasks, wrong, lost } = self.tally;
        let (kills, left) = (self.kills, self.left);
        write!(f, "kills {kills}, tasks {tasks}, wrong {wrong}, lost {lost}, left {left}")
    }
}
