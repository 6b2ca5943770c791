//! How often intervals contain the truth.

use stats::{median_with_interval, paired::log_ratio};

use crate::{
    rejected::{percentile, studentised},
    simulation::{Cell, Noise},
};

/// The interval of a ratio from logarithms and a seed.
type Interval = fn(&[Vec<f64>], u64) -> Option<(f64, f64)>;

fn of_log_ratio(groups: &[Vec<f64>], seed: u64) -> Option<(f64, f64)> {
    log_ratio(groups, 0.95, seed)?.interval()
}

fn of_median(groups: &[Vec<f64>], seed: u64) -> Option<(f64, f64)> {
    let ratios: Vec<Vec<f64>> =
        groups.iter().map(|group| group.iter().map(|log| log.exp()).collect()).collect();
    median_with_interval(&ratios, seed)?.interval()
}

/// Few rounds and much luck, many rounds and next to none, for few
/// incarnations and for some.
fn cells() -> impl Iterator<Item = Cell> {
    let shapes = [(3, 10, 1.0), (3, 40, 0.1), (4, 20, 0.0), (6, 10, 0.3), (6, 40, 1.0)];
    Noise::ALL.into_iter().flat_map(move |noise| {
        shapes.map(|(incarnations, rounds, luck)| Cell { noise, incarnations, rounds, luck })
    })
}

#[test]
fn intervals_of_log_ratios_cover_the_truth_as_often_as_they_say() {
    for cell in cells() {
        let (covered, _) = cell.coverage(1_000, of_log_ratio);
        assert!((0.93..=0.97).contains(&covered), "{cell:?}: {covered}");
    }
}

#[test]
fn intervals_of_medians_cover_the_truth_as_often_as_they_say() {
    for cell in cells() {
        let (covered, _) = cell.coverage(1_000, of_median);
        assert!((0.93..=0.97).contains(&covered), "{cell:?}: {covered}");
    }
}

#[test]
fn a_percentile_bootstrap_of_three_incarnations_promises_too_much() {
    let cell = Cell { noise: Noise::Normal, incarnations: 3, rounds: 40, luck: 1.0 };
    let (covered, _) = cell.coverage(300, percentile);
    assert!(covered < 0.9, "{covered}");
}

/// Rounds of an incarnation and its luck.
const SHAPES: [(usize, f64); 5] = [(10, 0.0), (10, 1.0), (40, 0.0), (40, 0.2), (40, 1.0)];

/// Lowest and highest coverage of `interval` over all [`SHAPES`], in percent,
/// and the half-width in the middle of them.
fn range(noise: Noise, incarnations: usize, trials: u64, interval: Interval) -> (f64, f64, f64) {
    let of_shape =
        |(rounds, luck)| Cell { noise, incarnations, rounds, luck }.coverage(trials, interval);
    let (covered, widths): (Vec<f64>, Vec<f64>) = SHAPES.into_iter().map(of_shape).unzip();
    let (low, high) = covered.iter().fold((1.0, 0.0), |(l, h), &c| (c.min(l), c.max(h)));
    (100.0 * low, 100.0 * high, stats::median(&widths).unwrap() / 2.0)
}

/// The tests above with every combination, and with what was rejected:
/// METHODOLOGY's table.
///
/// `cargo test --release -p stats --test it -- --ignored --nocapture every_combination`
#[test]
#[ignore = "takes minutes; prints a table of METHODOLOGY.md"]
fn every_combination_covers_the_truth_as_often_as_it_says() {
    println!("| noise | incarnations | log ratio | median | percentile | studentised |");
    println!("|---|---|---|---|---|---|");
    for noise in Noise::ALL {
        for incarnations in [3, 4, 6] {
            let shown = |(low, high, width)| format!("{low:.1}–{high:.1} (±{width:.1})");
            let used = range(noise, incarnations, 10_000, of_log_ratio);
            println!(
                "| {noise:?} | {incarnations} | {} | {} | {} | {} |",
                shown(used),
                shown(range(noise, incarnations, 10_000, of_median)),
                shown(range(noise, incarnations, 1_000, percentile)),
                shown(range(noise, incarnations, 1_000, studentised)),
            );
            assert!(used.0 >= 93.0 && used.1 <= 97.0, "{noise:?}, {incarnations}: {used:?}");
        }
    }
}
