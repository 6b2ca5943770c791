//! What `scripts/ci-duel` makes of the exit codes of a duel and of counts.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use crate::scene::{Scene, end_of};

/// "Builds" the driver below.
const CARGO: &str = "#!/bin/sh\nfor folder; do :; done\n\
    mkdir -p \"$folder/release\" && cp \"${0%/*}/driver\" \"$folder/release/driver\"\n";

/// Ends as the test wants it.
const DRIVER: &str = "#!/bin/sh\n[ \"$2\" = --help ] && exit\n\
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

#[test]
fn the_exit_code_is_the_duels_unless_only_the_instructions_are_worse_or_a_signal_came() {
    let scene = Scene::new();
    let (tree, tools) = (scene.path("tree"), scene.path("tools"));
    [&tree, &tools].iter().for_each(|folder| fs::create_dir(folder).expect("created"));
    let commit = ["commit", "--quiet", "--allow-empty", "--message", "all"];
    if !(git(&tree, &["init", "--quiet"]) && git(&tree, &commit)) {
        println!("skipped: git is not installed");
        return;
    }
    script(&tools.join("cargo"), CARGO);
    script(&tools.join("driver"), DRIVER);
    script(&tools.join("valgrind"), "#!/bin/sh\n");
    let path = std::env::var("PATH").expect("a path");
    let ci_duel = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/ci-duel");
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
        (130, 0, 130),
        (0, 130, 130),
        (1, 130, 130),
        (0, 137, 137),
        (143, 0, 143),
    ] {
        let mut command = Command::new(&ci_duel);
        command.arg("HEAD").current_dir(&tree);
        command.env("PATH", format!("{}:{path}", tools.display()));
        command.env("DUEL", duel.to_string()).env("COUNTS", counts.to_string());
        command.env_remove("GITHUB_STEP_SUMMARY").env_remove("GITHUB_ACTIONS");
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let end = end_of(command.spawn().expect("it starts"));
        assert_eq!(end.code, Some(expected), "duel {duel}, counts {counts}: {end:?}");
    }
}
