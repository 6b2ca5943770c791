//! Runners that crash, hang, lie, answer wrong or speak rubbish.

use std::fs;

use harness::record::{Outcome, Record, RoundRecord};

use crate::{
    fake_runner::{self, MISBEHAVIOURS},
    scene::{Scene, failures, records, rounds},
};

const HEAD: &str = "question = \"Does the sweep go on?\"\ntime_budget = \"2s\"\ndeadline = \"1s\"\nincarnations = 2\nmax_rounds = 4\n";

const EXPERIMENT: &str = "[[experiment]]\nkind = \"speed-up\"\nquestion = \"?\"\nworkloads = [\"sum-of-squares\"]\nworkers = [1]\ntasks = 4\ntask_size = 1000\n";

fn runner(name: &str, command: &str) -> String {
    format!("[[runner]]\nname = \"{name}\"\ncommand = {command}\n")
}

#[test]
fn every_misbehaviour_becomes_a_typed_failed_cell_and_the_sweep_goes_on() {
    let scene = Scene::new();
    let runners: String = MISBEHAVIOURS
        .iter()
        .map(|(behaviour, _)| runner(behaviour, &fake_runner::command(behaviour)))
        .collect();
    let experiment = format!(
        "{EXPERIMENT}backends = [\"serial\", \"threads\", \"behaves\", {}]\n",
        MISBEHAVIOURS.map(|(name, _)| format!("\"{name}\"")).join(", ")
    );
    let behaves = runner("behaves", &fake_runner::command("behaves"));
    let config = scene.config(&[HEAD, &experiment, &behaves, &runners].concat());
    let end = scene.run(&["sweep", "--config", &config, "--out", "out"]);
    assert_eq!(end.code, Some(1), "{end:?}");
    let mut expected = MISBEHAVIOURS.map(|(name, kind)| format!("{name}: {kind}")).to_vec();
    expected.sort();
    assert_eq!(failures(&scene.path("out")), expected, "each fails once and is left out then");
    let rounds = rounds(&scene.path("out"));
    let measured = |round: &harness::record::RoundRecord| {
        round.samples.iter().filter(|sample| sample.outcome.total_ns().is_some()).count()
    };
    assert!(rounds.iter().all(|round| measured(round) == 3), "serial, threads and the honest one");
    for (name, _) in MISBEHAVIOURS {
        assert!(end.stdout.contains(name), "{name} is in the table: {}", end.stdout);
    }
    assert!(end.stderr.contains("exit code 3") && end.stderr.contains("out of luck"), "{end:?}");
    assert!(scene.path("out/index.html").exists());
    scene.is_left_by_all();
}

#[test]
fn waiting_for_a_runner_that_hangs_is_no_time_between_requests() {
    let scene = Scene::new();
    let runner = runner("tires", &fake_runner::command("tires"));
    let config = scene
        .config(&[HEAD, EXPERIMENT, "backends = [\"threads\", \"tires\"]\n", &runner].concat());
    let end = scene.run(&["sweep", "--config", &config, "--out", "out"]);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert_eq!(failures(&scene.path("out")), ["tires: deadline passed"]);
    let rounds = rounds(&scene.path("out"));
    let hung = rounds.iter().find(|round| {
        round.samples.iter().any(|sample| matches!(sample.outcome, Outcome::Failed(_)))
    });
    let cost = hung.and_then(|round| round.driver).expect("a round with what it cost");
    // The deadline.
    assert!(cost.at_work_ns >= 1_000_000_000, "{cost:?}");
    assert!(cost.timed_ns >= 1_000_000_000, "{cost:?}");
}

#[test]
fn a_shutdown_that_cannot_have_taken_so_long_is_a_failed_cell_and_no_life_of_its_own() {
    let scene = Scene::new();
    let liar = runner("stops-for-hours", &fake_runner::command("stops-for-hours"));
    let backends = "backends = [\"threads\", \"stops-for-hours\"]\n";
    // It ends after its rounds; a busy machine needs time for two lives.
    let head = HEAD.replace("\"2s\"", "\"20s\"");
    let config = scene.config(&[&head, EXPERIMENT, backends, &liar].concat());
    let end = scene.run(&["sweep", "--config", &config, "--out", "out"]);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert_eq!(failures(&scene.path("out")), ["stops-for-hours: implausible time"]);
    assert!(end.stderr.contains("for its shutdown, which took"), "{end:?}");
    assert_eq!(lives(&scene).len(), 2, "as many as were asked for");
}

/// Numbers of the incarnations in which something has a time, which count from 0.
fn lives(scene: &Scene) -> Vec<u32> {
    let timed = |round: &RoundRecord| {
        round.samples.iter().any(|sample| sample.outcome.total_ns().is_some())
    };
    let rounds = rounds(&scene.path("out")).into_iter().filter(timed);
    let mut lives: Vec<u32> = rounds.map(|round| round.incarnation).collect();
    lives.dedup();
    let count = u32::try_from(lives.len()).expect("a few");
    assert_eq!(lives, Vec::from_iter(0..count), "none was left out");
    lives
}

