//! Duels of two builds.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::PermissionsExt,
    thread,
    time::{Duration, Instant},
};

use crate::scene::{End, Scene, end_of, interrupt};

const DRIVER: &str = env!("CARGO_BIN_EXE_driver");

/// A few cells that are quickly run. Rounds count whatever else the machine does: there
/// are other tests beside these.
const CONFIG: &str = "question = \"Slower?\"\ntime_budget = \"3s\"\nincarnations = 8\n\
    [[experiment]]\nkind = \"speed-up\"\nquestion = \"?\"\nbackends = [\"threads\", \"shm-pool\"]\n\
    start_methods = [\"spawn\"]\nworkloads = [\"square\"]\nworkers = [2]\ntasks = 8\n\
    task_size = { square = 20000 }\n\
    [validity]\nmax_steal = 1\nmax_others = 1\nmax_pressure = 1\n";

fn duel(scene: &Scene, base: &str, head: &str, more: &[&str]) -> End {
    let config = scene.config(CONFIG);
    let arguments = ["duel", "--base", base, "--head", head, "--config", &config];
    scene.run(&[&arguments, more].concat())
}

/// A driver whose runners do so much more work.
fn slowed(scene: &Scene, share: &str) -> String {
    let path = scene.path("slowed");
    let text = format!("#!/bin/sh\nexec {DRIVER} \"$@\" --extra-work {share}\n");
    fs::write(&path, text).expect("a script can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be executed");
    path.display().to_string()
}

#[test]
fn a_build_is_never_slower_than_itself() {
    let scene = Scene::new();
    let end = duel(&scene, DRIVER, DRIVER, &["--margin", "50"]);
    // How much was shown is the machine's business.
    assert!(matches!(end.code, Some(0 | 3)), "{end:?}");
    assert!(end.stdout.lines().all(|line| line.chars().count() <= 80), "{}", end.stdout);
    for cell in ["square, 8 × 20000, serial × 1", "threads × 2", "shm-pool/spawn × 2"] {
        assert!(end.stdout.contains(cell), "{cell}: {}", end.stdout);
    }
    scene.is_left_by_all();
}

#[test]
fn a_build_that_does_several_times_the_work_is_a_regression_in_every_form() {
    let scene = Scene::new();
    let end = duel(&scene, DRIVER, &slowed(&scene, "8"), &["--out", "here"]);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.stdout.contains("regression: "), "{}", end.stdout);
    let read = |name: &str| fs::read_to_string(scene.path("here").join(name)).expect(name);
    let told = told(&scene, "here");
    assert_eq!(told["outcome"], "regression");
    let cells = told["cells"].as_array().expect("cells");
    let serial = cells.iter().find(|cell| cell["cell"].to_string().contains("serial"));
    let serial = serial.expect("serial is a cell");
    assert_eq!(serial["verdict"], "slower");
    // Eight times the work on top of it; who takes longer is interrupted more, too.
    let ratio = serial["ratio"].as_f64().expect("a ratio");
    assert!((4.0..40.0).contains(&ratio), "{ratio}");
    assert!(read("summary.md").contains("## Duel: regression"));
    assert!(read("annotations.txt").starts_with("::error title=duel::"));
    let bencher: serde_json::Value = serde_json::from_str(&read("bencher.json")).expect("JSON");
    let name = serial["cell"].as_str().expect("a name");
    assert_eq!(bencher[name]["head-over-base"]["value"], serial["ratio"]);
    let entries = read("github-action-benchmark.json");
    let entries: serde_json::Value = serde_json::from_str(&entries).expect("JSON");
    assert_eq!(entries.as_array().map(Vec::len), Some(3));
    scene.is_left_by_all();
}

