//! What a look halfway costs, and what it saves.

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use stats::paired::{Look, Verdict, corrected_level, is_settled, log_ratio, verdict};

use crate::simulation::{Cell, Noise, TRUTH};

const MARGIN: f64 = 0.03;

/// Made-up duels of so many cells, of which the first has its own ratio.
#[derive(Clone, Copy)]
struct Duels {
    cell: Cell,
    cells: usize,
    /// Head's time over base's in the first cell.
    first: f64,
    /// In the others.
    others: f64,
}

/// How a duel is looked at.
#[derive(Clone, Copy)]
struct Plan {
    looks: &'static [Look],
    /// Whether the looks share what may err.
    shares: bool,
}

const ONE_LOOK: Plan = Plan { looks: &[Look::Only], shares: true };
const TWO_LOOKS: Plan = Plan { looks: &[Look::Halfway, Look::Last], shares: true };
/// What the shares are there against.
const TWO_LOOKS_AT_FULL_LEVEL: Plan = Plan { shares: false, ..TWO_LOOKS };

/// What many duels came to.
#[derive(Debug)]
struct Tally {
    /// Share with a verdict of slower in any cell.
    alarms: f64,
    /// Share that was over halfway.
    early: f64,
}

impl Duels {
    /// `duels` of them by `plan`, of which `alarms` may alarm falsely.
    fn fight(self, plan: Plan, duels: u32, alarms: f64) -> Tally {
        let mut rng = Pcg64Mcg::seed_from_u64(1_977);
        let (mut alarmed, mut early) = (0, 0);
        for _ in 0..duels {
            let cells: Vec<_> = (0..self.cells).map(|_| self.cell.log_ratios(&mut rng)).collect();
            let (is_alarm, is_early) = self.judge(plan, &cells, alarms);
            alarmed += u32::from(is_alarm);
            early += u32::from(is_early);
        }
        let share = |count: u32| f64::from(count) / f64::from(duels);
        Tally { alarms: share(alarmed), early: share(early) }
    }

    /// Whether a duel alarms, and whether it was over halfway.
    fn judge(self, plan: Plan, cells: &[Vec<Vec<f64>>], alarms: f64) -> (bool, bool) {
        for &look in plan.looks {
            let is_halfway = look == Look::Halfway;
            let count = self.cell.incarnations / if is_halfway { 2 } else { 1 };
            let level = 1.0 - 2.0 * alarms;
            let level = if plan.shares { look.level(level) } else { level };
            let level = corrected_level(level, self.cells);
            let interval = |(index, groups): (usize, &Vec<Vec<f64>>)| {
                let ratio = if index == 0 { self.first } else { self.others };
                let found = log_ratio(&groups[..count], level, 1).unwrap();
                found.map_monotonic(|found| found / TRUTH * ratio).interval().unwrap()
            };
            let intervals: Vec<_> = cells.iter().enumerate().map(interval).collect();
            if !is_halfway || intervals.iter().all(|&interval| is_settled(interval, MARGIN)) {
                let is_slower = |&interval| verdict(interval, MARGIN) == Verdict::Slower;
                return (intervals.iter().any(is_slower), is_halfway);
            }
        }
        unreachable!("a plan has a last look")
    }
}

const USUAL: Cell = Cell { noise: Noise::Normal, incarnations: 16, rounds: 10, luck: 0.5 };

/// With more rounds and less luck.
const SHARP: Cell = Cell { luck: 0.2, rounds: 20, ..USUAL };

/// As slow as is allowed, so that every alarm is a false one and as near as can be.
fn at_the_edge(cell: Cell, cells: usize) -> Duels {
    Duels { cell, cells, first: 1.0 + MARGIN, others: 1.0 + MARGIN }
}

#[test]
fn two_looks_together_alarm_no_more_often_than_is_allowed() {
    for noise in [Noise::Normal, Noise::TwoDegrees] {
        for incarnations in [6, 16] {
            let duels = at_the_edge(Cell { noise, incarnations, ..USUAL }, 1);
            let alarms = duels.fight(TWO_LOOKS, 2_000, 0.05).alarms;
            // Four standard errors of 2 000 duels above it, and no idle promise.
            assert!((0.03..=0.0695).contains(&alarms), "{noise:?}, {incarnations}: {alarms}");
        }
    }
}

#[test]
fn two_looks_at_the_level_of_one_alarm_more_often_than_is_allowed() {
    let alarms = at_the_edge(USUAL, 1).fight(TWO_LOOKS_AT_FULL_LEVEL, 2_000, 0.05).alarms;
    assert!(alarms > 0.0695, "{alarms}");
}

#[test]
fn equals_and_plain_slow_downs_are_settled_halfway() {
    for first in [1.0, 1.1] {
        let duels = Duels { cell: SHARP, cells: 4, first, others: 1.0 };
        let result = duels.fight(TWO_LOOKS, 300, 0.01);
        assert!(result.early > 0.95, "{first}: {result:?}");
        let expected = if first > 1.0 { 1.0 } else { 0.0 };
        assert!((result.alarms - expected).abs() < 0.01, "{first}: {result:?}");
    }
}

#[test]
fn a_slow_down_that_one_look_finds_two_find_nearly_as_often() {
    for first in [1.044, 1.047, 1.06] {
        let duels = Duels { cell: USUAL, cells: 4, first, others: 1.0 };
        let [one, two] = [ONE_LOOK, TWO_LOOKS].map(|plan| duels.fight(plan, 500, 0.01).alarms);
        assert!(one > 0.7, "one look is to find it: {one}");
        assert!(two > one - 0.06, "{first}: {two}, not {one}");
    }
}

/// The tests above with every noise and more duels:
/// `cargo test --release -p stats --test it -- --ignored --nocapture two_looks_cost`
#[test]
#[ignore = "takes minutes; prints a table of METHODOLOGY.md"]
fn two_looks_cost_little_and_save_half_of_the_time_where_they_can() {
    println!(
        "| noise | 1 cell at the edge: one look | two | 4 cells | 1.05: one | two | 1: early | sharp |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for noise in Noise::ALL {
        let cell = Cell { noise, ..USUAL };
        let at_edge = |cells, plan| at_the_edge(cell, cells).fight(plan, 20_000, 0.01).alarms;
        let slowed = |plan| {
            let duels = Duels { cell, cells: 4, first: 1.05, others: 1.0 };
            duels.fight(plan, 5_000, 0.01).alarms
        };
        let early = |cell| {
            let equals = Duels { cell, cells: 4, first: 1.0, others: 1.0 };
            equals.fight(TWO_LOOKS, 5_000, 0.01).early
        };
        let shares = [
            at_edge(1, ONE_LOOK),
            at_edge(1, TWO_LOOKS),
            at_edge(4, TWO_LOOKS),
            slowed(ONE_LOOK),
            slowed(TWO_LOOKS),
            early(cell),
            early(Cell { noise, ..SHARP }),
        ];
        let shown = shares.map(|share| format!("{:.2} %", 100.0 * share));
        println!("| {noise:?} | {} |", shown.join(" | "));
        // Four standard errors of 20 000 duels.
        assert!(shares[1] < 0.0128 && shares[2] < 0.0128, "{noise:?}: {shares:?}");
    }
}
