//! Instruction counts: without valgrind, with one that is made up, and with the
//! real one.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use crate::scene::{End, Scene, end_of};

const DRIVER: &str = env!("CARGO_BIN_EXE_driver");

/// Tells of any number of instructions without executing one of them. Its arguments
/// are four options, the program, `paths`, the path, `--times` and how often.
const MADE_UP: &str = r#"#!/bin/sh
[ "$1" = --version ] && { echo valgrind-3.24.0; exit; }
each=40000
times=${9#"${9%%[!0]*}"}
case "$5:$7" in
  */dearer:kernel/square) each=50000 ;;
  */cheaper:kernel/square) each=30000 ;;
  */broken:kernel/square | */mute:*) echo 'error: it fell' >&2; exit 2 ;;
  *:pipe-pool/run) [ -e "$0.seen" ] && each=48000; : > "$0.seen" ;;
  *:shm-pool/run) echo 'error: no process can be started' >&2; exit 2 ;;
esac
echo "==1== Collected : 5" >&2
echo "==$$== Collected : $((1000000 + each * times))" >&2
echo V3
"#;

fn script(path: &Path, text: &str) -> String {
    fs::write(path, text).expect("a script can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it can be executed");
    path.display().to_string()
}

/// A driver by another name, which is all that tells it from others here.
fn driver(scene: &Scene, name: &str) -> String {
    script(&scene.path(name), &format!("#!/bin/sh\nexec {DRIVER} \"$@\"\n"))
}

/// Counts with what `valgrind` does, or without one.
fn count(scene: &Scene, valgrind: Option<&str>, arguments: &[&str]) -> End {
    let folder = scene.path("bin");
    fs::create_dir_all(&folder).expect("a folder");
    if let Some(text) = valgrind {
        script(&folder.join("valgrind"), text);
    }
    let mut command = scene.command(&[&["instructions"], arguments].concat());
    end_of(command.env("PATH", folder).spawn().expect("the driver starts"))
}

/// The verdict in the row of `path`.
fn verdict<'a>(end: &'a End, path: &str) -> &'a str {
    let row = end.stdout.lines().find(|line| line.starts_with(&format!("{path} ")));
    let row = row.unwrap_or_else(|| panic!("no row of {path}: {end:?}"));
    row.rsplit("  ").next().expect("the last column")
}

#[test]
fn without_valgrind_nothing_is_counted_and_the_help_says_how_to_get_it() {
    let scene = Scene::new();
    let end = count(&scene, None, &[]);
    assert_eq!((end.code, &*end.stdout), (Some(3), ""), "{end:?}");
    for part in ["valgrind is not installed", "help: install valgrind"] {
        assert!(end.stderr.contains(part), "{part}: {}", end.stderr);
    }
}

