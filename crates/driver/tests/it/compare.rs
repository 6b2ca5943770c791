//! Two saved sweeps side by side.

use std::{fs, path::Path};

use crate::scene::{End, Scene};

const CONFIG: &str = "question = \"?\"\ntime_budget = \"1s\"\nincarnations = 2\nmax_rounds = 8\n[[experiment]]\nkind = \"speed-up\"\nquestion = \"?\"\nworkloads = [\"sum-of-squares\"]\nworkers = [1]\ntasks = 4\ntask_size = 1000\n";

/// Two small sweeps in the folders `a` and `b`; only `b` has rayon.
fn two_sweeps() -> Scene {
    let scene = Scene::new();
    for (folder, backends) in [("a", "threads"), ("b", "threads,rayon")] {
        let config = scene.config(CONFIG);
        let end =
            scene.run(&["sweep", "--config", &config, "--backends", backends, "--out", folder]);
        assert_eq!(end.code, Some(0), "{end:?}");
    }
    scene
}

/// Puts `new` in the place of `old` in a file.
fn edit(path: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(path).expect("read");
    assert!(text.contains(old), "{old} in {text}");
    fs::write(path, text.replace(old, new)).expect("written");
}

fn assert_refused(end: &End, parts: &[&str]) {
    assert_eq!(end.code, Some(2), "{end:?}");
    assert_eq!((end.stdout.as_str(), end.stderr.matches("help:").count()), ("", 1), "{end:?}");
    for part in parts {
        assert!(end.stderr.contains(part), "{part}: {}", end.stderr);
    }
}

#[test]
fn two_folders_are_compared_as_a_table_as_json_and_as_markdown() {
    let scene = two_sweeps();
    edit(&scene.path("b/environment.json"), "\"rustc\": \"rustc ", "\"rustc\": \"rustc 99, not ");
    let end = scene.run(&["compare", "a", "b", "--markdown", "compared.md"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    let markdown = fs::read_to_string(scene.path("compared.md")).expect("markdown");
    for text in [&end.stdout, &markdown] {
        for part in
            ["weak", "driver duel --base BIN --head BIN", "rustc 99, not", "rayon\u{a0}×\u{a0}1"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    assert!(end.stdout.lines().all(|line| line.chars().count() <= 80), "{}", end.stdout);
    let rows: Vec<&str> = end.stdout.lines().filter(|line| line.starts_with("threads ")).collect();
    assert_eq!(rows.len(), 1, "{}", end.stdout);

    let end = scene.run(&["--compare", "a", "b", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&end.stdout).expect("json");
    assert_eq!((end.code, &json["paired"]), (Some(0), &false.into()));
    let names = |cells: &serde_json::Value| -> Vec<String> {
        let cells = cells.as_array().expect("cells").iter();
        cells.map(|cell| cell["configuration"]["strategy"]["backend"].to_string()).collect()
    };
    assert_eq!(names(&json["cells"]), ["\"serial\"", "\"threads\""]);
    assert_eq!(names(&json["only_in_b"]), ["\"rayon\""]);
    assert_eq!(json["differences"][0]["fact"], "rustc");
    assert!(json["cells"][1]["speed_up_ratio"]["value"].as_f64().is_some_and(|ratio| ratio > 0.0));
}

#[test]
fn a_sweep_compared_with_itself_has_ratios_of_one_and_nothing_that_differs() {
    let scene = two_sweeps();
    fs::remove_file(scene.path("a/config.toml")).expect("only the records matter");
    let end = scene.run(&["compare", "a", "a", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&end.stdout).expect("json");
    for cell in json["cells"].as_array().expect("cells") {
        assert_eq!(cell["time_ratio"]["value"], 1.0);
        assert!(cell["verdict"] == "same" || cell["verdict"] == "inconclusive", "{cell}");
    }
    assert_eq!(json["differences"], serde_json::json!([]));
    fs::remove_file(scene.path("a/environment.json")).expect("removed");
    let end = scene.run(&["compare", "a", "b"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stdout.contains("no `environment.json` in a"), "{}", end.stdout);
}

#[test]
fn what_cannot_be_read_is_refused_with_folder_line_and_what_to_do() {
    let scene = two_sweeps();
    assert_refused(&scene.run(&["compare", "a", "nowhere"]), &["nowhere/records.jsonl", "help:"]);
    let end = scene.run(&["compare", "a"]);
    assert!(end.code == Some(2) && end.stderr.contains("<B>"), "{end:?}");
    let unwritable = scene.run(&["compare", "a", "b", "--markdown", "none/compared.md"]);
    assert_refused(&unwritable, &["none/compared.md", "help:"]);
    edit(&scene.path("b/environment.json"), "{", "");
    assert_refused(&scene.run(&["compare", "a", "b"]), &["b/environment.json", "help:"]);
    let records = scene.path("b/records.jsonl");
    let text = fs::read_to_string(&records).expect("read");
    let damaged: Vec<&str> =
        text.lines().enumerate().map(|(n, line)| if n == 2 { "x" } else { line }).collect();
    fs::write(&records, damaged.join("\n") + "\n").expect("written");
    assert_refused(&scene.run(&["compare", "a", "b"]), &["`b/records.jsonl`", "line 3", "help:"]);
    fs::write(&records, "").expect("written");
    assert_refused(&scene.run(&["compare", "b", "a"]), &["`b/records.jsonl`", "help:"]);
}
