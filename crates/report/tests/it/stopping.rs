//! Why blocks ended, and how precise they are.

use harness::{
    FailureKind, Job, Workload,
    protocol::Phase,
    record::{Failure, Outcome, Record, RoundRecord, Sample, StopReason, Validity},
};
use report::{Report, SweepData, analyse, artefacts, model::Block, terminal};
use stats::Estimate;

use crate::synthetic::{Synthetic, configurations};

/// Three blocks of all strategies; the first one ended since it was precise.
fn sweep() -> SweepData {
    let mut sweep = Synthetic::new(1);
    sweep.speed_up();
    let mut data = sweep.finish();
    let end = data.records.iter_mut().find_map(|record| match record {
        Record::BlockEnd(end) => Some(end),
        _ => None,
    });
    end.unwrap().reason = StopReason::Precise;
    data
}

fn blocks(report: &Report) -> &[Block] {
    &report.experiments[0].blocks
}

#[test]
fn a_blocks_precision_is_that_of_its_speed_ups_and_names_the_widest() {
    let report = analyse(&sweep());
    for block in blocks(&report) {
        let precision = block.precision.unwrap();
        let half_width =
            |cell: &report::model::Cell| cell.figures()?.speed_up?.relative_half_width();
        let widths: Vec<f64> = block.cells[1..].iter().filter_map(half_width).collect();
        let widest = widths.iter().copied().fold(0.0, f64::max);
        assert_eq!((precision.widest, precision.without), (Some(widest), 0));
        assert_eq!(half_width(&block.cells[precision.widest_at]), Some(widest));
        assert!(precision.median.unwrap() < widest && precision.median.unwrap() > 0.0);
        assert_eq!((block.precision_asked, block.incarnations), (Some(0.02), 3));
    }
}

#[test]
fn a_round_of_nothing_but_failures_is_no_life() {
    let mut sweep = Synthetic::new(1);
    let job = Job { workload: Workload::Cube, tasks: 64, task_size: 16_384 };
    sweep.block("speed-up", "cube", job, &configurations(&[2]));
    let mut data = sweep.finish();
    let last = data.records.iter().rev().find_map(|record| match record {
        Record::Round(round) => Some(round.clone()),
        _ => None,
    });
    let last = last.unwrap();
    let (kind, phase) = (FailureKind::WorkerDied, Phase::Shutdown);
    let outcome = Outcome::Failed(Failure { kind, phase, message: String::new() });
    data.records.push(Record::Round(RoundRecord {
        round: last.round + 1,
        incarnation: last.incarnation + 1,
        samples: vec![Sample { configuration: 1, outcome }],
        validity: Validity::default(),
        driver: None,
        ..last
    }));
    assert_eq!(blocks(&analyse(&data))[0].incarnations, 3);
}

#[test]
fn a_block_without_a_baseline_is_judged_by_its_times() {
    let mut sweep = Synthetic::new(1);
    sweep.start_methods();
    let report = analyse(&sweep.finish());
    for block in blocks(&report) {
        let precision = block.precision.unwrap();
        let widest = block.cells[precision.widest_at].figures().unwrap().phases.cold_ns.unwrap();
        assert_eq!(precision.widest, widest.relative_half_width());
    }
}

#[test]
fn a_warm_block_without_a_baseline_is_judged_by_its_runs_alone() {
    let mut sweep = Synthetic::new(1);
    let job = Job { workload: Workload::Cube, tasks: 64, task_size: 16_384 };
    sweep.block("speed-up", "cube", job, &configurations(&[2])[1..]);
    let report = analyse(&sweep.finish());
    let [block] = blocks(&report) else { panic!("one block") };
    let precision = block.precision.unwrap();
    let phases = block.cells[precision.widest_at].figures().unwrap().phases;
    let half_width = |estimate: Option<Estimate>| estimate.unwrap().relative_half_width();
    assert_eq!(precision.widest, half_width(phases.run_ns));
    assert_ne!(half_width(phases.cold_ns), half_width(phases.run_ns));
}

#[test]
fn a_block_in_which_nothing_was_measured_still_says_why_it_ended() {
    let mut sweep = Synthetic::new(1);
    let job = Job { workload: Workload::Cube, tasks: 64, task_size: 16_384 };
    let all = configurations(&[2]);
    sweep.failures = all
        .iter()
        .map(|one| ("speed-up/cube".to_owned(), one.clone(), FailureKind::WorkerDied))
        .collect();
    sweep.block("speed-up", "cube", job, &all);
    let report = analyse(&sweep.finish());
    assert_eq!(blocks(&report)[0].precision, None);
    let terminal = terminal::render(&report, 80, false);
    assert!(terminal.contains("Why the block ended: its time was used up."), "{terminal}");
    assert!(!terminal.contains("Intervals:"));
}

#[test]
fn too_few_rounds_have_no_precision_and_say_so() {
    let mut sweep = Synthetic::new(1);
    (sweep.rounds, sweep.incarnations, sweep.contaminated) = (3, 3, 0.0);
    sweep.speed_up();
    let data = sweep.finish();
    let report = analyse(&data);
    for block in blocks(&report) {
        let precision = block.precision.unwrap();
        let others = configurations(&[1, 2, 4]).len() - 1;
        assert_eq!((precision.widest, precision.without), (None, others));
    }
    assert!(terminal::render(&report, 80, false).contains("Intervals: too few at the widest"));
}

#[test]
fn every_form_says_why_blocks_ended_and_what_was_reached() {
    let data = sweep();
    let report = analyse(&data);
    let terminal = terminal::render(&report, 80, false).replace('\n', " ");
    let files = artefacts(&data);
    let file = |name: &str| files.iter().find(|file| file.path == name).unwrap().contents.clone();
    let [page, tables] = [file("index.html"), file("tables.md")];
    let page = page.replace("<span class=\"whole\">", "").replace("</span>", "");
    for text in [&terminal, &page, &tables] {
        for part in ["every interval is as narrow as asked (1)", "its time was used up (2)"] {
            assert!(text.contains(part), "{part}");
        }
        assert!(text.contains("at the widest (") && text.contains("in the median."));
    }
    for heading in ["| lives |", "| widest |", "| asked |"] {
        assert!(tables.contains(heading), "{heading}");
    }
    assert!(tables.contains("±2.0\u{a0}%") || tables.contains("±2.0 %"));
}
