//! Where workers ran: told, kept apart, and unknown to older records.

use harness::{Placement, record::Record};
use report::{
    SweepData, analyse, artefacts,
    comparison::{Side, compare},
    terminal,
};

use crate::synthetic::{CORES, Synthetic};

const TOLD: &str = "Pinned: every worker stays on a core of its own";
const SHARED: &str = "Those beyond the cores share them in turn.";

fn sweep(placement: Placement, add: fn(&mut Synthetic)) -> SweepData {
    let mut sweep = Synthetic::new(1);
    sweep.placement = placement;
    add(&mut sweep);
    sweep.finish()
}

fn side<'a>(name: &'a str, sweep: &'a SweepData) -> Side<'a> {
    Side { name, environment: None, records: &sweep.records }
}

/// What the terminal, the page and the tables say.
fn forms(data: &SweepData) -> [String; 3] {
    let files = artefacts(data);
    let file = |name: &str| files.iter().find(|file| file.path == name).unwrap().contents.clone();
    let page = file("index.html").replace("<span class=\"whole\">", "").replace("</span>", "");
    [terminal::render(&analyse(data), 80, false).replace('\n', " "), page, file("tables.md")]
}

#[test]
fn every_form_says_that_workers_were_pinned_and_only_if_they_were() {
    for text in forms(&sweep(Placement::Pinned, Synthetic::granularity)) {
        assert!(text.contains(TOLD) && !text.contains(SHARED), "{text}");
    }
    for text in forms(&sweep(Placement::Free, Synthetic::granularity)) {
        assert!(!text.contains(TOLD), "{text}");
    }
}

#[test]
fn more_pinned_workers_than_cores_are_said_to_share_them() {
    const { assert!(CORES < 4, "speed-ups are made up for four workers") };
    for text in forms(&sweep(Placement::Pinned, Synthetic::speed_up)) {
        assert!(text.contains(TOLD) && text.contains(SHARED), "{text}");
    }
}

#[test]
fn pinned_and_free_workers_are_cells_of_their_own_in_a_comparison() {
    let [free, pinned] =
        [Placement::Free, Placement::Pinned].map(|place| sweep(place, Synthetic::granularity));
    let comparison = compare(&side("free", &free), &side("pinned", &pinned));
    assert!(comparison.cells.is_empty() && !comparison.only_in_a.is_empty());
    assert_eq!(comparison.only_in_a.len(), comparison.only_in_b.len());
    assert!(comparison.only_in_b.iter().all(|name| name.placement.is_pinned()));
}

#[test]
fn records_from_before_placements_were_written_down_are_of_free_workers() {
    let block = |data: SweepData| data.records.into_iter().find(|r| matches!(r, Record::Block(_)));
    let pinned = block(sweep(Placement::Pinned, Synthetic::granularity)).unwrap();
    let mut older = serde_json::to_value(&pinned).unwrap();
    assert_eq!(older["placement"], "pinned");
    older.as_object_mut().unwrap().remove("placement");
    let Record::Block(read) = serde_json::from_value(older.clone()).unwrap() else {
        panic!("it is a block's");
    };
    assert_eq!(read.placement, Placement::Free);
    let again = serde_json::to_value(Record::Block(read)).unwrap();
    assert_eq!(again, older, "and are written as they were");
}
