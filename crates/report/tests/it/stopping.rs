//! Why blocks ended, and how precise they are.

use harness::record::{Record, StopReason};
use report::{Report, SweepData, analyse, artefacts, model::Block, terminal};

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
