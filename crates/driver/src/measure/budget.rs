//! How a block spends its slice of the time: on how many incarnations, and
//! whether another round fits.

use std::time::{Duration, Instant};

use stats::paired::{VarianceShares, best_split};

/// The time of one block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice {
    begun: Instant,
    length: Duration,
}

/// What has been paid so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Costs {
    /// Of starting and ending the runners, all incarnations together.
    pub(super) set_up: Duration,
    /// Incarnations.
    pub(super) lives: u32,
    /// Of all rounds, those included that do not count.
    pub(super) rounds: Duration,
    /// All rounds.
    pub(super) taken: u32,
    /// Rounds that count.
    pub(super) clean_rounds: u32,
}

/// At most this share of a slice goes into starting runners; the rest is for
/// rounds.
const SETTING_UP: f64 = 0.5;

/// Incarnations before their variance is believed: of two, the share between them
/// is an estimate with one degree of freedom.
pub(super) const LIVES_BEFORE_SPLIT: u32 = 3;

impl Costs {
    /// What an incarnation of one round is worth: its start, for at most its share
    /// of the time, and the round.
    pub(super) fn least_life(&self) -> Duration {
        let (set_up, round) = (self.per_life(), self.per_round());
        Duration::from_secs_f64((set_up / SETTING_UP).max(set_up + round))
    }

    /// Seconds.
    fn per_life(&self) -> f64 {
        mean(self.set_up, self.lives)
    }

    /// Seconds a round that counts. As if half did where fewer do: a machine that is
    /// disturbed now may not be later, and no life would seem worth starting.
    fn per_round(&self) -> f64 {
        mean(self.rounds, self.clean_rounds.max(self.taken / 2))
    }
}

/// Seconds, never nothing.
fn mean(total: Duration, count: u32) -> f64 {
    (total.as_secs_f64() / f64::from(count.max(1))).max(1e-6)
}

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

    /// What is left.
    pub(super) fn left(&self) -> Duration {
        self.length.saturating_sub(self.begun.elapsed())
    }

    /// How much of what is left belongs to the next of `lives` incarnations, from the
    /// beginning of the slice on: as much as to each of the others.
    pub(super) fn share_ends(&self, lives: u32) -> Duration {
        self.begun.elapsed() + self.left() / lives.max(1)
    }

    /// The same for the first one, when it is known how many there are.
    pub(super) fn first_share_ends(&self, lives: u32) -> Duration {
        self.length / lives.max(1)
    }

    /// Whether `next` more fits before `end`, counted from the beginning.
    pub(super) fn has_room(&self, end: Duration, next: Duration) -> bool {
        self.begun.elapsed() + next <= end.min(self.length)
    }
}

/// What a block may still spend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    pub(super) time: Duration,
    /// Rounds that count.
    pub(super) rounds: u32,
}

