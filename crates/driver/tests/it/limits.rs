//! A config with `[limits]`: figures against goals.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::scene::{Scene, end_of, send};

fn config(limits: &str) -> String {
    format!("question = \"How near?\"\ntime_budget = \"1s\"\ndeadline = \"60s\"\n{limits}\n")
}

/// What the driver says to a command line that it refuses.
fn complaint(text: &str, flags: &[&str]) -> String {
    let scene = Scene::new();
    let config = scene.config(text);
    let mut arguments = vec!["sweep", "--config", &*config];
    arguments.extend(flags);
    let end = scene.run(&arguments);
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(!scene.path("reports").exists());
    end.stderr
}

#[test]
fn a_figure_is_a_row_of_the_table_with_every_sample_kept() {
    let scene = Scene::new();
    let file = scene
        .config(&config("[limits]\nfigures = [\"kernel-sum\", \"supervision\", \"call-spin\"]"));
    let end = scene.run(&["sweep", "--config", &file, "--out", "here"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    let lines: Vec<&str> = end.stdout.lines().collect();
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{}", end.stdout);
    for part in ["figure", "sum of squares", "≥ 0.9×", "not measured: it is built"] {
        assert!(end.stdout.contains(part), "{part}: {}", end.stdout);
    }
    let json = fs::read_to_string(scene.path("here/limits.json")).expect("the results");
    let results: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    for row in [0, 2] {
        let rounds = results["rows"][row]["rounds"].as_array().expect("rounds");
        assert!(rounds.len() >= 3, "{json}");
        assert!(rounds.iter().all(|round| round["samples"].as_array().map(Vec::len) == Some(2)));
    }
    assert!(scene.path("here/limits.md").exists());
    scene.is_left_by_all();
    let again = scene.run(&["report", "here"]);
    assert_eq!((again.code, again.stdout), (Some(0), end.stdout));
    fs::write(scene.path("here/limits.json"), "{").expect("damaged");
    let end = scene.run(&["report", "here"]);
    assert!(end.stderr.contains("help: name a folder that `driver sweep` wrote"), "{end:?}");
}

#[test]
fn a_figure_that_falls_silent_is_a_row_that_says_so_and_the_next_is_measured() {
    let scene = Scene::new();
    let text = config("[limits]\nfigures = [\"kernel-cube\", \"supervision\"]");
    let file = scene.config(&text.replace("60s", "1ms"));
    let end = scene.run(&["sweep", "--config", &file, "--out", "here"]);
    assert_eq!(end.code, Some(1), "{end:?}");
    let json = fs::read_to_string(scene.path("here/limits.json")).expect("the results");
    let results: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(results["rows"].as_array().map(Vec::len), Some(2), "{json}");
    assert!(end.stdout.contains("failed: its process was silent"), "{end:?}");
    scene.is_left_by_all();
}

#[test]
fn an_unknown_figure_is_refused_with_the_one_that_was_meant() {
    let said = complaint(&config("[limits]\nfigures = [\"trivial-raion\"]"), &[]);
    for part in ["test.toml:5:", "key `figures`, value \"trivial-raion\"", "`trivial-rayon`?"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn limits_and_experiments_are_not_measured_together() {
    let both = config("[limits]\n[[experiment]]\nkind = \"speed-up\"\nquestion = \"?\"");
    assert!(complaint(&both, &[]).contains("not measured together"));
}

#[test]
fn flags_of_experiments_are_refused_where_there_are_none() {
    for flags in [["--backends", "rayon"], ["--workers", "2"], ["--seed", "7"]] {
        let said = complaint(&config("[limits]"), &flags);
        assert!(said.contains(flags[0]) && said.contains("figures"), "{said}");
    }
}

#[test]
fn a_quick_sweep_of_another_config_is_refused() {
    let said = complaint(
        "question = \"?\"\n[[experiment]]\nkind = \"speed-up\"\nquestion = \"?\"\n",
        &["--quick"],
    );
    assert!(said.contains("--quick") && said.contains("--time-budget"), "{said}");
}

#[test]
fn an_interrupted_sweep_of_limits_is_begun_anew_and_names_no_file_that_is_not_there() {
    let scene = Scene::new();
    let text = config("[limits]\nfigures = [\"kernel-sum\", \"kernel-cube\"]");
    let file = scene.config(&text.replace("\"1s\"", "\"60s\""));
    let mut command = scene.command(&["sweep", "--config", &file, "--out", "here"]);
    let child = command.spawn().expect("the driver starts");
    // Behind that file, one process more is that of the first figure.
    let file = scene.path("here/limits_python.py");
    let until = Instant::now() + Duration::from_secs(60);
    while !(file.exists() && scene.processes().len() > 1) && Instant::now() < until {
        thread::sleep(Duration::from_millis(1));
    }
    send(&child, Signal::SIGTERM);
    let end = end_of(child);
    assert_eq!((end.code, &*end.stdout), (Some(130), ""), "{end:?}");
    assert!(end.stderr.contains("interrupted after 0 figures"), "{end:?}");
    assert!(!end.stderr.contains("limits.md"), "{end:?}");
    scene.is_left_by_all();
    let end = scene.run(&["sweep", "--resume", "here"]);
    assert_eq!(end.code, Some(2), "{end:?}");
    for part in ["it is a sweep of limits", "help: begin anew", "here/config.toml`"] {
        assert!(end.stderr.contains(part), "{part}: {end:?}");
    }
}

#[test]
fn figures_are_nothing_to_verify() {
    let scene = Scene::new();
    let end = scene.run(&["verify", "--config", "limits"]);
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(end.stderr.contains("[limits]"), "{end:?}");
}
