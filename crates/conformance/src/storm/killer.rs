//! Kills workers at random instants.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use multiproc::pool::{Bulk, Pool};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Of the workers of one pool.
pub(super) struct Killer {
    random: Pcg64Mcg,
    per_second: f64,
    /// Nobody is killed twice: that would count as more than it is.
    killed: HashSet<i32>,
    pub(super) kills: u64,
}

impl Killer {
    pub(super) fn new(seed: u64, per_second: f64) -> Self {
        let random = Pcg64Mcg::seed_from_u64(seed);
        Self { random, per_second, killed: HashSet::new(), kills: 0 }
    }

    /// Kills so many workers a second of `pool` while it `goes_on`, one in every
    /// interval, at any instant of it. When all are dead already it waits for
    /// one that is not, and then catches up.
    pub(super) fn rage<T: Bulk>(&mut self, pool: &Pool<T>, goes_on: &AtomicBool) {
        let begun = Instant::now();
        for interval in 0u32.. {
            let offset = self.random.random_range(0.0..1.0);
            let at = Duration::from_secs_f64((f64::from(interval) + offset) / self.per_second);
            let is_due = || begun.elapsed() >= at;
            while !(is_due() && self.kill_one(pool)) {
                if !goes_on.load(Relaxed) {
                    return;
                }
                let left = at.saturating_sub(begun.elapsed());
                thread::sleep(left.clamp(Duration::from_millis(1), Duration::from_millis(10)));
            }
        }
    }

    /// Whether there was one.
    fn kill_one<T: Bulk>(&mut self, pool: &Pool<T>) -> bool {
        let pids: Vec<i32> = pool.pids().collect();
        // A number may be another's once its process is gone.
        self.killed.retain(|pid| pids.contains(pid));
        let living: Vec<i32> = pids.into_iter().filter(|pid| !self.killed.contains(pid)).collect();
        if living.is_empty() {
            return false;
        }
        let victim = living[self.random.random_range(0..living.len())];
        // It may be gone since, and reaped: then it does not count.
        if kill(Pid::from_raw(victim), Signal::SIGKILL).is_ok() {
            self.kills += 1;
        }
        self.killed.insert(victim);
        true
    }
}
