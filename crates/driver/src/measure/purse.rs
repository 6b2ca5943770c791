//! How a sweep's time is dealt out to its blocks: in passes over all of them.
//!
//! What a machine does for some seconds, another program or a hot processor, would
//! otherwise meet all incarnations of one block and none of the next, and show in
//! no interval. So every pass visits every block, for one incarnation or some.

use std::time::Duration;

/// A visit has so much time, on average over the blocks; with less there are
/// fewer passes.
const LEAST_VISIT: Duration = Duration::from_millis(300);

/// How many passes `time` affords: at most one an incarnation.
pub(super) fn passes(time: Duration, blocks: usize, incarnations: u32) -> u32 {
    let visits = time.as_secs_f64() / LEAST_VISIT.as_secs_f64();
    // A float to integer cast saturates, which is what is wanted here.
    ((visits / blocks.max(1) as f64) as u32).clamp(1, incarnations.max(1))
}

/// What every block has left of the sweep's time; nothing if it has ended.
#[derive(Debug)]
pub(super) struct Purse {
    left: Vec<Duration>,
}

impl Purse {
    /// Shares `time` out by weight, to everybody who has ended too.
    pub(super) fn new(time: Duration, weights: impl Iterator<Item = f64> + Clone) -> Self {
        let total: f64 = weights.clone().sum();
        let share = |weight: f64| if total > 0.0 { (weight / total).clamp(0.0, 1.0) } else { 0.0 };
        Self { left: weights.map(|weight| time.mul_f64(share(weight))).collect() }
    }

    /// What all blocks have left.
    pub(super) fn total(&self) -> Duration {
        self.left.iter().sum()
    }

    /// What a second of a block's is worth if `left` is left for all: more than one if
    /// others have needed less than they had, less if they have overrun.
    pub(super) fn worth(&self, left: Duration) -> f64 {
        let planned = self.total().as_secs_f64();
        if planned > 0.0 { left.as_secs_f64() / planned } else { 0.0 }
    }

    /// The time of the next of `visits` to a block.
    pub(super) fn slice(&self, block: usize, visits: u32, worth: f64) -> Duration {
        self.left[block].mul_f64(worth) / visits.max(1)
    }

    /// A block has taken `time`.
    pub(super) fn pay(&mut self, block: usize, time: Duration, worth: f64) {
        self.left[block] = self.left[block].saturating_sub(in_seconds_of_its_own(time, worth));
    }

    /// A block needs so much `time` more; the rest is the others'.
    pub(super) fn needs(&mut self, block: usize, time: Duration, worth: f64) {
        self.left[block] = in_seconds_of_its_own(time, worth);
    }

    /// A block has ended.
    pub(super) fn close(&mut self, block: usize) {
        self.left[block] = Duration::ZERO;
    }
}

fn in_seconds_of_its_own(time: Duration, worth: f64) -> Duration {
    // Nothing is worth nothing before all time is spent.
    time.div_f64(worth.max(1e-3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn near(a: Duration, b: Duration) -> bool {
        a.abs_diff(b) < Duration::from_micros(1)
    }

    #[test]
    fn a_short_sweep_makes_one_pass_and_a_long_one_as_many_as_there_are_incarnations() {
        assert_eq!(passes(s(1), 10, 6), 1);
        assert_eq!(passes(s(12), 10, 6), 4);
        assert_eq!(passes(s(600), 10, 6), 6);
        assert_eq!(passes(s(600), 0, 0), 1);
    }

    fn slice(purse: &Purse, block: usize, left: u64, visits: u32) -> Duration {
        purse.slice(block, visits, purse.worth(s(left)))
    }

    #[test]
    fn time_is_shared_by_weight_and_by_visit() {
        let purse = Purse::new(s(12), [1.0, 3.0].into_iter());
        assert!(near(purse.total(), s(12)));
        assert!(near(slice(&purse, 0, 12, 3), s(1)) && near(slice(&purse, 1, 12, 3), s(3)));
        let none = Purse::new(s(12), [0.0].into_iter());
        assert_eq!(slice(&none, 0, 12, 1), Duration::ZERO);
    }

    #[test]
    fn what_one_does_not_need_the_others_have_at_every_visit() {
        let mut purse = Purse::new(s(12), [1.0, 1.0].into_iter());
        let worth = purse.worth(s(12));
        purse.pay(0, s(1), worth);
        purse.needs(0, s(2), worth);
        // 11 s are left, of which the two would have 2 and 6.
        assert!(near(slice(&purse, 0, 11, 1), Duration::from_millis(2_750)));
        let worth = purse.worth(s(11));
        let first = purse.slice(1, 2, worth);
        assert!(near(first, Duration::from_millis(4_125)));
        purse.pay(1, first, worth);
        assert!(near(slice(&purse, 1, 7, 1), s(7).mul_f64(0.6)), "half of its own is left");
    }

    #[test]
    fn who_overruns_pays_itself_and_who_has_ended_has_nothing() {
        let mut purse = Purse::new(s(12), [1.0, 1.0].into_iter());
        purse.pay(1, s(9), 1.0);
        assert_eq!(slice(&purse, 1, 3, 1), Duration::ZERO);
        assert!(near(slice(&purse, 0, 3, 1), s(3)));
        purse.close(0);
        assert_eq!(slice(&purse, 0, 2, 1), Duration::ZERO);
        assert_eq!(purse.total(), Duration::ZERO);
    }
}
