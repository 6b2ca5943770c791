//! How often change points are seen where there are none, and where there are.

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use stats::change_points;

use crate::simulation::Noise;

/// Scatter of a run's log speed-up where it is normal: 3 %.
const SCATTER: f64 = 0.03;

/// What all series of a history together may alarm.
const RATE: f64 = 0.01;

/// Series of `runs` values that share their machine's noise by a half.
fn history(noise: Noise, series: usize, runs: usize, rng: &mut Pcg64Mcg) -> Vec<Vec<f64>> {
    let shared: Vec<f64> = (0..runs).map(|_| noise.draw(rng)).collect();
    let mut one = || shared.iter().map(|s| SCATTER * (0.5 * s + noise.draw(rng))).collect();
    (0..series).map(|_| one()).collect()
}

/// Share of `histories` without any change in which one is seen.
fn alarms(noise: Noise, series: usize, runs: usize, histories: u32, rate: f64) -> f64 {
    let mut rng = Pcg64Mcg::seed_from_u64(1_979);
    let is_alarm = |_: &u32| {
        let found = change_points(&history(noise, series, runs, &mut rng), rate);
        found.iter().any(|changes| !changes.is_empty())
    };
    f64::from((0..histories).filter(is_alarm).count() as u32) / f64::from(histories)
}

/// How a step of 10 % before run `at` of `runs`, in one series of `series`, is found.
#[derive(Debug, Default)]
struct Found {
    /// Share of histories in which it is found at the right run.
    exactly: f64,
    /// At most one run off.
    nearly: f64,
    /// With another change beside it.
    more: f64,
}

fn found(noise: Noise, series: usize, (runs, at): (usize, usize), histories: u32) -> Found {
    let mut rng = Pcg64Mcg::seed_from_u64(1_945);
    let mut counts = Found::default();
    for _ in 0..histories {
        let mut values: Vec<f64> = (0..runs).map(|_| SCATTER * noise.draw(&mut rng)).collect();
        values[at..].iter_mut().for_each(|value| *value += 1.1f64.ln());
        // Of the others only their number matters.
        let mut all = vec![values];
        all.resize(series, Vec::new());
        let changes = &change_points(&all, RATE)[0];
        let off = |by: usize| changes.iter().any(|change| change.at.abs_diff(at) <= by);
        counts.exactly += f64::from(u8::from(off(0)));
        counts.nearly += f64::from(u8::from(off(1)));
        counts.more += f64::from(u8::from(changes.len() > 1));
    }
    let share = |count: f64| count / f64::from(histories);
    Found { exactly: share(counts.exactly), nearly: share(counts.nearly), more: share(counts.more) }
}

const STATIONARY: [Noise; 4] =
    [Noise::Normal, Noise::TwoDegrees, Noise::ThreeDegrees, Noise::Contaminated];

#[test]
fn where_nothing_changes_alarms_are_at_most_as_frequent_as_promised() {
    for noise in STATIONARY {
        for (series, runs) in [(1, 30), (20, 12), (20, 50)] {
            let rate = alarms(noise, series, runs, 400, 0.05);
            // Two standard errors of 400 histories above the rate.
            assert!(rate <= 0.072, "{noise:?}, {series} series of {runs}: {rate}");
        }
    }
}

/// Otherwise the test above could not fail: it would if none were ever seen.
#[test]
fn alarms_are_not_much_rarer_than_promised_either() {
    let rate = alarms(Noise::Normal, 1, 30, 2_000, 0.05);
    assert!(rate > 0.01, "{rate}");
}

#[test]
fn a_step_of_ten_percent_in_thirty_runs_is_found_where_it_is() {
    for series in [1, 100] {
        let found = found(Noise::Normal, series, (30, 15), 500);
        assert!(found.exactly >= 0.85 && found.nearly >= 0.97, "{series}: {found:?}");
        assert!(found.more <= 0.02, "{series}: {found:?}");
    }
}

/// The tests above with every noise and more histories: METHODOLOGY's tables.
///
/// `cargo test --release -p stats --test it -- --ignored --nocapture promised_change`
#[test]
#[ignore = "takes a minute or two; prints tables of METHODOLOGY.md"]
fn promised_change_points_in_full() {
    println!("| noise | 1 series of 30 | 300 of 30 | 300 of 100 |");
    println!("|---|---|---|---|");
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    for noise in STATIONARY {
        let rates = [(1, 30, 20_000), (300, 30, 2_000), (300, 100, 2_000)]
            .map(|(series, runs, histories)| alarms(noise, series, runs, histories, RATE));
        println!("| {noise:?} | {} |", rates.map(percent).join(" | "));
        // Two standard errors of 2 000 histories above the rate.
        assert!(rates.iter().all(|&rate| rate <= 0.0145), "{noise:?}: {rates:?}");
    }
    println!("| noise | series | step before run | found there | at most one off | more |");
    println!("|---|---|---|---|---|---|");
    for noise in STATIONARY {
        for series in [1, 100, 300] {
            for at in [15, 23] {
                let Found { exactly, nearly, more } = found(noise, series, (30, at), 2_000);
                let [exactly, nearly, more] = [exactly, nearly, more].map(percent);
                println!("| {noise:?} | {series} | {} | {exactly} | {nearly} | {more} |", at + 1);
            }
        }
    }
}
