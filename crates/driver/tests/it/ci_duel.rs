//! What `scripts/ci-duel` makes of the exit codes of a duel and of counts.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command, thread, time::Duration};

use nix::sys::signal::Signal;

use crate::scene::{Scene, end_of, is_ignored, send};

/// "Builds" the driver below.
const CARGO: &str = "#!/bin/sh\nfor folder; do :; done\n\
    mkdir -p \"$folder/release\" && cp \"${0%/*}/driver\" \"$folder/release/driver\"\n";

/// Ends as the test wants it, or not before it is told to.
const DRIVER: &str = "#!/bin/sh\n[ \"$2\" = --help ] && exit\n\
    [ \"$DUEL\" = endless ] && { touch begun; exec sleep 60; }\n\
    case $1 in duel) exit $DUEL ;; instructions) exit $COUNTS ;; esac\n";

fn script(path: &Path, text: &str) {
    fs::write(path, text).expect("a script can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it can be executed");
}

fn git(folder: &Path, arguments: &[&str]) -> bool {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=nobody", "-c", "user.email=nobody@x"]);
    command.args(arguments).output().is_ok_and(|output| output.status.success())
}

/// Puts a repository and tools into the scene; false if there is no git.
fn set(scene: &Scene) -> bool {
    let (tree, tools) = (scene.path("tree"), scene.path("tools"));
    [&tree, &tools].iter().for_each(|folder| fs::create_dir(folder).expect("created"));
    script(&tools.join("cargo"), CARGO);
    script(&tools.join("driver"), DRIVER);
    script(&tools.join("valgrind"), "#!/bin/sh\n");
    let commit = ["commit", "--quiet", "--allow-empty", "--message", "all"];
    let has_git = git(&tree, &["init", "--quiet"]) && git(&tree, &commit);
    if !has_git {
        println!("skipped: git is not installed");
    }
    has_git
}

/// The script, not started yet, with a duel and counts that end so.
fn ci_duel(scene: &Scene, duel: &str, counts: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/ci-duel");
    let path = std::env::var("PATH").expect("a path");
    let mut command = scene.program(script);
    command.arg("HEAD").current_dir(scene.path("tree"));
    command.env("PATH", format!("{}:{path}", scene.path("tools").display()));
    command.env("DUEL", duel).env("COUNTS", counts);
    command.env_remove("GITHUB_STEP_SUMMARY").env_remove("GITHUB_ACTIONS");
    command
}

#[test]
fn the_exit_code_is_the_duels_unless_only_the_instructions_are_worse_or_a_signal_came() {
    let scene = Scene::new();
    if !set(&scene) {
        return;
    }
    for (duel, counts, expected) in [
        (0, 0, 0),
        (1, 0, 1),
        (2, 0, 2),
        (3, 0, 3),
        (0, 3, 0),
        (0, 1, 1),
        (3, 2, 2),
        (1, 2, 1),
        (2, 1, 2),
        (0, 101, 2),
        (101, 0, 2),
        (101, 1, 2),
        (130, 0, 130),
        (0, 130, 130),
        (1, 130, 130),
        (0, 137, 137),
        (143, 0, 143),
        (0, 139, 139),
    ] {
        let mut command = ci_duel(&scene, &duel.to_string(), &counts.to_string());
        let end = end_of(command.spawn().expect("it starts"));
        assert_eq!(end.code, Some(expected), "duel {duel}, counts {counts}: {end:?}");
    }
}

#[test]
fn the_scripts_own_trouble_is_no_regression() {
    let scene = Scene::new();
    if !set(&scene) {
        return;
    }
    let code = |command: &mut Command| end_of(command.spawn().expect("it starts")).code;
    let file = scene.path("file");
    fs::write(&file, "").expect("written");
    assert_eq!(code(ci_duel(&scene, "0", "0").env("TMPDIR", &file)), Some(2));
    // Not the repository that temporary files may lie in.
    let ceiling = fs::canonicalize(scene.path("")).expect("it is there");
    let mut outside = ci_duel(&scene, "0", "0");
    outside.current_dir(scene.path("tools")).env("GIT_CEILING_DIRECTORIES", ceiling);
    assert_eq!(code(&mut outside), Some(2));
    let driver = "#!/bin/sh\n[ \"$2\" = --help ] && exit\nfor folder; do :; done\n\
        mkdir -p \"$folder\" && echo told > \"$folder/summary.md\"\n";
    script(&scene.path("tools/driver"), driver);
    assert_eq!(code(ci_duel(&scene, "0", "0").env("GITHUB_STEP_SUMMARY", &file)), Some(0));
    assert!(fs::read_to_string(&file).expect("a summary").starts_with("told\n"));
    let folder = scene.path("tools");
    assert_eq!(code(ci_duel(&scene, "0", "0").env("GITHUB_STEP_SUMMARY", folder)), Some(2));
}

#[test]
fn a_signal_that_comes_to_the_script_alone_ends_the_duel_too() {
    let scene = Scene::new();
    if !set(&scene) {
        return;
    }
    let begun = scene.path("tree/begun");
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        if is_ignored(signal) {
            // A shell leaves it at that.
            continue;
        }
        let mut child = ci_duel(&scene, "endless", "0").spawn().expect("it starts");
        while !begun.exists() && child.try_wait().expect("wait").is_none() {
            thread::sleep(Duration::from_millis(5));
        }
        send(&child, signal);
        let end = end_of(child);
        assert_eq!(end.code, Some(code), "{end:?}");
        scene.is_left_by_all();
        fs::remove_file(&begun).expect("it had begun");
    }
}
