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

/// So many intervals that were missed are caught up with.
const MOST_LATE: u32 = 2;

impl Killer {
    pub(super) fn new(seed: u64, per_second: f64) -> Self {
        let random = Pcg64Mcg::seed_from_u64(seed);
        Self { random, per_second, killed: HashSet::new(), kills: 0 }
    }

    /// Kills so many workers a second of `pool` while it `goes_on`, one in every
    /// interval, at any instant of it. When it comes too late it catches up, but
    /// not with all at once: who kills every worker at its birth must see the pool
    /// give up.
    pub(super) fn rage<T: Bulk>(&mut self, pool: &Pool<T>, goes_on: &AtomicBool) {
        let interval = Duration::from_secs_f64(1.0 / self.per_second);
        let mut begins = Instant::now();
        while goes_on.load(Relaxed) {
            let at = begins + interval.mul_f64(self.random.random_range(0.0..1.0));
            while goes_on.load(Relaxed) && !(Instant::now() >= at && self.kill_one(pool)) {
                let left = at.saturating_duration_since(Instant::now());
                thread::sleep(left.clamp(Duration::from_millis(1), Duration::from_millis(10)));
            }
            begins += interval;
            let late = begins.elapsed().saturating_sub(MOST_LATE * interval);
            begins += late;
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
