//! How much the same work differs from one time to the next.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use limits::chain;
use nix::time::{ClockId, clock_gettime};

use super::finding::{Finding, Grades, percent};

/// About what a job of the default sweep takes.
const BLOCK: Duration = Duration::from_millis(5);

/// Blocks between two looks at the machine.
const BETWEEN_LOOKS: usize = 20;

/// On a machine that is displaced all the time, two seconds are few blocks.
const FEWEST: usize = 40;

/// A block that lost more of its time than this to others was displaced:
/// interrupts take less.
const DISPLACED: f64 = 0.02;

/// The effect that is asked about, as a share.
const EFFECT: f64 = 0.01;

/// Rounds that a default sweep takes at the most: what needs more than these
/// is not settled by it.
const MOST_ROUNDS: f64 = 200.0;

/// A fixed amount of work, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Block {
    /// By the clock on the wall.
    wall: f64,
    /// By the thread's own clock, which stands while others have the core.
    cpu: f64,
}

/// Runs blocks of one fixed chain of multiplications, each of which needs the
/// one before, for about `duration`; calls `look` now and then between two.
pub(super) fn measure(duration: Duration, mut look: impl FnMut()) -> Vec<Block> {
    let steps = calibrated();
    let begun = Instant::now();
    let mut blocks = Vec::new();
    while begun.elapsed() < duration || blocks.len() < FEWEST {
        look();
        blocks.extend((0..BETWEEN_LOOKS).map(|_| block(steps)));
    }
    blocks
}

/// Spread of neighbours, worst block, displaced blocks, and what effect a
/// comparison could detect with such noise.
pub(super) fn findings(blocks: &[Block]) -> Vec<Finding> {
    let walls: Vec<f64> = blocks.iter().map(|block| block.wall).collect();
    let Some(median) = stats::median(&walls) else { return Vec::new() };
    let ratios = neighbours(&walls);
    vec![spread(&ratios), worst(&walls, median), displaced(blocks), effect(&ratios)]
}

/// Logarithms of the ratios of blocks 1 and 2, 3 and 4, …: each is a round
/// of two contestants that are equal.
fn neighbours(walls: &[f64]) -> Vec<f64> {
    walls.chunks_exact(2).map(|pair| (pair[1] / pair[0]).ln()).collect()
}

fn spread(ratios: &[f64]) -> Finding {
    let sizes: Vec<f64> = ratios.iter().map(|ratio| ratio.abs()).collect();
    let size = |p| stats::quantile(&sizes, p).unwrap_or(0.0).exp_m1();
    let (half, most) = (size(0.5), size(0.9));
    let value =
        format!("equals differ by {} in the median, a tenth by {}", percent(half), percent(most));
    let grades = Grades { note: 0.01, warn: 0.05 };
    let advice = "quieten the machine as said above; nothing but rounds averages this out";
    Finding::graded("neighbours", value, (half, grades), advice)
        .with("median_share", half)
        .with("ninth_decile_share", most)
}

fn worst(walls: &[f64], median: f64) -> Finding {
    let worst = walls.iter().copied().fold(0.0, f64::max) / median;
    let value = format!("{worst:.2} × the median of {:.2} ms", median / 1e6);
    // Medians do not mind a bad block, so this is no more than a note.
    let finding = if worst > 2.0 { Finding::note } else { Finding::ok };
    finding("worst block", value).with("ratio", worst).with("median_ns", median)
}

fn displaced(blocks: &[Block]) -> Finding {
    let lost = |block: &&Block| block.wall - block.cpu > DISPLACED * block.wall;
    let count = blocks.iter().filter(lost).count();
    let share = count as f64 / blocks.len() as f64;
    let value = format!("{count} of {} lost over 2 % of their time to others", blocks.len());
    let grades = Grades { note: 0.01, warn: 0.1 };
    let advice = "another task shares the core: end it, or pin it elsewhere";
    Finding::graded("displaced blocks", value, (share, grades), advice)
        .with("blocks", blocks.len() as f64)
        .with("displaced_blocks", count as f64)
}

