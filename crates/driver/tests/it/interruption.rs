//! Ctrl-C, kill -9, and going on afterwards.

use std::{
    fs::{self, OpenOptions},
    io::Write,
};

use nix::sys::signal::Signal;

use crate::{
    fake_runner,
    scene::{Scene, end_of, rounds, send, wait_for_rounds},
};

/// Rounds for as long as there is time, with processes of every sort: threads,
/// a pool of processes, and a foreign runner under its warden.
fn config(scene: &Scene) -> String {
    let foreign = fake_runner::command("behaves");
    scene.config(&format!(
        "question = \"?\"\ntime_budget = \"60s\"\nincarnations = 1\nprecision = 0\nmax_rounds = 1000000\n\
         [[runner]]\nname = \"foreign\"\ncommand = {foreign}\n\
         [[experiment]]\nkind = \"speed-up\"\nquestion = \"?\"\nworkloads = [\"sum-of-squares\"]\n\
         backends = [\"threads\", \"pipe-pool\", \"foreign\"]\nstart_methods = [\"forkserver\", \"spawn\"]\n\
         workers = [2]\ntasks = 8\ntask_size = 1000\n"
    ))
}

fn begin(scene: &Scene) -> std::process::Child {
    let config = config(scene);
    let mut command = scene.command(&["sweep", "--config", &config, "--out", "out"]);
    let child = command.spawn().expect("the driver starts");
    wait_for_rounds(&scene.path("out"), 3);
    child
}

fn resume(scene: &Scene) {
    let before = rounds(&scene.path("out"));
    let end = scene.run(&["sweep", "--resume", "out", "--time-budget", "1s"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    let after = rounds(&scene.path("out"));
    assert_eq!(after[..before.len()], before, "what was measured is kept");
    assert!(after.len() > before.len(), "and more is measured");
    let numbers: Vec<u32> = after.iter().map(|round| round.round).collect();
    let expected: Vec<u32> = (0..).take(after.len()).collect();
    assert_eq!(numbers, expected, "each round once");
    assert!(after[before.len()].incarnation > before[0].incarnation, "with fresh runners");
    for file in ["index.html", "report.json", "summary.csv", "tables.md"] {
        assert!(scene.path("out").join(file).exists(), "{file}");
    }
    scene.is_left_by_all();
}

#[test]
fn ctrl_c_saves_the_rounds_ends_every_child_and_says_how_to_resume() {
    let scene = Scene::new();
    let child = begin(&scene);
    send(&child, Signal::SIGINT);
    let end = end_of(child);
    assert_eq!(end.code, Some(130), "{end:?}");
    assert!(end.stderr.contains("rounds are saved") && end.stderr.contains("--resume"), "{end:?}");
    scene.is_left_by_all();
    resume(&scene);
}

#[test]
fn kill_9_leaves_no_process_and_the_sweep_can_be_resumed() {
    let scene = Scene::new();
    let child = begin(&scene);
    assert!(scene.processes().len() > 5, "runners, workers, servers: {:?}", scene.processes());
    send(&child, Signal::SIGKILL);
    end_of(child);
    scene.is_left_by_all();
    // As if it had been killed while it was writing.
    let path = scene.path("out/records.jsonl");
    let mut file = OpenOptions::new().append(true).open(path).expect("the records");
    file.write_all(b"{\"record\":\"round\",\"block\":\"speed").expect("torn");
    resume(&scene);
}

#[test]
fn a_complete_sweep_is_only_redrawn_when_it_is_resumed() {
    let scene = Scene::new();
    let quick =
        "--backends threads --workers 1 --workloads cube --task-size 10 --time-budget 1s --out out";
    let mut arguments = vec!["sweep", "--config", "ci"];
    arguments.extend(quick.split(' '));
    assert_eq!(scene.run(&arguments).code, Some(0));
    let records = fs::read(scene.path("out/records.jsonl")).expect("records");
    fs::remove_file(scene.path("out/index.html")).expect("the page");
    assert_eq!(scene.run(&["sweep", "--resume", "out"]).code, Some(0));
    assert_eq!(fs::read(scene.path("out/records.jsonl")).expect("records"), records);
    assert!(scene.path("out/index.html").exists());
    assert_eq!(scene.run(&["report", "out"]).code, Some(0));
}
