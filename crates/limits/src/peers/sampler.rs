//! Another build of the pools: a program that says what a task costs.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use crate::trouble::{Result, Trouble};

/// It runs until this is dropped.
pub(crate) struct Sampler {
    process: Child,
    requests: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Sampler {
    pub(crate) fn start(program: &Path) -> Result<Self> {
        let mut process =
            Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let requests = process.stdin.take();
        let answers = process.stdout.take().ok_or_else(ended)?;
        Ok(Self { process, requests, answers: BufReader::new(answers).lines() })
    }

    /// The nanoseconds that a task costs this `way`.
    pub(crate) fn ask(&mut self, way: &str) -> Result<f64> {
        if let Some(requests) = &mut self.requests {
            writeln!(requests, "{way}")?;
        }
        let line = self.answers.next().ok_or_else(ended)??;
        line.parse().map_err(|_| Trouble::lacking(format!("it said `{line}`")))
    }
}

fn ended() -> Trouble {
    Trouble::lacking("the program that says what a task costs has ended")
}

impl Drop for Sampler {
    fn drop(&mut self) {
        // It ends with its input, and its pools with it.
        self.requests = None;
        let _ = self.process.wait();
    }
}
