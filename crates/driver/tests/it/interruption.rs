//! Ctrl-C, kill -9, and going on afterwards.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    process::Command,
    thread,
    time::Duration,
};

use nix::sys::signal::Signal;

use crate::{
    fake_runner,
    scene::{Scene, end_of, interrupt, rounds, send, wait_for_rounds},
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
    interrupt(&child);
    let end = end_of(child);
    assert_eq!(end.code, Some(130), "{end:?}");
    assert!(end.stderr.contains("rounds are saved") && end.stderr.contains("--resume"), "{end:?}");
    scene.is_left_by_all();
    resume(&scene);
}

#[test]
fn signals_that_were_ignored_from_the_start_do_not_end_a_sweep() {
    let scene = Scene::new();
    let config = config(&scene);
    let driver = scene.command(&["sweep", "--config", &config, "--out", "out"]);
    let mut command = scene.program("/bin/sh");
    command.args(["-c", "trap '' HUP INT; exec \"$0\" \"$@\""]);
    command.arg(driver.get_program()).args(driver.get_args());
    let child = command.spawn().expect("the driver starts");
    let out = scene.path("out");
    wait_for_rounds(&out, 3);
    [Signal::SIGHUP, Signal::SIGINT].into_iter().for_each(|signal| send(&child, signal));
    wait_for_rounds(&out, rounds(&out).len() + 3);
    send(&child, Signal::SIGTERM);
    let end = end_of(child);
    assert_eq!(end.code, Some(130), "{end:?}");
    scene.is_left_by_all();
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
fn a_disk_that_is_full_costs_the_round_that_does_not_fit_and_the_sweep_can_be_resumed() {
    let scene = Scene::new();
    let config = scene.config(
        "question = \"?\"\ntime_budget = \"60s\"\nprecision = 0\nmax_rounds = 1000000\n\
         [[experiment]]\nkind = \"speed-up\"\nquestion = \"?\"\nworkers = [2]\ntasks = 8\n\
         workloads = [\"sum-of-squares\"]\nbackends = [\"threads\"]\ntask_size = 1000\n",
    );
    let arguments = ["sweep", "--config", &config, "--out", "out"];
    let end = end_of(scene.cramped_command(32, &arguments).spawn().expect("the driver starts"));
    assert_eq!(end.code, Some(2), "{end:?}");
    let goes_on = "rounds are saved; make room, then `driver sweep --resume out` goes on";
    assert!(end.stderr.contains(goes_on), "{end:?}");
    let records = fs::read(scene.path("out/records.jsonl")).expect("records");
    assert_eq!(records.last(), Some(&b'\n'), "the line that did not fit is cut off");
    scene.is_left_by_all();
    resume(&scene);
}

/// Runs of runners that count, but for the two that each begins with.
fn counted_runs(scene: &Scene) -> usize {
    let files = fs::read_dir(scene.path(fake_runner::RUNS)).into_iter().flatten();
    let runs = files.map(|file| file.expect("a file").metadata().expect("its length").len());
    runs.map(|runs| runs.saturating_sub(2) as usize).sum()
}

/// Between 0 and 1, evenly spread over many (Weyl's sequence of the golden ratio).
fn instant(number: u32) -> f64 {
    (f64::from(number) * 0.618_033_988_749_895).fract()
}

/// `KILLS=50 cargo test -p driver --test it -- kill_9_at_any_instant` tries more.
#[test]
fn kill_9_at_any_instant_loses_at_most_the_round_in_progress() {
    let kills = std::env::var("KILLS").map_or(8, |kills| kills.parse().expect("a number"));
    let scene = Scene::new();
    let foreign = fake_runner::command("counts");
    let config = scene.config(&format!(
        "question = \"?\"\ntime_budget = \"1500ms\"\nprecision = 0\nmax_rounds = 100000\n\
         [[runner]]\nname = \"foreign\"\ncommand = {foreign}\n\
         [[experiment]]\nkind = \"granularity\"\nquestion = \"?\"\n\
         workloads = [\"sum-of-squares\"]\nbackends = [\"pipe-pool\", \"foreign\"]\n\
         start_methods = [\"fork\"]\nworkers = [2]\ntasks = 8\ntask_size = [10, 100, 1000]\n"
    ));
    let (mut sweep, mut kept, mut before, mut lost_before) = (0, 0, Vec::new(), 0);
    for number in 0..kills {
        let (name, out) = (format!("out-{sweep}"), scene.path(&format!("out-{sweep}")));
        let child = begin_or_resume(&scene, &config, &name).spawn().expect("the driver starts");
        thread::sleep(Duration::from_millis(900).mul_f64(instant(number)));
        send(&child, Signal::SIGKILL);
        let end = end_of(child);
        scene.is_left_by_all();
        let after = rounds(&out);
        assert_eq!(after[..before.len()], before, "kill {number}: what was measured is kept");
        let lost = counted_runs(&scene) - kept - after.len();
        assert!(lost <= lost_before + 1, "kill {number}: {lost_before} rounds lost, now {lost}");
        (before, lost_before) = (after, lost);
        if end.code.is_some() {
            assert_complete(&scene, &name);
            (sweep, kept, before) = (sweep + 1, kept + before.len(), Vec::new());
        }
    }
    let name = format!("out-{sweep}");
    let end = end_of(begin_or_resume(&scene, &config, &name).spawn().expect("the driver starts"));
    assert_eq!(end.code, Some(0), "{end:?}");
    let after = rounds(&scene.path(&name));
    assert_eq!(after[..before.len()], before);
    assert_complete(&scene, &name);
    let rounds = kept + after.len();
    eprintln!(
        "{kills} kills, {lost_before} of {rounds} rounds lost, {} sweeps complete",
        sweep + 1
    );
}

/// Goes on with a sweep that was killed after it had begun to keep records.
fn begin_or_resume(scene: &Scene, config: &str, out: &str) -> Command {
    if scene.path(out).join("records.jsonl").exists() {
        return scene.command(&["sweep", "--resume", out]);
    }
    let _ = fs::remove_dir_all(scene.path(out));
    scene.command(&["sweep", "--config", config, "--out", out])
}

fn assert_complete(scene: &Scene, out: &str) {
    let report = fs::read_to_string(scene.path(out).join("report.json")).expect("a report");
    assert!(report.contains("\"complete\": true"), "every block has come to its end");
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
    let full = OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    let mut command = scene.command(&["report", "out"]);
    let end = end_of(command.stdout(full).spawn().expect("the driver starts"));
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(end.stderr.contains("`out`") && end.stderr.contains("`driver report DIR`"), "{end:?}");
}
