//! Configs with typing errors, and configs as run.

use std::fs;

use crate::scene::{Scene, records, rounds};

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
        ("pin = 1", "key `pin`, value 1", "true or false"),
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

#[test]
fn every_pass_visits_every_block_with_runners_of_its_own() {
    let scene = Scene::new();
    let config = scene.config("question = \"?\"\nmax_rounds = 6\nincarnations = 3\nprecision = 0.001\n[[experiment]]\nkind = \"speed-up\"\nquestion = \"?\"\n");
    let flags = "--backends threads --workloads square,cube --workers 1 --task-size 64 --tasks 8 --time-budget 5s --out here";
    let mut arguments = vec!["sweep", "--config", &config];
    arguments.extend(flags.split(' '));
    let end = scene.run(&arguments);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stderr.contains("pass 1 of 3"), "{end:?}");
    let mut visits: Vec<(String, u32)> = rounds(&scene.path("here"))
        .into_iter()
        .map(|round| (round.block, round.incarnation))
        .collect();
    visits.dedup();
    let blocks = ["speed-up/square/64", "speed-up/cube/64"];
    let in_turn = (0..3).flat_map(|life| blocks.map(|block| (block.to_owned(), life)));
    assert_eq!(visits, in_turn.collect::<Vec<_>>());
}

#[test]
fn a_block_of_which_only_a_decision_is_asked_ends_when_it_is_settled() {
    let scene = Scene::new();
    let undisturbed = "[validity]\nmax_steal = 1.0\nmax_others = 1.0\nmax_pressure = 1.0\n";
    let config = scene.config(&format!(
        "question = \"?\"\nmax_rounds = 600\nprecision = 0\nuntil = \"decided\"\n{undisturbed}[[experiment]]\nkind = \"speed-up\"\nquestion = \"?\"\n"
    ));
    // A process for every job of so little is a hundred times as slow as none.
    let flags = "--backends pipe-pool --start-methods spawn --workloads square --workers 1 --task-size 1 --tasks 2 --time-budget 20s --out here";
    let mut arguments = vec!["sweep", "--config", &config];
    arguments.extend(flags.split(' '));
    let end = scene.run(&arguments);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stderr.contains("decided"), "{end:?}");
    assert!(end.stdout.contains("it is settled what pays"), "{end:?}");
    let lives = rounds(&scene.path("here")).iter().map(|round| round.incarnation).max();
    assert!(matches!(lives, Some(2..5)), "three to five of six incarnations: {lives:?}");
}
