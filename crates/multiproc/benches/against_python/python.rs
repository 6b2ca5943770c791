//! CPython, as a process that works off blocks.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use crate::compare::Side;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/against_python/peer.py");

/// What `python3 --version` says; `None` if there is none.
pub(crate) fn version() -> Option<String> {
    let output = Command::new("python3").arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !version.is_empty()).then(|| version.trim().to_owned())
}

/// A Python that has done what is needed before the clock runs, such as
/// starting a fork server.
pub(crate) fn start(measurement: &str) -> Side {
    let mut python = Python::start(measurement);
    python.block(1);
    Box::new(move |count| python.block(count))
}

struct Python {
    process: Child,
    requests: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Python {
    fn start(measurement: &str) -> Self {
        let mut process = Command::new("python3")
            .args([SCRIPT, measurement])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 was there a moment ago");
        let requests = process.stdin.take();
        let answers = process.stdout.take().expect("its output is a pipe");
        Self { process, requests, answers: BufReader::new(answers).lines() }
    }

    fn block(&mut self, count: u32) -> Duration {
        let requests = self.requests.as_mut().expect("open until this is dropped");
        writeln!(requests, "{count}").expect("python3 takes a request");
        let answer = self.answers.next().expect("python3 answers").expect("it is text");
        Duration::from_secs_f64(answer.parse().expect("the answer is a time"))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // Ends at the end of its input, and takes its daemons along.
        self.requests = None;
        let _ = self.process.wait();
    }
}