/// A file that a duel has written.
fn told(scene: &Scene, folder: &str) -> serde_json::Value {
    let path = scene.path(folder).join("duel.json");
    let text = fs::read_to_string(path).expect("the duel was written down");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn a_duel_ends_halfway_if_nothing_is_open_then_and_says_so() {
    let scene = Scene::new();
    // A round a life is enough.
    let config = scene.config(&CONFIG.replace("incarnations = 8", "incarnations = 16"));
    let slowed = slowed(&scene, "100");
    let arguments = ["duel", "--base", DRIVER, "--head", &slowed, "--backends", "threads"];
    let end = scene.run(&[&arguments[..], &["--config", &config, "--out", "here"]].concat());
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.stdout.contains("\nsettled after 8 of 16 lives\n"), "{}", end.stdout);
    let told = told(&scene, "here");
    assert_eq!(
        (&told["ended"], &told["terms"]["look_after_lives"]),
        (&"settled".into(), &8.into())
    );
    for cell in told["cells"].as_array().expect("cells") {
        assert_eq!(cell["ended"], "settled");
        assert_eq!(cell["log_ratios"].as_array().map(Vec::len), Some(8));
        // A quarter of 2 %, over two cells.
        assert!((cell["level"].as_f64().expect("a level") - 0.9975).abs() < 1e-9, "{cell}");
    }
    let summary = fs::read_to_string(scene.path("here/summary.md")).expect("a summary");
    assert!(summary.contains("; settled after 8 of 16 lives."), "{summary}");
    scene.is_left_by_all();
}

#[test]
fn a_duel_that_is_not_settled_takes_its_time_and_says_so() {
    let scene = Scene::new();
    // Nothing is known of equals to a tenth of a thousandth within half a second.
    let arguments = ["--margin", "0.01", "--time-budget", "500ms", "--out", "here"];
    let end = duel(&scene, DRIVER, DRIVER, &arguments);
    assert!(end.stdout.contains("\nnot settled early: took all 8 lives"), "{}", end.stdout);
    let told = told(&scene, "here");
    assert_eq!(told["ended"], "time");
    assert_eq!(told["cells"][0]["log_ratios"].as_array().map(Vec::len), Some(8));
    scene.is_left_by_all();
}

#[test]
fn a_program_that_is_no_driver_breaks_the_duel_and_is_named() {
    let scene = Scene::new();
    let end = duel(&scene, DRIVER, "/bin/true", &[]);
    assert_eq!(end.code, Some(2), "{end:?}");
    for part in ["broken: ", "head failed (runner crashed)", "help: "] {
        assert!(end.stdout.contains(part), "{part}: {}", end.stdout);
    }
    let end = duel(&scene, "/no/such/driver", DRIVER, &[]);
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(end.stderr.contains("`--base /no/such/driver`") && end.stderr.contains("help: "));
    let text = scene.config(CONFIG);
    for (head, why) in [("/usr", "it is no file"), (&text, "it cannot be executed")] {
        let end = duel(&scene, DRIVER, head, &[]);
        assert_eq!((end.code, &*end.stdout), (Some(2), ""), "{end:?}");
        assert!(end.stderr.contains(&format!("`--head {head}`: {why}\nhelp: ")), "{end:?}");
    }
    scene.is_left_by_all();
}

