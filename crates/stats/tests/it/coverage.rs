//! How often intervals contain the truth.

use stats::{median_with_interval, paired::log_ratio};

use crate::{
    rejected::{percentile, studentised},
    simulation::{Cell, Noise},
};

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

/// Every combination, and what was rejected: METHODOLOGY's table.
///
/// `cargo test --release -p stats --test it -- --ignored --nocapture every_combination`
#[test]
#[ignore = "takes minutes; prints the table of METHODOLOGY.md"]
fn every_combination_covers_the_truth_as_often_as_it_says() {
    println!(
        "| noise | incarnations | rounds | luck | used | of medians | percentile | studentised |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for noise in Noise::ALL {
        for incarnations in [3, 4, 6] {
            for (rounds, luck) in [(10, 0.0), (10, 1.0), (40, 0.0), (40, 0.2), (40, 1.0)] {
                let cell = Cell { noise, incarnations, rounds, luck };
                let used = cell.coverage(20_000, of_log_ratio);
                let shown = |(covered, width): (f64, f64)| {
                    format!("{:.1} % (± {:.1} %)", 100.0 * covered, width / 2.0)
                };
                println!(
                    "| {noise:?} | {incarnations} | {rounds} | {luck} | {} | {} | {} | {} |",
                    shown(used),
                    shown(cell.coverage(20_000, of_median)),
                    shown(cell.coverage(1_000, percentile)),
                    shown(cell.coverage(1_000, studentised)),
                );
                assert!((0.93..=0.97).contains(&used.0), "{cell:?}: {used:?}");
            }
        }
    }
}
