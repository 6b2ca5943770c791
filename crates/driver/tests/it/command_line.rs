//! What a user sees who has just found the driver, or mistyped something.

use crate::scene::{Scene, end_of};

#[test]
fn the_driver_alone_shows_its_help() {
    let end = Scene::new().run(&[]);
    assert!(end.stderr.contains("Usage: driver"), "{end:?}");
}

#[test]
fn the_long_help_documents_the_exit_codes_and_hides_what_is_not_for_users() {
    let end = Scene::new().run(&["--help"]);
    assert_eq!(end.code, Some(0));
    for code in
        ["0    everything", "1    something failed", "2    the command line", "130  interrupted"]
    {
        assert!(end.stdout.contains(code), "{code}: {}", end.stdout);
    }
    assert!(!end.stdout.contains("runner"), "{}", end.stdout);
}

#[test]
fn only_a_sweep_promises_that_it_can_be_resumed() {
    for (command, promises) in [
        (&["sweep", "--help"][..], true),
        (&["--help"], false),
        (&["table", "--help"], false),
        (&["verify", "--help"], false),
        (&["report", "--help"], false),
    ] {
        let end = Scene::new().run(command);
        let codes = end.stdout.split("Exit codes:").nth(1).expect("exit codes");
        assert_eq!(codes.contains("--resume"), promises, "{command:?}: {codes}");
        assert!(codes.lines().all(|line| line.chars().count() <= 80), "{codes}");
    }
}

#[test]
fn an_unknown_flag_is_a_usage_error_with_a_suggestion() {
    let end = Scene::new().run(&["--sweep", "--bakends", "rayon"]);
    assert_eq!(end.code, Some(2));
    assert!(end.stderr.contains("--bakends") && end.stderr.contains("--backends"), "{end:?}");
}

#[test]
fn zero_workers_are_refused_with_the_value_and_what_is_allowed() {
    let end = Scene::new().run(&["sweep", "--workers", "0"]);
    assert_eq!(end.code, Some(2));
    for part in ["'0'", "--workers", "from 1 to", "powers"] {
        assert!(end.stderr.contains(part), "{part}: {}", end.stderr);
    }
}

#[test]
fn unknown_names_are_refused_with_the_one_that_was_meant() {
    let cases = [
        (["--backends", "rayn"], "did you mean `rayon`?"),
        (["--workloads", "squares"], "did you mean `square`?"),
        (["--start-methods", "forks"], "did you mean `fork`?"),
        (["--config", "quik"], "did you mean `quick`?"),
    ];
    for ([flag, value], suggestion) in cases {
        let end = Scene::new().run(&["sweep", flag, value]);
        assert_eq!(end.code, Some(2), "{end:?}");
        for part in [flag, value, suggestion] {
            assert!(end.stderr.contains(part), "{part}: {}", end.stderr);
        }
    }
}

#[test]
fn a_refused_command_line_leaves_no_folder_behind() {
    let scene = Scene::new();
    scene.run(&["sweep", "--backends", "rayn"]);
    assert!(!scene.path("reports").exists());
}

#[test]
fn list_names_what_there_is_on_one_line_each() {
    let end = Scene::new().run(&["--list"]);
    assert_eq!(end.code, Some(0));
    for name in ["serial", "shm-pool", "forkserver", "sum-of-squares", "granularity"] {
        let lines = end.stdout.lines().filter(|line| line.trim_start().starts_with(name));
        assert!(lines.count() >= 1, "{name}: {}", end.stdout);
    }
}

#[test]
fn a_reader_that_closes_the_pipe_early_is_no_error() {
    let scene = Scene::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let child = scene.command(&["list"]).stdout(writer).spawn().expect("the driver starts");
    let end = end_of(child);
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_folder_that_no_sweep_wrote_cannot_be_redrawn() {
    let scene = Scene::new();
    let end = scene.run(&["report", "nowhere"]);
    assert_eq!(end.code, Some(2));
    let help = "help: name a folder that `driver sweep` wrote";
    assert!(end.stderr.contains("nowhere") && end.stderr.contains(help), "{end:?}");
    let end = scene.run(&["sweep", "--resume", "."]);
    assert!(end.stderr.contains("config.toml") && end.stderr.contains(help), "{end:?}");
}

#[test]
fn verify_finds_every_answer_right_and_leaves_no_process() {
    let scene = Scene::new();
    let end =
        scene.run(&["verify", "--backends", "threads,rayon,shm-pool", "--start-methods", "spawn"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    for strategy in ["serial", "threads", "rayon", "shm-pool/spawn"] {
        let line = end.stdout.lines().find(|line| line.starts_with(strategy));
        assert_eq!(line.map(|line| line.matches("ok (").count()), Some(3), "{}", end.stdout);
    }
    scene.is_left_by_all();
}
