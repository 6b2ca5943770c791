//! Properties of all files, and of CSV, Markdown and plots.

use std::collections::{BTreeMap, BTreeSet};

use harness::{FailureKind, record::Record};
use report::{SweepData, artefacts};

use crate::synthetic::{self, STRATEGIES, Synthetic};

fn files(data: &SweepData) -> BTreeMap<String, String> {
    artefacts(data).into_iter().map(|artefact| (artefact.path, artefact.contents)).collect()
}

#[test]
fn the_same_sweep_gives_the_same_bytes() {
    assert_eq!(artefacts(&synthetic::whole_sweep(3)), artefacts(&synthetic::whole_sweep(3)));
}

#[test]
fn every_file_that_a_report_consists_of_is_there_once() {
    let artefacts = artefacts(&synthetic::whole_sweep(1));
    let paths: BTreeSet<&str> = artefacts.iter().map(|artefact| artefact.path.as_str()).collect();
    assert_eq!(paths.len(), artefacts.len());
    for path in ["index.html", "report.json", "summary.csv", "tables.md"] {
        assert!(paths.contains(path), "{path}");
    }
    assert_eq!(paths.iter().filter(|path| path.starts_with("plots/")).count(), 10);
}

#[test]
fn tables_tell_whose_arrays_are_copied_if_the_runners_have_told() {
    const OWN: &str = "Arrays: in the process's own memory (serial, threads, rayon); ";
    const POOLS: &str = "born shared, so that nothing is copied (shm-pool); copied to the workers \
                         and back within the time (pipe-pool).";
    let mut sweep = synthetic::whole_sweep(1);
    let tables = |sweep: &SweepData| files(sweep).remove("tables.md").unwrap();
    let told = tables(&sweep);
    assert!(told.contains(&format!("{OWN}{POOLS}")));
    for experiment in told.split("\n## ").skip(1) {
        assert!(experiment.contains(POOLS), "{}", experiment.lines().next().unwrap_or_default());
    }
    for record in &mut sweep.records {
        if let Record::Incarnation(life) = record {
            life.input = None;
        }
    }
    assert!(!tables(&sweep).contains("Arrays:"));
}

#[test]
fn every_plot_is_well_formed_titled_and_names_all_strategies() {
    for (path, svg) in files(&synthetic::whole_sweep(1)) {
        if !path.starts_with("plots/") {
            continue;
        }
        let document = roxmltree::Document::parse(&svg).unwrap_or_else(|e| panic!("{path}: {e}"));
        let title = document.root_element().first_element_child().unwrap();
        assert_eq!(title.tag_name().name(), "title");
        assert!(!svg.contains("#010203"), "{path} has ink that was not replaced");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{path}");
        let texts: String = document.descendants().filter_map(|node| node.text()).collect();
        for name in &STRATEGIES[1..] {
            assert!(texts.contains(name), "{path} lacks {name}");
        }
    }
}

#[test]
fn the_summary_has_its_documented_columns_and_a_row_for_every_configuration_of_every_block() {
    let data = synthetic::whole_sweep(1);
    let summary = &files(&data)["summary.csv"];
    let mut reader = csv::Reader::from_reader(summary.as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let documented: Vec<&str> = report::summary::COLUMNS.iter().map(|(name, _)| *name).collect();
    assert_eq!(header, documented);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let report = report::analyse(&data);
    let cells = report.experiments.iter().flat_map(|e| &e.blocks).map(|block| block.cells.len());
    assert_eq!(rows.len(), cells.sum::<usize>());
    assert!(rows.iter().any(|row| row.iter().any(|field| field == "worker died")));
    assert!(rows.iter().any(|row| row.iter().any(|field| field.contains("\"quoted\", with"))));
    assert!(summary.contains("\r\n"));
}

#[test]
fn every_markdown_table_is_rectangular_and_failures_are_named_in_it() {
    let tables = &files(&synthetic::whole_sweep(1))["tables.md"];
    let mut width = 0;
    for line in tables.lines() {
        if line.starts_with('|') {
            let fields = line.matches(" | ").count();
            assert!(width == 0 || fields == width, "{line}");
            width = fields;
        } else {
            width = 0;
        }
    }
    for kind in [FailureKind::WorkerDied, FailureKind::Skipped, FailureKind::DeadlinePassed] {
        assert!(tables.contains(&kind.to_string()), "{kind}");
    }
}

#[test]
fn a_sweep_without_records_still_gives_a_report_that_says_so() {
    let mut data = Synthetic::new(1).finish();
    data.records.clear();
    let files = files(&data);
    assert!(files["index.html"].contains("Nothing was measured."));
    assert_eq!(files["summary.csv"].lines().count(), 1);
}