/// Into how many incarnations what is `left` is best split, at least `least`; and at
/// least one if there is time for it.
///
/// Each has as many rounds as [`best_split`] finds for the variance so far and its
/// costs. Where incarnations hardly differ, more rounds in the `least` of them are
/// better than more of them.
pub(super) fn lives_left(left: Left, costs: Costs, shares: VarianceShares, least: u32) -> u32 {
    let (set_up, round) = (costs.per_life(), costs.per_round());
    let rounds = best_split(shares, set_up, round) as f64;
    let time = left.time.as_secs_f64();
    let by_time = (time / (set_up + rounds * round)).min(time * SETTING_UP / set_up);
    let by_rounds = f64::from(left.rounds) / rounds;
    let another = u32::from(time >= set_up + round && left.rounds > 0);
    (by_time.min(by_rounds) as u32).max(least).max(another)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;
    use stats::paired::variance;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn left(time_ms: u64) -> Left {
        Left { time: ms(time_ms), rounds: 1_000_000 }
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
        let half = slice.share_ends(2);
        assert!(slice.has_room(half, Duration::from_secs(1700)));
        assert!(!slice.has_room(half, Duration::from_secs(1900)));
        let all = slice.share_ends(1);
        assert!(slice.has_room(all, Duration::from_secs(1900)));
        assert!(!slice.has_room(2 * all, Duration::from_secs(3700)), "no share exceeds the slice");
    }

    /// An incarnation costs 500 ms to set up, a round 100 ms; three lives so far.
    const COSTS: Costs = Costs {
        set_up: Duration::from_millis(1_500),
        lives: 3,
        rounds: Duration::from_millis(2_400),
        taken: 24,
        clean_rounds: 24,
    };

    #[test]
    fn time_goes_to_incarnations_if_they_differ_and_to_rounds_if_they_do_not() {
        let lives = |between, within| {
            lives_left(left(12_000), COSTS, VarianceShares { between, within }, 3)
        };
        // √5 rounds, rounded up, and the start: 800 ms each.
        assert_eq!(lives(1.0, 1.0), 12, "half of the time is for starting at most");
        // √(5 · 16) rounds, rounded up, and the start: 1 400 ms each.
        assert_eq!(lives(1.0, 16.0), 8);
        assert_eq!(lives(1.0, 1_000.0), 3);
        assert_eq!(lives(0.0, 1.0), 3, "never fewer than the least");
        assert_eq!(lives(0.0, 0.0), 3);
    }

    #[test]
    fn what_is_left_is_spent_while_there_is_time_and_not_beyond() {
        for between in [0.0, 1.0] {
            let shares = VarianceShares { between, within: 1.0 };
            assert_eq!(lives_left(left(400), COSTS, shares, 0), 0, "no time for another");
            assert_eq!(lives_left(left(700), COSTS, shares, 0), 1);
            let none = Left { rounds: 0, ..left(9_000) };
            assert_eq!(lives_left(none, COSTS, shares, 0), 0, "no rounds for another");
        }
        let level = VarianceShares { between: 0.0, within: 1.0 };
        assert_eq!(lives_left(left(12_000), COSTS, level, 0), 1, "a last one has all of it");
        // Three rounds each: of the ten that are left, three have as many.
        let lucky = VarianceShares { between: 1.0, within: 1.0 };
        let few = Left { rounds: 10, ..left(12_000) };
        assert_eq!(lives_left(few, COSTS, lucky, 0), 3);
    }

    #[test]
    fn rounds_that_do_not_count_make_those_dearer_that_do() {
        let shares = VarianceShares { between: 1.0, within: 16.0 };
        let disturbed = Costs { clean_rounds: 12, ..COSTS };
        let [quiet, disturbed] = [COSTS, disturbed].map(|c| lives_left(left(60_000), c, shares, 1));
        assert!(disturbed < quiet, "{disturbed}, {quiet}");
    }

    #[test]
    fn a_life_stays_worth_starting_where_nothing_counts() {
        let [half, none] = [12, 0].map(|clean_rounds| Costs { clean_rounds, ..COSTS }.least_life());
        assert_eq!(half, none);
    }

    /// Groups of rounds of so many lives, uniform luck and noise of these widths.
    fn rounds(lives: u32, rounds: u32, luck: f64, noise: f64, rng: &mut Pcg64Mcg) -> Vec<Vec<f64>> {
        let life = |_| {
            let luck = luck * (rng.random::<f64>() - 0.5);
            (0..rounds).map(|_| luck + noise * (rng.random::<f64>() - 0.5)).collect()
        };
        (0..lives).map(life).collect()
    }

    /// The half-width of the interval after 3 lives of 8 rounds, and 12 s more that are
    /// split as the first three tell, or into three lives; the median of many blocks.
    fn half_widths(luck: f64, noise: f64) -> [f64; 2] {
        let mut rng = Pcg64Mcg::seed_from_u64(2_013);
        let mut widths = [Vec::new(), Vec::new()];
        for seed in 0..200 {
            let first = rounds(3, 8, luck, noise, &mut rng);
            let shares = variance(&first).expect("three lives");
            for (split, widths) in [true, false].into_iter().zip(&mut widths) {
                let lives = if split { lives_left(left(12_000), COSTS, shares, 3) } else { 3 };
                let each = (12_000 / lives - 500) / 100;
                let mut all = first.clone();
                all.extend(rounds(lives, each, luck, noise, &mut rng));
                let ratios: Vec<Vec<f64>> =
                    all.iter().map(|life| life.iter().map(|log| log.exp()).collect()).collect();
                let estimate = stats::median_with_interval(&ratios, seed).expect("values");
                widths.push(estimate.relative_half_width().expect("an interval"));
            }
        }
        widths.map(|widths| stats::median(&widths).expect("blocks"))
    }

    #[test]
    fn intervals_are_narrower_if_the_time_goes_where_the_variance_lies() {
        let [split, fixed] = half_widths(0.10, 0.05);
        assert!(split < 0.8 * fixed, "{split}, {fixed}");
        let [split, fixed] = half_widths(0.0, 0.10);
        assert!(split < 1.1 * fixed, "without luck nothing is lost: {split}, {fixed}");
    }
}