fn effect(ratios: &[f64]) -> Finding {
    const WHAT: &str = "detectable effect";
    let Some(rounds) = stats::rounds_for(ratios, EFFECT.ln_1p()) else {
        return Finding::warn(WHAT, "no number of rounds tells 1 %", "see the warnings above");
    };
    let rounds = f64::from(rounds);
    let reached = stats::sensitivity::half_width(ratios, MOST_ROUNDS as u32).unwrap_or(0.0);
    // Incarnations differ too, which one thread's blocks cannot know.
    let value =
        format!("ratios within 1 % need about {:.0} rounds at the least", two_digits(rounds));
    let grades = Grades { note: MOST_ROUNDS / 2.0, warn: MOST_ROUNDS };
    let advice = "quieten the machine as said above, or give comparisons more time";
    Finding::graded(WHAT, value, (rounds, grades), advice)
        .with("rounds_for_one_percent", rounds)
        .with("share_after_200_rounds", reached.exp_m1())
}

/// An estimate is not known to the last digit.
fn two_digits(rounds: f64) -> f64 {
    let unit = 10_f64.powf(rounds.log10().floor() - 1.0).max(1.0);
    (rounds / unit).round() * unit
}

/// Steps that take about [`BLOCK`], by the quickest of some tries, during
/// which the core also leaves its sleep.
fn calibrated() -> u64 {
    const TRY: u64 = 100_000;
    let tries = (0..50).map(|_| block(TRY).wall);
    let quickest = tries.fold(f64::INFINITY, f64::min).max(1.0);
    (TRY as f64 * BLOCK.as_nanos() as f64 / quickest) as u64
}

fn block(steps: u64) -> Block {
    let (begun, cpu) = (Instant::now(), thread_ns());
    black_box(chain(black_box(1), steps));
    Block { cpu: thread_ns() - cpu, wall: begun.elapsed().as_nanos() as f64 }
}

/// Processor time of this thread.
fn thread_ns() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.map_or(0.0, |time| time.tv_sec() as f64 * 1e9 + time.tv_nsec() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    /// Blocks of 5 ms; every `nth` takes `factor` times as long, by others' doing.
    fn made(nth: usize, factor: f64) -> Vec<Block> {
        (0..400)
            .map(|index| {
                let slow = index % nth == nth - 1;
                Block { wall: if slow { 5e6 * factor } else { 5e6 }, cpu: 5e6 }
            })
            .collect()
    }

    fn found(blocks: &[Block], what: &str) -> Finding {
        let findings = findings(blocks);
        findings.into_iter().find(|finding| finding.what == what).expect(what)
    }

    #[test]
    fn blocks_that_are_all_alike_need_the_fewest_rounds() {
        let blocks = made(1_000, 1.0);
        assert!(findings(&blocks).iter().all(|finding| finding.level == Level::Ok));
        let effect = found(&blocks, "detectable effect");
        assert!(effect.value.contains("about 6 rounds at the least"), "{effect:?}");
    }

    #[test]
    fn displaced_blocks_are_counted_and_the_worst_is_named() {
        let blocks = made(5, 3.0);
        assert!(found(&blocks, "worst block").value.starts_with("3.00 × the median of 5.00 ms"));
        let displaced = found(&blocks, "displaced blocks");
        assert!(displaced.value.starts_with("80 of 400"), "{displaced:?}");
        assert_eq!(displaced.level, Level::Warn);
    }

    #[test]
    fn where_neighbours_differ_much_a_comparison_is_warned_of() {
        // Pairs that differ by up to ± 60 %, evenly.
        let walls = (0..200).flat_map(|i| [5e6, 5e6 * (f64::from(i - 100) * 0.005).exp()]);
        let blocks: Vec<Block> = walls.map(|wall| Block { wall, cpu: wall }).collect();
        assert_eq!(found(&blocks, "neighbours").level, Level::Warn);
        let effect = found(&blocks, "detectable effect");
        assert_eq!(effect.level, Level::Warn);
        // (1.96 × 0.4975 / ln 1.01)² = 9604
        assert!(effect.value.contains("about 9600 rounds at the least"), "{effect:?}");
    }

    #[test]
    fn the_chain_is_measured_by_both_clocks() {
        let mut looks = 0;
        let blocks = measure(Duration::ZERO, || looks += 1);
        assert_eq!((blocks.len(), looks), (FEWEST, FEWEST / BETWEEN_LOOKS));
        assert!(blocks.iter().all(|block| block.wall > 0.0 && block.cpu > 0.0), "{blocks:?}");
    }
}
