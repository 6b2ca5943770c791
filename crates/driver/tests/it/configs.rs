//! Configs with typing errors, and configs as run.

use std::fs;

use crate::scene::{Scene, records};

/// A config of one experiment with `extra` in it, on line 6.
fn config_with(extra: &str) -> String {
    format!("question = \"?\"\n\n[[experiment]]\nkind = \"speed-up\"\nquestion = \"?\"\n{extra}\n")
}

/// What the driver says to a config; nothing may be measured.
fn complaint(text: &str) -> String {
    let scene = Scene::new();
    let end = scene.run(&["sweep", "--config", &scene.config(text)]);
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(!scene.path("reports").exists());
    end.stderr
}

#[test]
fn an_unknown_key_is_refused_with_file_line_and_suggestion() {
    let said = complaint(&config_with("task_sise = 100"));
    for part in ["test.toml:6:", "unknown key `task_sise`", "did you mean `task_size`?"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_wrong_value_is_refused_with_file_line_key_value_and_what_is_allowed() {
    let cases = [
        ("workers = [1, 0]", "key `workers`, value 0", "from 1 to 1024"),
        ("backends = [\"rayn\"]", "key `backends`, value \"rayn\"", "did you mean `rayon`?"),
        ("workloads = [\"cubes\"]", "key `workloads`, value \"cubes\"", "did you mean `cube`?"),
        ("tasks = \"many\"", "key `tasks`, value \"many\"", "whole number"),
        ("share = -1", "key `share`, value -1", "from 0.001"),
        ("sizes = [\"1KiB\"]", "key `sizes`", "use `task_size`"),
        ("workers = []", "key `workers`, value []", "name at least one"),
        ("tasks = true", "key `tasks`, value true", "a number or a string"),
    ];
    for (line, problem, allowed) in cases {
        let said = complaint(&config_with(line));
        for part in ["test.toml:6:", problem, allowed] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

#[test]
fn what_is_not_toml_is_refused_with_its_line() {
    let said = complaint(&config_with("workers = [1, 2"));
    assert!(said.contains("test.toml:") && said.contains("not TOML"), "{said}");
}

#[test]
fn a_config_without_a_question_is_refused() {
    let said = complaint("[[experiment]]\nkind = \"speed-up\"\n");
    assert!(said.contains("lacks the key `question`"), "{said}");
}

#[test]
fn flags_take_the_place_of_keys_and_the_config_as_run_says_so() {
    let scene = Scene::new();
    let config = scene.config("question = \"?\"\nmax_rounds = 1\nincarnations = 1\n[[experiment]]\nkind = \"speed-up\"\nquestion = \"?\"\n");
    let flags = "--backends threads --workloads cube --workers cores --task-size 64 --tasks 8 --time-budget 1s --seed 9 --out here";
    let mut arguments = vec!["sweep", "--config", &config];
    arguments.extend(flags.split(' '));
    let end = scene.run(&arguments);
    assert_eq!(end.code, Some(0), "{end:?}");
    let as_run = fs::read_to_string(scene.path("here/config.toml")).expect("the config as run");
    for line in [
        "time_budget = \"1s\"",
        "seed = 9",
        "workloads = [\"cube\"]",
        "backends = [\"threads\"]",
        "tasks = 8",
        "cube = [64]",
    ] {
        assert!(as_run.contains(line), "{line}: {as_run}");
    }
    let harness::record::Record::Block(block) = &records(&scene.path("here"))[1] else {
        panic!("no block");
    };
    assert_eq!(block.block, "speed-up/cube/64");
    let names: Vec<String> = block.configurations.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["serial × 1".to_owned(), format!("threads × {}", block.available_cores)]);
}