/// Bytes that the driver could allocate; other tests may use some of them.
fn available_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").expect("/proc/meminfo");
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).expect("MemAvailable");
    kib.parse::<u64>().expect("a number") << 10
}

#[test]
fn what_does_not_fit_is_skipped_once_in_however_many_passes() {
    let scene = Scene::new();
    // Room for the baseline, which needs it once, and not for a pool that copies, which
    // needs it three times.
    let size = (available_memory() / 100 / 2) >> 20 << 20;
    let config = scene.config(&format!(
        "question = \"?\"\ntime_budget = \"4s\"\nincarnations = 3\nmax_rounds = 6\n\
         precision = 0\nmemory_share = 0.01\n[[experiment]]\nkind = \"payload\"\n\
         question = \"?\"\nworkloads = [\"square\"]\nsizes = [\"{size}B\"]\n\
         backends = [\"pipe-pool\"]\nstart_methods = [\"spawn\"]\nworkers = [1]\n"
    ));
    let end = scene.run(&["sweep", "--config", &config, "--out", "out"]);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.stderr.contains("pass 1 of 3"), "{end:?}");
    assert_eq!(failures(&scene.path("out")), ["pipe-pool/spawn: skipped"]);
    assert_eq!(end.stderr.matches("failed: ").count(), 1, "{end:?}");
    let records = records(&scene.path("out"));
    let announced = records.iter().filter(|record| matches!(record, Record::Block(_)));
    assert_eq!(announced.count(), 1);
    let text = fs::read_to_string(scene.path("out/report.json")).expect("a report");
    let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let told = &told["experiments"][0]["blocks"][0]["incarnations"];
    assert_eq!(told, lives(&scene).len(), "the skipped one had none");
}

#[test]
fn runners_whose_workers_are_not_where_the_experiment_says_are_failed_cells() {
    let runners = ["behaves", "says-pinned"].map(|name| runner(name, &fake_runner::command(name)));
    let backends = "backends = [\"threads\", \"behaves\", \"says-pinned\"]\n";
    for (pin, misplaced, said) in [
        ("pin = true\n", "behaves", "was started with `--pin` and does not say"),
        ("pin = false\n", "says-pinned", "was not asked for"),
    ] {
        let scene = Scene::new();
        let config = scene.config(&[HEAD, EXPERIMENT, backends, pin, &runners.concat()].concat());
        let end = scene.run(&["sweep", "--config", &config, "--out", "out"]);
        assert_eq!(end.code, Some(1), "{end:?}");
        assert_eq!(failures(&scene.path("out")), [format!("{misplaced}: unsupported")]);
        assert!(end.stderr.contains(said), "{end:?}");
        let summary = fs::read_to_string(scene.path("out/summary.csv")).expect("a summary");
        assert!(summary.contains("help: have it pin them"), "{summary}");
    }
}

#[test]
fn a_command_that_does_not_exist_is_a_failed_cell_that_names_it() {
    let scene = Scene::new();
    let runner = runner("typo", "[\"pyhton3\", \"./runner.py\"]");
    let config =
        scene.config(&[HEAD, EXPERIMENT, "backends = [\"threads\", \"typo\"]\n", &runner].concat());
    let end = scene.run(&["sweep", "--config", &config, "--out", "out"]);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert_eq!(failures(&scene.path("out")), ["typo: runner crashed"]);
    assert!(end.stderr.contains("cannot start `pyhton3`"), "{end:?}");
}

#[test]
fn a_sweep_in_which_nothing_can_be_measured_still_writes_its_report() {
    let scene = Scene::new();
    // The baseline itself is over its share of the memory.
    let config = scene.config(
        "question = \"?\"\ntime_budget = \"1s\"\n[[experiment]]\nkind = \"payload\"\nquestion = \"?\"\nworkloads = [\"square\"]\nsizes = [\"8000GiB\"]\nbackends = [\"rayon\"]\n",
    );
    let end = scene.run(&["sweep", "--config", &config, "--out", "out"]);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert_eq!(failures(&scene.path("out")), ["rayon: skipped", "serial: skipped"]);
    assert!(fs::read_to_string(scene.path("out/tables.md")).expect("tables").contains("skipped"));
}

#[test]
fn a_full_folder_is_refused() {
    let scene = Scene::new();
    fs::create_dir(scene.path("out")).expect("a folder");
    fs::write(scene.path("out/thesis.tex"), "precious").expect("a file");
    let end = scene.run(&["sweep", "--config", "ci", "--out", "out"]);
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(
        end.stderr.contains("`out` is not empty") && end.stderr.contains("--resume"),
        "{end:?}"
    );
}
