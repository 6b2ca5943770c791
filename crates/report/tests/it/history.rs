//! Many sweeps over time.

use harness::{Job, Placement, Workload, environment::Environment};
use report::history::{CellName, History, Skipped, Sweep, SweepCell, cells, history};
use stats::Estimate;
use unicode_width::UnicodeWidthStr;

use crate::{
    schema::assert_committed,
    synthetic::{self, Synthetic},
};

const COMMITTED: &str = include_str!("../../history.schema.json");

/// A sweep of two cells on day `day`: threads, and rayon as fast as `rayon` says.
fn sweep(day: u64, rayon: f64) -> Sweep {
    let cell = |name: &str, workers, speed_up: f64| SweepCell {
        name: CellName {
            job: Job { workload: Workload::Cube, tasks: 64, task_size: 16_384 },
            is_cold: false,
            configuration: synthetic::configuration(name, workers),
            placement: Placement::Free,
        },
        oversubscribed: workers > synthetic::CORES,
        figures: Some((Estimate::with_interval(speed_up, 0.97 * speed_up, 1.02 * speed_up), 1e6)),
    };
    // Noise in an order that has no trend in it.
    let noise = |by: u64| 1.0 + ((day * by) % 31) as f64 / 1_000.0;
    Sweep {
        folder: format!("reports/<{day}>"),
        environment: Environment {
            started_unix_s: 1_795_230_245 + 86_400 * day,
            available_cores: synthetic::CORES,
            ..Environment::default()
        },
        config_toml: "question = \"<which> & why?\"\n".to_owned(),
        question: "<which> & why?".to_owned(),
        cells: vec![cell("threads", 4, 1.7 * noise(12)), cell("rayon", 2, rayon * noise(17))],
    }
}

/// Thirty days; rayon is a tenth faster for the last twelve of them.
fn thirty_days() -> Vec<Sweep> {
    (0..30).map(|day| sweep(day, if day < 18 { 1.5 } else { 1.65 })).collect()
}

fn changes(history: &History) -> Vec<Vec<usize>> {
    let of_cell =
        |cell: &report::history::CellTrend| cell.changes.iter().map(|change| change.run).collect();
    history.trends.iter().flat_map(|trend| &trend.cells).map(of_cell).collect()
}

#[test]
fn the_committed_schema_is_the_one_that_the_model_generates() {
    let model = History::json_schema();
    assert_committed("history.schema.json", COMMITTED, &model, "HISTORY_VERSION");
}

#[test]
fn a_history_conforms_to_the_schema_and_survives_a_round_trip() {
    let history = history(thirty_days(), Vec::new());
    let json: serde_json::Value = serde_json::from_str(&history.json()).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(COMMITTED).unwrap()).unwrap();
    let mismatches: Vec<String> =
        validator.iter_errors(&json).map(|error| error.to_string()).collect();
    assert_eq!(mismatches, [""; 0]);
    assert_eq!(serde_json::from_value::<History>(json).unwrap(), history);
}

#[test]
fn a_change_is_marked_in_its_cell_in_whatever_order_the_sweeps_are_found() {
    let mut sweeps = thirty_days();
    let history = history(sweeps.clone(), Vec::new());
    assert_eq!(changes(&history), [vec![], vec![18]]);
    let change = history.trends[0].cells[1].changes[0];
    assert!((change.speed_up_ratio.value - 1.1).abs() < 0.02, "{change:?}");
    assert!(change.speed_up_ratio.is_above(1.07) && change.speed_up_ratio.is_below(1.13));
    sweeps.reverse();
    assert_eq!(report::history::history(sweeps, Vec::new()), history);
}

#[test]
fn runs_of_another_config_or_machine_have_a_trend_of_their_own() {
    let mut sweeps = thirty_days();
    for (day, sweep) in sweeps.iter_mut().enumerate() {
        match day % 3 {
            0 => {}
            1 => sweep.config_toml += "seed = 2\n",
            _ => sweep.environment.available_cores = 8,
        }
    }
    let history = history(sweeps, Vec::new());
    let runs: Vec<usize> = history.trends.iter().map(|trend| trend.runs.len()).collect();
    assert_eq!(runs, [10, 10, 10]);
    assert_eq!(history.trends[0].available_cores, 8, "the latest first");
    let names: Vec<&str> = history.trends.iter().map(|trend| trend.identity.as_str()).collect();
    assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2]);
    let text = history.terminal(80, false);
    assert!(names.iter().all(|name| text.contains(name)) && text.contains("never mixed"), "{text}");
}

#[test]
fn a_copy_of_a_sweep_is_no_second_run() {
    let mut sweeps = vec![sweep(0, 1.5), sweep(1, 1.5), sweep(0, 1.5)];
    sweeps[2].folder = "sample".to_owned();
    let history = history(sweeps, Vec::new());
    assert_eq!(history.trends[0].runs.len(), 2);
    let reason = "it is the same sweep as `reports/<0>`".to_owned();
    assert_eq!(history.skipped, [Skipped { folder: "sample".to_owned(), reason }]);
}

#[test]
fn few_runs_have_a_trend_and_say_what_is_missing() {
    let history = history(thirty_days().into_iter().take(7).collect(), Vec::new());
    assert_eq!((history.cells_tested, history.trends[0].cells[0].points.len()), (0, 7));
    assert_eq!(history.fewest_runs, 15);
    let text = history.terminal(80, false);
    assert!(text.contains("Too few runs for change points"), "{text}");
    assert!(text.contains('▁') && text.contains("1.70\u{a0}→\u{a0}1.72"), "{text}");
    assert!(history.html().contains("Too few runs"));
}

