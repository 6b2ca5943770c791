//! Two sweeps side by side.

use harness::{environment::Environment, record::Record};
use report::{
    SweepData,
    comparison::{ComparedCell, Comparison, Side, compare},
};
use stats::paired::Verdict;
use unicode_width::UnicodeWidthStr;

use crate::synthetic::{self, Synthetic};

fn side<'a>(name: &'a str, sweep: &'a SweepData) -> Side<'a> {
    Side { name, environment: Some(&sweep.environment), records: &sweep.records }
}

fn speed_up(seed: u64) -> SweepData {
    let mut sweep = Synthetic::new(seed);
    sweep.speed_up();
    sweep.finish()
}

/// The times of one strategy, or of all, are `factor` times what they were.
fn slowed(mut sweep: SweepData, strategy: Option<&str>, factor: f64) -> SweepData {
    let mut slow: Vec<usize> = Vec::new();
    for record in &mut sweep.records {
        match record {
            Record::Block(block) => {
                let is_slow = |name: String| strategy.is_none_or(|slow| slow == name);
                let all = block.configurations.iter().enumerate();
                slow = all
                    .filter(|(_, c)| is_slow(c.strategy.to_string()))
                    .map(|(place, _)| place)
                    .collect();
            }
            Record::Round(round) => {
                for sample in round.samples.iter_mut().filter(|s| slow.contains(&s.configuration)) {
                    if let harness::record::Outcome::Warm { wall_ns } = &mut sample.outcome {
                        *wall_ns = (*wall_ns as f64 * factor) as u64;
                    }
                }
            }
            _ => {}
        }
    }
    sweep
}

fn cells<'a>(comparison: &'a Comparison, strategy: &str) -> Vec<&'a ComparedCell> {
    let of = |cell: &&ComparedCell| cell.name.configuration.strategy.to_string() == strategy;
    comparison.cells.iter().filter(of).collect()
}

#[test]
fn a_slower_machine_shows_in_the_times_and_cancels_in_the_speed_ups() {
    let (a, b) = (speed_up(1), slowed(speed_up(1), None, 1.4));
    let comparison = compare(&side("a", &a), &side("b", &b));
    assert!(comparison.cells.len() > 50 && comparison.only_in_a.is_empty());
    for cell in &comparison.cells {
        let time = cell.time_ratio.unwrap();
        assert!((time.value - 1.4).abs() < 1e-3, "{cell:?}");
        if let Some(ratio) = cell.speed_up_ratio {
            assert!((ratio.value - 1.0).abs() < 1e-3, "{cell:?}");
            assert!(!matches!(cell.verdict, Verdict::Faster | Verdict::Slower), "{cell:?}");
        }
    }
    assert!(cells(&comparison, "serial").iter().all(|cell| cell.speed_up_ratio.is_none()));
}

#[test]
fn a_strategy_that_became_slower_is_the_only_one_that_is_called_so() {
    let (a, b) = (speed_up(1), slowed(speed_up(1), Some("rayon"), 2.0));
    let comparison = compare(&side("a", &a), &side("b", &b));
    for cell in cells(&comparison, "rayon") {
        assert_eq!(cell.verdict, Verdict::Slower, "{cell:?}");
        assert!((cell.speed_up_ratio.unwrap().value - 0.5).abs() < 1e-3);
    }
    let slower = comparison.cells.iter().filter(|cell| cell.verdict == Verdict::Slower).count();
    assert_eq!(slower, cells(&comparison, "rayon").len());
    let back = compare(&side("b", &b), &side("a", &a));
    assert!(cells(&back, "rayon").iter().all(|cell| cell.verdict == Verdict::Faster));
}

#[test]
fn what_failed_or_is_missing_on_one_side_is_told_and_never_a_ratio() {
    let (whole, part) = (synthetic::whole_sweep(1), speed_up(2));
    let comparison = compare(&side("whole", &whole), &side("part", &part));
    assert!(comparison.only_in_b.is_empty() && !comparison.only_in_a.is_empty());
    let failed: Vec<&ComparedCell> =
        comparison.cells.iter().filter(|cell| cell.a.failure.is_some()).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!((failed[0].time_ratio, failed[0].verdict), (None, Verdict::Inconclusive));
    let text = comparison.terminal(80, false);
    assert!(text.contains("A: worker died (in run)"), "{text}");
    let text = text.replace('\u{a0}', " ");
    assert!(text.contains("only in A: sum of squares, 2 000 tasks of 10 elements: all of it (9)"));
    let failed_in_both = compare(&side("a", &whole), &side("b", &whole)).terminal(80, false);
    assert!(failed_in_both.contains("both: worker died"), "{failed_in_both}");
}

#[test]
fn a_job_that_both_have_is_told_apart_by_its_configurations() {
    let (a, mut b) = (speed_up(1), speed_up(1));
    for record in &mut b.records {
        if let Record::Block(block) = record {
            block.configurations.retain(|c| c.strategy.to_string() != "shm-pool/spawn");
        }
    }
    let comparison = compare(&side("a", &a), &side("b", &b));
    assert_eq!(comparison.only_in_a.len(), 9);
    let text = comparison.terminal(80, false).replace('\u{a0}', " ");
    assert!(
        text.contains("only in A: cube, 64 tasks of 16 384 elements: shm-pool/spawn × 1, 2, 4")
    );
}

#[test]
fn nothing_in_common_is_no_error() {
    let empty = Side { name: "nothing", environment: None, records: &[] };
    let sweep = speed_up(1);
    let comparison = compare(&empty, &side("b", &sweep));
    assert!(comparison.cells.is_empty() && comparison.only_in_b.len() > 50);
    let text = comparison.terminal(80, false);
    assert!(
        text.contains("nothing to compare") && text.contains("no `environment.json` in nothing")
    );
}

#[test]
fn machines_that_differ_are_told_apart() {
    let (a, mut b) = (speed_up(1), speed_up(1));
    b.environment = Environment { kernel: Some("7.0".to_owned()), ..b.environment };
    let comparison = compare(&side("a", &a), &side("b", &b));
    let facts: Vec<&str> = comparison.differences.iter().map(|differ| differ.fact).collect();
    assert_eq!(facts, ["kernel"]);
}

#[test]
fn every_form_says_that_it_is_weak_and_the_terminal_is_never_too_narrow() {
    let (a, b) = (synthetic::whole_sweep(1), synthetic::whole_sweep(2));
    let comparison = compare(&side("reports/a", &a), &side("reports/b", &b));
    for line in comparison.terminal(80, false).lines() {
        assert!(line.width() <= 80, "{line}");
    }
    for text in [comparison.terminal(80, true), comparison.markdown()] {
        assert!(text.contains("weak") && text.contains("driver duel --base BIN --head BIN"));
        assert!(text.contains("whole cold cycles"));
    }
    let json: serde_json::Value = serde_json::from_str(&comparison.json()).unwrap();
    assert_eq!((&json["paired"], &json["margin"]), (&false.into(), &0.03.into()));
    assert_eq!(json["cells"].as_array().unwrap().len(), comparison.cells.len());
}
