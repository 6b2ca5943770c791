//! How often a duel of equals alarms.

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use stats::paired::{Verdict, corrected_level, log_ratio, verdict};

use crate::simulation::{Cell, Noise, TRUTH};

const CELLS: usize = 4;

/// Share of `duels` of equals with a verdict of faster or slower in any cell,
/// without a margin, each interval at `level`.
fn alarms(cell: Cell, duels: u64, level: f64) -> f64 {
    let mut rng = Pcg64Mcg::seed_from_u64(1_936);
    let alarm = |duel: &u64| {
        (0..CELLS).any(|_| {
            let groups = cell.log_ratios(&mut rng);
            let ratio = log_ratio(&groups, level, *duel).unwrap().map_monotonic(|r| r / TRUTH);
            matches!(verdict(ratio.interval(), 0.0), Verdict::Faster | Verdict::Slower)
        })
    };
    (0..duels).filter(alarm).count() as f64 / duels as f64
}

#[test]
fn the_correction_keeps_the_alarms_of_a_whole_duel_at_the_level_asked_for() {
    for noise in [Noise::Normal, Noise::TwoDegrees] {
        let cell = Cell { noise, incarnations: 5, rounds: 10, luck: 0.5 };
        let corrected = alarms(cell, 2_000, corrected_level(0.95, CELLS));
        assert!((0.03..=0.065).contains(&corrected), "{noise:?}: {corrected}");
    }
}

#[test]
fn without_the_correction_four_cells_alarm_several_times_as_often() {
    let cell = Cell { noise: Noise::Normal, incarnations: 5, rounds: 10, luck: 0.5 };
    let uncorrected = alarms(cell, 500, 0.95);
    assert!(uncorrected > 0.14, "{uncorrected}");
}

/// The tests above with every noise and ten times the duels:
/// `cargo test --release -p stats --test it -- --ignored --nocapture one_duel_in_a_hundred`
#[test]
#[ignore = "takes a minute; prints a table of METHODOLOGY.md"]
fn at_most_one_duel_in_a_hundred_alarms_at_99_percent() {
    println!("| noise | incarnations | corrected | not corrected |");
    println!("|---|---|---|---|");
    for noise in Noise::ALL {
        for incarnations in [3, 6, 10] {
            let cell = Cell { noise, incarnations, rounds: 10, luck: 0.5 };
            let corrected = alarms(cell, 20_000, corrected_level(0.99, CELLS));
            let uncorrected = alarms(cell, 20_000, 0.99);
            let percent = |share: f64| format!("{:.2} %", 100.0 * share);
            println!(
                "| {noise:?} | {incarnations} | {} | {} |",
                percent(corrected),
                percent(uncorrected)
            );
            // Four standard errors of 20 000 duels.
            assert!(corrected < 0.0128, "{cell:?}: {corrected}");
        }
    }
}
