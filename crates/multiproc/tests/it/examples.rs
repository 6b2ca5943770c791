//! What the examples print, each run as its readers run it.

use std::{
    collections::HashSet,
    ffi::OsStr,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::mpsc,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::isolation::{WATCHDOG, leaves_nothing, members};

/// The example's executable, which cargo has built beside the tests.
pub(crate) fn executable(example: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("examples").join(example);
    assert!(
        built.exists(),
        "{} is missing; `cargo test` without `--test` builds it",
        built.display()
    );
    built
}

/// Runs an example in a process group of its own, of which nothing may be
/// left afterwards; it must succeed and complain of nothing.
fn run(example: &str, arguments: &[&str], stdout: Stdio) -> String {
    let mut command = Command::new(executable(example));
    command.args(arguments).process_group(0).stdin(Stdio::null());
    let child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
    let group = child.id() as i32;
    let (sender, receiver) = mpsc::channel();
    // Reads to the end of file: until the last process of the example is gone.
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(WATCHDOG) else {
        let members = members(group);
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        panic!("{example} hangs; its processes: {members:#?}");
    };
    let Output { status, stdout, stderr } = output.unwrap();
    let complaints = String::from_utf8(stderr).unwrap();
    assert!(status.success() && complaints.is_empty(), "{example}: {status}, {complaints}");
    leaves_nothing(group);
    String::from_utf8(stdout).unwrap()
}

fn output_of(example: &str) -> String {
    run(example, &[], Stdio::piped())
}

/// The lines in alphabetical order, for processes that print when they like.
fn sorted_lines_of(example: &str) -> Vec<String> {
    let mut lines: Vec<_> = output_of(example).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// The number at the end of a line that begins with `label`.
pub(crate) fn number_after(label: &str, output: &str) -> u32 {
    let number = output.lines().find_map(|line| line.strip_prefix(label));
    let number = number.unwrap_or_else(|| panic!("no line begins with {label:?}: {output}"));
    number.trim().parse().unwrap_or_else(|_| panic!("not a number: {number:?}"))
}

#[test]
fn process_says_hello_from_ten_processes() {
    let expected: Vec<_> = (0..10).map(|number| format!("hello world {number}")).collect();
    assert_eq!(sorted_lines_of("process"), expected);
}

#[test]
fn pipe_cube_prints_what_came_through_the_pipe() {
    assert_eq!(output_of("pipe_cube"), "The cube of 19 is 6859\n");
}

#[test]
fn queue_pipeline_prints_cubes_plus_one_in_order() {
    assert_eq!(output_of("queue_pipeline"), "2\n9\n28\n65\n126\n217\n344\n513\n730\n1001\n");
}

#[test]
fn random_strings_prints_four_that_differ_and_have_the_length_asked_for() {
    for (arguments, length) in [(&[][..], 5), (&["12"][..], 12)] {
        let output = run("random_strings", arguments, Stdio::piped());
        let list = output.strip_prefix("[\"").and_then(|list| list.strip_suffix("\"]\n"));
        let strings: HashSet<_> =
            list.unwrap_or_else(|| panic!("{output}")).split("\", \"").collect();
        assert_eq!(strings.len(), 4, "{output}");
        for string in strings {
            assert!(string.chars().all(|c| c.is_ascii_alphanumeric()), "{output}");
            assert_eq!(string.len(), length, "{output}");
        }
    }
}

#[test]
fn cpu_count_tells_what_may_be_used_and_what_the_machine_has() {
    let output = output_of("cpu_count");
    let usable = number_after("CPUs that this process may use: ", &output);
    let all = number_after("CPUs of this machine: ", &output);
    assert!(usable >= 1 && usable <= all, "{output}");
    assert_eq!(output.lines().count(), 2, "{output}");
}

#[test]
fn continents_prints_the_default_and_the_three_given() {
    let expected = ["Africa", "America", "Asia", "Europe"]
        .map(|continent| format!("The name of continent is: {continent}"));
    assert_eq!(sorted_lines_of("continents"), expected);
}

#[test]
fn fifo_prints_the_colours_as_they_went_in() {
    let colours = "item no: 1 red\nitem no: 2 green\nitem no: 3 blue\nitem no: 4 black\n";
    let expected =
        format!("pushing items to queue:\n{colours}\npopping items from queue:\n{colours}");
    assert_eq!(output_of("fifo"), expected);
}

#[test]
fn task_queue_has_each_task_done_once_by_one_of_the_four() {
    let workers = ["Process-1", "Process-2", "Process-3", "Process-4"];
    let mut done = Vec::new();
    for line in output_of("task_queue").lines() {
        let (task, worker) = line.split_once(" is done by ").unwrap_or_else(|| panic!("{line}"));
        assert!(workers.contains(&worker), "{line}");
        done.push(task.to_owned());
    }
    done.sort();
    assert_eq!(done, (0..10).map(|number| format!("Task no {number}")).collect::<Vec<_>>());
}

#[test]
fn lock_counts_right_with_it_and_wrong_without() {
    let output = output_of("lock");
    assert_eq!(number_after("expected: ", &output), 2000);
    assert_eq!(number_after("with a lock: ", &output), 2000);
    let without = number_after("without a lock: ", &output);
    assert!((1..2000).contains(&without), "{output}");
}

#[test]
fn threads_race_counts_right_in_order_and_with_a_lock_and_wrong_without() {
    let output = output_of("threads_race");
    for number in [500, 1000, 1500, 2000] {
        let line = format!("Thread-{number} made it {number}");
        assert!(output.lines().any(|printed| printed == line), "{output}");
    }
    let without = number_after("all at once: ", &output);
    assert!((1..2000).contains(&without), "{output}");
    assert_eq!(number_after("all at once with a lock: ", &output), 2000);
}

#[test]
fn workers_all_start_before_the_first_finishes() {
    // Long enough for five starts on a machine that has much else to do.
    let output = run("workers", &["1000"], Stdio::piped());
    let lines: Vec<_> = output.lines().collect();
    let sorted = |lines: &[&str]| {
        let mut lines = lines.to_vec();
        lines.sort_unstable();
        lines.join(", ")
    };
    let five = |what| (1..=5).map(|n| format!("Worker {n} {what}")).collect::<Vec<_>>().join(", ");
    assert_eq!(lines.len(), 11, "{output}");
    assert_eq!(sorted(&lines[..5]), five("starts"));
    assert_eq!(sorted(&lines[5..10]), five("finishes"));
    assert!(lines[10].starts_with("5 workers of 1000 ms each took "), "{output}");
}

#[test]
fn start_methods_prints_the_times_of_all_three() {
    let output = output_of("start_methods");
    let rows: Vec<Vec<_>> = output.lines().map(|line| line.split_whitespace().collect()).collect();
    let names: Vec<_> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(names, ["method", "spawn", "fork", "forkserver"]);
    for row in &rows[1..] {
        let [_, first, "ms", median, "ms"] = row[..] else { panic!("{output}") };
        for time in [first, median] {
            assert!(time.parse::<f64>().is_ok_and(|millis| millis > 0.0), "{output}");
        }
    }
}

#[test]
fn any_object_prints_a_list_of_mixed_kinds() {
    assert_eq!(output_of("any_object"), "[42, None, \"hello\"]\n");
}

/// As after `| head -1`: all that is printed goes to a pipe that has no reader.
#[test]
fn no_example_minds_that_nobody_reads_what_it_prints() {
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let mut count = 0;
    for source in std::fs::read_dir(sources).unwrap() {
        let source = source.unwrap().path();
        let example = source.file_stem().and_then(OsStr::to_str).unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        run(example, &[], writer.into());
        count += 1;
    }
    assert_eq!(count, 13, "every example has a test here, and this number counts them");
}