#[test]
fn cells_without_room_in_memory_are_not_run_and_are_told_as_skipped() {
    let scene = Scene::new();
    let text = "question = \"?\"\ntime_budget = \"1s\"\nincarnations = 8\n[[experiment]]\n\
        kind = \"payload\"\nquestion = \"?\"\nworkloads = [\"square\"]\nsizes = [\"8000GiB\"]\n\
        backends = [\"rayon\"]\nworkers = [2]\n";
    let config = scene.config(text);
    let arguments = ["duel", "--base", DRIVER, "--head", DRIVER, "--config", &config];
    let end = scene.run(&[&arguments[..], &["--out", "here"]].concat());
    assert_eq!(end.code, Some(2), "{end:?}");
    for part in ["rayon × 2: skipped: not run: it needs", "raise `memory_share`", "broken: "] {
        assert!(end.stdout.contains(part), "{part}: {}", end.stdout);
    }
    let told = told(&scene, "here");
    assert!(told["cells"].as_array().expect("cells").iter().all(|one| one["verdict"] == "skipped"));
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let scene = Scene::new();
    let refused_by = |command: &[&str], more: &[&str]| {
        let end = scene.run(&[command, more].concat());
        assert_eq!(end.code, Some(2), "{end:?}");
        end.stderr
    };
    let duel = ["duel", "--base", DRIVER, "--head", DRIVER];
    let refused = |more: &[&str]| refused_by(&duel, more);
    let twice = scene.config(&CONFIG.replace("incarnations = 8", "incarnations = 2"));
    let foreign = scene.path("foreign.toml");
    let text = CONFIG.replace("\"threads\"", "\"threads\", \"foreign\"");
    let runner = "[[runner]]\nname = \"foreign\"\ncommand = [\"true\"]\n";
    fs::write(&foreign, text + runner).expect("the config is written");
    let foreign = foreign.to_str().expect("a path of letters");
    for command in [&duel[..], &["selftest", "--duels", "1"]] {
        let refused = |config| refused_by(command, &["--config", config]);
        assert!(refused("start-methods").contains("starts and ends pools"));
        assert!(refused("limits").contains("it has no experiments"));
        let told = refused(&twice);
        assert!(told.contains("help: give it at least 3 `incarnations`"), "{told}");
        let told = refused(foreign);
        assert!(told.contains("a `[[runner]]` of the config") && told.contains("help: "), "{told}");
    }
    assert!(refused(&["--margin", "three"]).contains("a number of percent"));
    assert!(refused(&["--backends", "rajon"]).contains("rayon"));
    let nothing = refused_by(&["selftest", "--duels", "0"], &["--slowed", "0"]);
    assert!(
        nothing.contains("nothing is to be measured") && nothing.contains("help: "),
        "{nothing}"
    );
}

#[test]
fn an_interrupted_duel_shows_nothing_and_leaves_nothing() {
    let scene = Scene::new();
    let begun = Instant::now();
    let driver = scene.command(&["duel", "--base", DRIVER, "--head", DRIVER]);
    let mut driver = driver;
    let driver = driver.spawn().expect("the driver starts");
    while scene.processes().len() < 4 && begun.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(10));
    }
    interrupt(&driver);
    let end = end_of(driver);
    assert_eq!((end.code, &*end.stdout), (Some(130), ""), "{end:?}");
    scene.is_left_by_all();
}

#[test]
fn a_duel_that_cannot_be_printed_is_written_down_all_the_same() {
    let scene = Scene::new();
    let config = scene.config(CONFIG);
    let arguments = ["duel", "--base", DRIVER, "--head", DRIVER, "--backends", "serial"];
    let more = ["--config", &config, "--time-budget", "200ms", "--out", "here"];
    let mut command = scene.command(&[&arguments[..], &more].concat());
    let full = OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    let end = end_of(command.stdout(full).spawn().expect("the driver starts"));
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(end.stderr.contains("help: free some space, or send standard output"), "{end:?}");
    assert!(told(&scene, "here")["cells"].is_array());
}

#[test]
fn a_duel_that_cannot_be_written_down_is_printed_all_the_same() {
    let scene = Scene::new();
    let more = ["--backends", "serial", "--time-budget", "200ms", "--out", "test.toml"];
    let end = duel(&scene, DRIVER, DRIVER, &more);
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(end.stdout.contains("serial × 1") && end.stderr.contains("test.toml"), "{end:?}");
}

#[test]
fn a_self_test_counts_alarms_of_equals_and_of_slow_ones() {
    let scene = Scene::new();
    let config = scene.config(CONFIG);
    let arguments = ["selftest", "--duels", "1", "--slowed", "1", "--time", "3s", "--load"];
    let end = scene.run(&[&arguments[..], &["--slowdowns", "100", "--config", &config]].concat());
    assert!(matches!(end.code, Some(0 | 1)), "{end:?}");
    for part in [
        "3 cells, at most 3 s each",
        "a load comes and goes",
        "equal  ",
        "100 % slower",
        "is found",
    ] {
        assert!(end.stdout.contains(part), "{part}: {}", end.stdout);
    }
    assert!(end.stdout.lines().all(|line| line.chars().count() <= 80), "{}", end.stdout);
    scene.is_left_by_all();
}
