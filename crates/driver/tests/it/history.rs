//! Many sweeps, made of the committed one.

use std::{fs, path::PathBuf, sync::LazyLock};

use harness::record::{Outcome, Record};

use crate::scene::{End, Scene, records};

/// A day.
const DAY: u64 = 86_400;

/// When the first run began, in seconds of Unix time: on 21 November 2026.
const BEGIN: u64 = 1_795_237_690;

/// The block whose rounds are kept of the committed sweep.
const KEPT: &str = "speed-up/sum-of-squares/1000000";

/// A committed sweep of a whole default config.
fn sample() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../reports/sample")
}

/// Noise of a run, the same in every test run: about ±3 %, without a pattern.
fn noise(run: u64) -> f64 {
    1.0 + 0.03 * ((run * 7_919 % 101) as f64 / 50.0 - 1.0)
}

/// Writes a sweep of `run` days later into `reports/NAME`, in which `factor` of a
/// backend's name and the run is what its times are multiplied by.
fn write_run(scene: &Scene, name: &str, run: u64, factor: impl Fn(&str) -> f64) {
    let folder = scene.path("reports").join(name);
    fs::create_dir_all(&folder).expect("created");
    fs::copy(sample().join("config.toml"), folder.join("config.toml")).expect("copied");
    let facts = fs::read_to_string(sample().join("environment.json")).expect("the sample");
    let mut facts: serde_json::Value = serde_json::from_str(&facts).expect("facts");
    facts["started_unix_s"] = (BEGIN + run * DAY).into();
    fs::write(folder.join("environment.json"), facts.to_string()).expect("written");
    let mut lines = String::new();
    let mut factors: Vec<f64> = Vec::new();
    for mut record in SPEED_UPS.clone() {
        match &mut record {
            Record::Block(block) if block.block == KEPT => {
                let backends = block.configurations.iter().map(|c| c.strategy.backend.clone());
                factors = backends.map(|backend| factor(&backend)).collect();
            }
            Record::Round(round) => {
                for sample in &mut round.samples {
                    if let Outcome::Warm { wall_ns } = &mut sample.outcome {
                        *wall_ns = (*wall_ns as f64 * factors[sample.configuration]) as u64;
                    }
                }
            }
            _ => {}
        }
        lines += &(serde_json::to_string(&record).expect("plain data") + "\n");
    }
    fs::write(folder.join("records.jsonl"), lines).expect("written");
}

/// The sample's records, all of its blocks but only the rounds of one: enough to
/// be a finished sweep, and quick to read.
static SPEED_UPS: LazyLock<Vec<Record>> = LazyLock::new(|| {
    let all = records(&sample()).into_iter();
    let kept = all.filter(|record| match record {
        Record::Round(round) => round.block == KEPT,
        Record::Incarnation(life) => life.block == KEPT,
        Record::Sweep(_) | Record::Block(_) | Record::BlockEnd(_) => true,
    });
    kept.collect()
});

fn json(path: PathBuf) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(path).expect("a history")).expect("json")
}

fn assert_refused(end: &End, parts: &[&str]) {
    assert_eq!((end.code, end.stdout.as_str()), (Some(2), ""), "{end:?}");
    for part in parts {
        assert!(end.stderr.contains(part), "{part}: {}", end.stderr);
    }
}

