//! How a block spends its slice of the time: on how many incarnations, and
//! whether another round fits.

use std::time::{Duration, Instant};

/// The time of one block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice {
    begun: Instant,
    length: Duration,
}

/// At most this share of a slice goes into starting runners; the rest is for
/// rounds.
const SETTING_UP: f64 = 0.5;

impl Slice {
    /// `length` from now on.
    pub(super) fn starting_now(length: Duration) -> Self {
        Self { begun: Instant::now(), length }
    }

    /// How many of the `wanted` incarnations fit, at least one.
    ///
    /// `set_up` is what the first took to start and `round` what a round takes:
    /// every incarnation needs both.
    pub(super) fn incarnations(&self, wanted: u32, set_up: Duration, round: Duration) -> u32 {
        let length = self.length.as_secs_f64();
        let by_set_up = length * SETTING_UP / set_up.as_secs_f64().max(1e-6);
        let by_rounds = length / (set_up + round).as_secs_f64().max(1e-6);
        // A float to integer cast saturates, which is what is wanted here.
        (by_set_up.min(by_rounds) as u32).clamp(1, wanted.max(1))
    }

    /// Whether `next` more fits before incarnation `life` of `lives` has to
    /// make room.
    pub(super) fn has_room(&self, life: u32, lives: u32, next: Duration) -> bool {
        let share = f64::from(life + 1) / f64::from(lives.max(1));
        self.begun.elapsed() + next <= self.length.mul_f64(share.min(1.0))
    }

    /// How much of the slice is spent, 0 to 1.
    pub(super) fn spent(&self) -> f64 {
        (self.begun.elapsed().as_secs_f64() / self.length.as_secs_f64().max(1e-6)).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_short_slice_affords_one_incarnation_and_a_long_one_all() {
        let incarnations = |length| Slice::starting_now(length).incarnations(3, ms(100), ms(50));
        assert_eq!(incarnations(ms(10)), 1);
        assert_eq!(incarnations(ms(450)), 2);
        assert_eq!(incarnations(ms(10_000)), 3);
    }

    #[test]
    fn an_incarnation_makes_room_for_the_next() {
        let slice = Slice::starting_now(Duration::from_secs(3600));
        assert!(slice.has_room(0, 2, Duration::from_secs(1700)));
        assert!(!slice.has_room(0, 2, Duration::from_secs(1900)));
        assert!(slice.has_room(1, 2, Duration::from_secs(1900)));
    }
}
