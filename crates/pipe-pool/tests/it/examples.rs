//! The examples print what they promise.

use std::{
    env,
    io::Read,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
};

use crate::WATCHDOG;

/// The output of an example, once it and all that could write to it has ended.
fn output_of(example: &str, arguments: &[&str]) -> String {
    let test = env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples").join(example);
    let mut process = Command::new(&path)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; `cargo test` builds it", path.display()));
    let mut stdout = process.stdout.take().unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        tell.send(stdout.read_to_string(&mut text).map(|_| text)).unwrap();
    });
    let text = told.recv_timeout(WATCHDOG);
    if text.is_err() {
        process.kill().unwrap();
    }
    let status = process.wait().unwrap();
    let text = text.unwrap_or_else(|_| panic!("{example} hangs")).unwrap();
    assert!(status.success(), "{status}: {text}");
    text
}

#[test]
fn pool_methods_agree_on_squares_and_cubes() {
    let line = |method| {
        format!("{method:<12} squares [1, 4, 9, 16, 25, 36]  cubes [1, 8, 27, 64, 125, 216]\n")
    };
    let lines = ["apply", "map", "apply_async", "map_async"].map(line);
    assert_eq!(output_of("pool_methods", &[]), lines.concat());
}

#[test]
fn work_log_shows_that_the_next_item_is_taken_as_one_is_finished() {
    let output = output_of("work_log", &["200"]);
    let lines: Vec<&str> = output.lines().collect();
    let (log, summary) = lines.split_at(8);
    let (a, bcd) = match summary {
        ["order of starts: A B C D", "after units:     0 0 2 3", a, bcd] => (a, bcd),
        other => panic!("{other:#?}"),
    };
    let first = a.strip_suffix(" did A").unwrap();
    let second = bcd.strip_suffix(" did B, C, D").unwrap();
    assert_ne!(first, second);

    // Of each process, in its order; the two are interleaved.
    let said_by = |process: &str| -> Vec<&str> {
        let said = |line: &&&str| line.starts_with(process);
        log.iter().filter(said).map(|line| line.split_once(": ").unwrap().1).collect()
    };
    assert_eq!(said_by(first), ["A waits 5 units", "A is done"]);
    let of_second = [
        "B waits 2 units",
        "B is done",
        "C waits 1 unit",
        "C is done",
        "D waits 3 units",
        "D is done",
    ];
    assert_eq!(said_by(second), of_second);
}
