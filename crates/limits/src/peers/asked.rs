//! A program that answers lines with lines.

use std::{
    io::{self, BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use crate::trouble::{Result, Trouble};

/// It runs until this is dropped.
pub(super) struct Asked {
    process: Child,
    requests: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Asked {
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let requests = process.stdin.take();
        let answers = process.stdout.take().ok_or_else(|| io::Error::other("a pipe is missing"))?;
        Ok(Self { process, requests, answers: BufReader::new(answers).lines() })
    }

    /// Its answer to a line.
    pub(super) fn ask(&mut self, line: &str) -> Result<String> {
        if let Some(requests) = &mut self.requests {
            writeln!(requests, "{line}")?;
        }
        let ended = || Trouble::lacking("the program that was asked has ended");
        Ok(self.answers.next().ok_or_else(ended)??)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // It ends with its input, and takes its pools along.
        self.requests = None;
        let _ = self.process.wait();
    }
}