/// `runs` runs of `cells` cells.
fn runs_of(cells: usize, runs: u64) -> Vec<Sweep> {
    let named = |sweep: &Sweep, workers: usize| {
        let mut cell = sweep.cells[1].clone();
        cell.name.configuration = synthetic::configuration("threads", workers);
        cell
    };
    let sweep = |day| {
        let sweep = sweep(day, if day < runs / 2 { 1.5 } else { 3.0 });
        let cells = (1..=cells).map(|workers| named(&sweep, workers)).collect();
        Sweep { cells, ..sweep }
    };
    (0..runs).map(sweep).collect()
}

#[test]
fn the_runs_that_are_said_to_be_needed_are_enough_and_no_fewer_are() {
    for cells in [1, 250] {
        let short = history(runs_of(cells, 3), Vec::new());
        let needed = short.fewest_runs;
        assert_eq!(needed, if cells == 1 { 13 } else { 23 });
        assert_eq!(short.trends[0].fewest_runs, needed);
        let text = short.terminal(80, false).replace('\n', " ");
        assert!(text.contains(&format!("at least {needed} of one identity")), "{text}");
        assert_eq!(history(runs_of(cells, needed as u64 - 1), Vec::new()).cells_tested, 0);
        let long = history(runs_of(cells, needed as u64), Vec::new());
        assert_eq!((long.cells_tested, long.fewest_runs), (cells, needed));
        assert_eq!(changes(&long), vec![vec![needed / 2]; cells]);
    }
}

#[test]
fn cells_that_are_too_short_to_be_tested_take_nothing_from_the_others() {
    // Enough runs for one cell, too few for three hundred.
    let mut sweeps = runs_of(1, 13);
    for mut other in runs_of(300, 12) {
        other.config_toml += "seed = 2\n";
        sweeps.push(other);
    }
    let history = history(sweeps, Vec::new());
    assert_eq!((history.cells_tested, history.fewest_runs), (1, 13));
    let mut runs: Vec<usize> = history.trends.iter().map(|trend| trend.fewest_runs).collect();
    runs.sort_unstable();
    assert_eq!(runs, [13, 23]);
    assert!(history.terminal(80, false).contains("Too few runs for change points, which take 23."));
}

#[test]
fn a_run_in_which_a_cell_failed_has_no_point_and_shifts_no_change() {
    let mut sweeps = thirty_days();
    sweeps[3].cells[1].figures = None;
    sweeps[18].cells.remove(1);
    let history = history(sweeps, Vec::new());
    assert_eq!(changes(&history), [vec![], vec![19]]);
    let points = &history.trends[0].cells[1].points;
    assert!(points.len() == 28 && points.iter().all(|point| point.run != 3 && point.run != 18));
}

#[test]
fn cells_of_records_are_those_with_a_baseline_and_failures_have_no_figures() {
    let sweep = synthetic::whole_sweep(1);
    let cells = cells(&sweep.records);
    let serial = |cell: &&SweepCell| cell.name.configuration.strategy.is_serial();
    assert_eq!(cells.iter().filter(serial).count(), 0);
    let without: Vec<&SweepCell> = cells.iter().filter(|cell| cell.figures.is_none()).collect();
    // Blocks of start methods have no baseline in these sweeps; two others failed.
    let start_methods = |cell: &&&SweepCell| cell.name.is_cold;
    assert_eq!(without.iter().filter(start_methods).count(), 24);
    assert_eq!(without.len(), 26);
    let mut alone = Synthetic::new(1);
    alone.start_methods();
    assert!(report::history::cells(&alone.finish().records).iter().all(|c| c.figures.is_none()));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let mut sweeps = thirty_days();
    for sweep in &mut sweeps {
        sweep.cells[0].name.configuration = synthetic::configuration("pipe-pool/forkserver", 16);
    }
    let history = history(sweeps, Vec::new());
    for width in [60, 80, 120] {
        for line in history.terminal(width, false).lines() {
            assert!(line.width() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn the_page_is_self_contained_escaped_and_its_figures_are_well_formed() {
    let page = history(thirty_days(), vec![]).html();
    for loader in ["src=", "href=\"http", "url(", "@import", "<script", "<link", "<iframe"] {
        assert!(!page.contains(loader), "{loader}");
    }
    assert!(page.contains("&lt;which&gt; &amp; why?") && !page.contains("<which>"));
    assert!(page.contains("reports/&lt;0&gt;"));
    let figures: Vec<&str> = page.split("<svg").skip(1).collect();
    assert_eq!(figures.len(), 3, "two cells, and the one that changed once more above");
    for figure in &figures {
        let svg = format!("<svg{}</svg>", figure.split("</svg>").next().unwrap());
        let document = roxmltree::Document::parse(&svg).unwrap_or_else(|e| panic!("{e}: {svg}"));
        let circles = document.descendants().filter(|node| node.has_tag_name("circle"));
        assert_eq!(circles.count(), 30);
        assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{svg}");
    }
    assert!(figures[0].contains("#19 2026-12-09") && figures[0].contains("class=\"change\""));
    assert!(!figures[1].contains("class=\"change\"") && figures[2].contains("class=\"change\""));
}