#[test]
fn a_step_is_found_where_it_is_in_the_cells_that_have_it_and_in_no_other() {
    const STEP: u64 = 16;
    let scene = Scene::new();
    for run in 0..30 {
        write_run(&scene, &format!("run-{run}"), run, |backend| match backend {
            "rayon" if run >= STEP => 1.2 * noise(run),
            _ => noise(run + backend.len() as u64),
        });
    }
    let end = scene.run(&["history"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stdout.lines().all(|line| line.chars().count() <= 80), "{}", end.stdout);
    for part in ["History of 30 sweeps", "#17 2026-12-07", "rayon", "#17\u{a0}0.8"] {
        assert!(end.stdout.contains(part), "{part}: {}", end.stdout);
    }

    let history = json(scene.path("reports/history/history.json"));
    let trends = history["trends"].as_array().expect("trends");
    assert_eq!((trends.len(), trends[0]["runs"].as_array().map(Vec::len)), (1, Some(30)));
    for cell in trends[0]["cells"].as_array().expect("cells") {
        let backend = &cell["configuration"]["strategy"]["backend"];
        let changes = cell["changes"].as_array().expect("changes");
        assert_eq!(changes.len(), usize::from(backend == "rayon"), "{cell}");
        for change in changes {
            assert_eq!(change["run"], STEP, "{change}");
            let ratio = change["speed_up_ratio"]["value"].as_f64().expect("a ratio");
            assert!((ratio - 1.0 / 1.2).abs() < 0.03, "{change}");
        }
    }
    let page = fs::read_to_string(scene.path("reports/history/history.html")).expect("a page");
    assert_eq!(page.matches("class=\"change\"").count() % 2, 0, "above, and among all figures");
    assert!(page.contains("#17 2026-12-07") && !page.contains("<script"));

    let one = scene.run(&["history", "reports/run-3"]);
    assert_refused(&one, &["`reports/run-3` is one sweep", "help:", "--out"]);
    assert!(!scene.path("reports/run-3/history").exists());

    // Its own history is no sweep, and is replaced.
    let again = scene.run(&["--history", "reports"]);
    assert_eq!((again.code, again.stdout), (Some(0), end.stdout));
}

#[test]
fn other_configs_and_machines_are_told_apart_and_what_cannot_be_used_is_named() {
    let scene = Scene::new();
    let folders = ["a", "b", "copy", "quick", "host", "broken", "old", "unfinished", "no-config"];
    for (run, name) in folders.into_iter().enumerate() {
        write_run(&scene, name, if name == "copy" { 0 } else { run as u64 }, |_| 1.0);
    }
    let path = |file: &str| scene.path("reports").join(file);
    let edit = |file: &str, old: &str, new: &str| {
        let text = fs::read_to_string(path(file)).expect("read");
        assert!(text.contains(old), "{old} in {file}");
        fs::write(path(file), text.replacen(old, new, 1)).expect("written");
    };
    edit("quick/config.toml", "max_rounds = ", "max_rounds = 1");
    edit("b/config.toml", "max_rounds = ", "# a comment is no other config\nmax_rounds = ");
    edit("host/environment.json", "\"cpu\":\"Intel", "\"cpu\":\"Outtel");
    edit("broken/environment.json", "{", "");
    edit("old/records.jsonl", "\"version\":1", "\"version\":0");
    let records = fs::read_to_string(path("unfinished/records.jsonl")).expect("read");
    let half: Vec<&str> = records.lines().take(records.lines().count() / 2).collect();
    fs::write(path("unfinished/records.jsonl"), half.join("\n") + "\n").expect("written");
    fs::remove_file(path("no-config/config.toml")).expect("removed");

    let end = scene.run(&["history", "--out", "elsewhere"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    let history = json(scene.path("elsewhere/history.json"));
    let trends = history["trends"].as_array().expect("trends").iter();
    let mut runs: Vec<usize> =
        trends.clone().map(|trend| trend["runs"].as_array().map_or(0, Vec::len)).collect();
    runs.sort_unstable();
    assert_eq!(runs, [1, 1, 2]);
    let mut identities: Vec<&str> = trends.filter_map(|trend| trend["identity"].as_str()).collect();
    identities.dedup();
    assert_eq!(identities.len(), 3);
    for identity in identities {
        assert!(end.stdout.contains(identity), "{identity}: {}", end.stdout);
    }
    let reasons = [
        ("broken", "environment.json"),
        ("copy", "the same sweep as `reports/a`"),
        ("no-config", "config.toml"),
        ("old", "of version 0"),
        ("unfinished", "blocks"),
    ];
    let skipped = history["skipped"].as_array().expect("skipped");
    assert_eq!(skipped.len(), reasons.len(), "{skipped:?}");
    for ((folder, reason), skipped) in reasons.into_iter().zip(skipped) {
        assert_eq!(skipped["folder"], format!("reports/{folder}"));
        assert!(skipped["reason"].as_str().is_some_and(|text| text.contains(reason)), "{skipped}");
    }
    assert!(end.stdout.contains("Too few runs for change points"), "{}", end.stdout);
    assert!(!scene.path("reports/history").exists());
}

#[test]
fn without_a_usable_sweep_there_is_an_error_that_says_what_to_do() {
    let scene = Scene::new();
    assert_refused(&scene.run(&["history"]), &["cannot read `reports`", "help:"]);
    fs::create_dir(scene.path("reports")).expect("created");
    assert_refused(&scene.run(&["history"]), &["no sweep in `reports`", "help:", "driver sweep"]);
    fs::create_dir(scene.path("reports/torn")).expect("created");
    fs::write(scene.path("reports/torn/records.jsonl"), "").expect("written");
    assert_refused(&scene.run(&["history"]), &["reports/torn: cannot read", "help:"]);
    assert!(!scene.path("reports/history").exists());
}