#[test]
fn every_path_is_a_row_whatever_came_of_it() {
    let scene = Scene::new();
    let end = count(&scene, Some(MADE_UP), &[]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(verdict(&end, "kernel/cube"), "exact");
    // 40000 for each time, which has 4 tasks of 10000 elements.
    assert!(end.stdout.contains("kernel/cube                 element          1.0000"));
    assert_eq!(verdict(&end, "pipe-pool/run"), "varies");
    assert_eq!(verdict(&end, "shm-pool/run"), "not here");
    for part in ["shm-pool/run: no process can be started", "valgrind 3.24.0", "for V3"] {
        assert!(end.stdout.contains(part), "{part}: {}", end.stdout);
    }
    assert!(end.stdout.lines().all(|line| line.chars().count() <= 80), "{}", end.stdout);
}

#[test]
fn a_build_with_more_instructions_is_a_regression_in_every_form() {
    let scene = Scene::new();
    let (base, head) = (driver(&scene, "base"), driver(&scene, "dearer"));
    let compared = ["--base", &base, "--head", &head, "--out", "here"];
    let end = count(&scene, Some(MADE_UP), &compared);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert_eq!((verdict(&end, "kernel/square"), verdict(&end, "kernel/cube")), ("more", "same"));
    assert_eq!(verdict(&end, "shm-pool/run"), "not here");
    assert!(end.stdout.lines().all(|line| line.chars().count() <= 80), "{}", end.stdout);
    let read = |name: &str| fs::read_to_string(scene.path("here").join(name)).expect(name);
    let json = |name: &str| -> serde_json::Value { serde_json::from_str(&read(name)).expect(name) };
    let told = json("instructions.json");
    assert_eq!((&told["outcome"], &told["valgrind"]), (&"regression".into(), &"3.24.0".into()));
    let paths = told["paths"].as_array().expect("paths");
    let square = paths.iter().find(|path| path["path"] == "kernel/square").expect("square");
    assert_eq!((&square["ratio"], &square["verdict"]), (&1.25.into(), &"more".into()));
    assert!(read("summary.md").starts_with("## Instructions: regression"));
    assert_eq!(
        read("annotations.txt"),
        "::error title=instructions::kernel/square: 1.2500 times base's instructions\n"
    );
    assert_eq!(json("bencher.json")["kernel/square"]["instructions"]["value"], 1.25);
    let tracked = json("github-action-benchmark.json");
    let tracked = tracked.as_array().expect("entries");
    assert!(tracked.iter().any(|one| one["unit"] == "instructions/element"));
    // One varies and one cannot be counted: no tracker should see them.
    assert_eq!(tracked.len(), paths.len() - 2);
}

#[test]
fn a_wide_margin_and_a_cheaper_build_pass() {
    let scene = Scene::new();
    let (base, dearer) = (driver(&scene, "base"), driver(&scene, "dearer"));
    let cheaper = driver(&scene, "cheaper");
    let count = |more: &[&str]| {
        let end =
            count(&scene, Some(MADE_UP), &[&["--base", &base, "--paths", "kernel"], more].concat());
        assert_eq!(end.code, Some(0), "{end:?}");
        assert!(!end.stdout.contains("pool"), "{}", end.stdout);
        verdict(&end, "kernel/square").to_owned()
    };
    assert_eq!(count(&["--head", &dearer, "--margin", "30"]), "same");
    assert_eq!(count(&["--head", &cheaper]), "less");
}

#[test]
fn a_base_that_knows_no_paths_is_a_row_and_no_crash() {
    let scene = Scene::new();
    let end = count(&scene, Some(MADE_UP), &["--base", "/bin/true", "--paths", "kernel"]);
    assert_eq!(end.code, Some(3), "{end:?}");
    assert_eq!(verdict(&end, "kernel/square"), "no base");
    let unbroken = end.stdout.replace('\n', " ");
    assert!(unbroken.contains("kernel/cube: base: knows no paths to count"), "{}", end.stdout);
    let end = count(&scene, Some(MADE_UP), &["--head", "/bin/true"]);
    assert!(end.code == Some(2) && end.stderr.contains("help: "), "{end:?}");
}

#[test]
fn a_program_that_says_something_else_or_nothing_and_does_not_end_is_no_driver() {
    let scene = Scene::new();
    let flood = script(&scene.path("flood"), "#!/bin/sh\nwhile :; do echo y; done\n");
    let end = count(&scene, Some(MADE_UP), &["--head", &flood]);
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(end.stderr.contains("it said `y`; is it a driver?"), "{end:?}");
    let endless = script(&scene.path("endless"), "#!/bin/sh\nexec /bin/sleep 60\n");
    let end = count(&scene, Some(MADE_UP), &["--head", &endless]);
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(end.stderr.contains("did not list its paths within 10s"), "{end:?}");
    let torn = script(&scene.path("torn"), "#!/no/such/interpreter\n");
    let end = count(&scene, Some(MADE_UP), &["--head", &torn]);
    assert!(end.stderr.contains("cannot start `"), "{end:?}");
    scene.is_left_by_all();
}

#[test]
fn what_only_head_cannot_do_is_broken() {
    let scene = Scene::new();
    let (base, head) = (driver(&scene, "base"), driver(&scene, "broken"));
    let end = count(&scene, Some(MADE_UP), &["--base", &base, "--head", &head]);
    assert_eq!(end.code, Some(2), "{end:?}");
    assert_eq!(verdict(&end, "kernel/square"), "failed");
    assert!(end.stdout.contains("kernel/square: it fell"), "{}", end.stdout);
}

#[test]
fn what_only_base_has_is_broken_unless_it_is_not_wanted() {
    let scene = Scene::new();
    let path = r#"{"name":"kernel/cube","unit":"element","units":40000,"times":50}"#;
    let gone = path.replace("cube", "roots");
    let listing = |paths: &str| {
        format!("#!/bin/sh\necho '{{\"instruction_set\":\"V3\",\"paths\":[{paths}]}}'\n")
    };
    let base = script(&scene.path("base"), &listing(&format!("{gone},{path}")));
    let head = script(&scene.path("head"), &listing(path));
    let compared = ["--base", &base, "--head", &head];
    let end = count(&scene, Some(MADE_UP), &compared);
    assert_eq!((end.code, verdict(&end, "kernel/roots")), (Some(2), "failed"), "{end:?}");
    assert_eq!(verdict(&end, "kernel/cube"), "same");
    assert!(end.stdout.contains("kernel/roots: head has no such path"), "{end:?}");
    let end = count(&scene, Some(MADE_UP), &[&compared[..], &["--paths", "cube"]].concat());
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(!end.stdout.contains("roots"), "{end:?}");
    let end = count(&scene, Some(MADE_UP), &[&compared[..], &["--paths", "roots"]].concat());
    assert_eq!((end.code, verdict(&end, "kernel/roots")), (Some(2), "failed"), "{end:?}");
}

#[test]
fn a_valgrind_that_can_count_neither_build_breaks_no_gate() {
    let scene = Scene::new();
    let mute = driver(&scene, "mute");
    let end = count(&scene, Some(MADE_UP), &["--base", &mute, "--head", &mute]);
    assert_eq!(end.code, Some(3), "{end:?}");
    assert_eq!(verdict(&end, "kernel/square"), "not here");
    let end = count(&scene, Some(MADE_UP), &["--head", &mute]);
    assert_eq!(end.code, Some(2), "{end:?}");
}

#[test]
fn paths_are_chosen_among_those_of_the_build_that_is_counted() {
    let scene = Scene::new();
    let path = r#"{"name":"kernel/roots","unit":"element","units":40000,"times":50}"#;
    let inventory = format!(r#"{{"instruction_set":"V3","paths":[{path}]}}"#);
    let newer = script(&scene.path("newer"), &format!("#!/bin/sh\necho '{inventory}'\n"));
    let end = count(&scene, Some(MADE_UP), &["--head", &newer, "--paths", "roots"]);
    assert_eq!((end.code, verdict(&end, "kernel/roots")), (Some(0), "exact"), "{end:?}");
    let end = count(&scene, Some(MADE_UP), &["--head", &newer, "--paths", "cube"]);
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(end.stderr.ends_with("help: choose among kernel/roots\n"), "{end:?}");
}

#[test]
fn what_cannot_be_counted_is_refused_with_what_can_be() {
    let scene = Scene::new();
    for (arguments, part) in [
        (["--paths", "colonel"], "kernel/cube"),
        (["--base", "/no/such/driver"], "`--base /no/such/driver`"),
        (["--margin", "much"], "a number of percent"),
    ] {
        let end = count(&scene, Some(MADE_UP), &arguments);
        assert_eq!((end.code, &*end.stdout), (Some(2), ""), "{end:?}");
        assert!(end.stderr.contains(part), "{part}: {}", end.stderr);
    }
}

#[test]
fn a_path_that_is_followed_tells_by_which_instruction_set_and_an_unknown_one_is_refused() {
    let scene = Scene::new();
    let end = scene.run(&["paths", "serial/square", "--times", "3"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(end.stdout.trim(), harness::workloads::instruction_set());
    let end = scene.run(&["paths", "serial/roots"]);
    assert!(end.code == Some(2) && end.stderr.contains("serial/roots"), "{end:?}");
}

#[test]
fn valgrind_counts_the_same_every_time_and_what_it_cannot_is_said() {
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        println!("skipped: valgrind is not installed");
        return;
    }
    let scene = Scene::new();
    let paths = ["serial/square", "pipe-pool/frames-of-numbers", "shm-pool/run"];
    let counted = |out: &str| {
        let end = scene.run(&["instructions", "--paths", &paths.join(","), "--out", out]);
        assert_eq!(end.code, Some(0), "{end:?}");
        // Whether a pool can be started is this valgrind's business.
        assert!(["varies", "not here", "exact"].contains(&verdict(&end, paths[2])), "{end:?}");
        let figures = fs::read(scene.path(out).join("bencher.json")).expect("figures");
        let figures: serde_json::Value = serde_json::from_slice(&figures).expect("JSON");
        let value = |path| figures[path]["instructions"]["value"].as_f64().expect("an exact count");
        [value(paths[0]), value(paths[1])]
    };
    let [once, again] = [counted("once"), counted("again")];
    assert_eq!(once[0].to_bits(), again[0].to_bits(), "{once:?}, {again:?}");
    // The pool's machinery reads a clock now and then, and calculates with it.
    assert!((once[1] / again[1] - 1.0).abs() < 1e-4, "{once:?}, {again:?}");
}
