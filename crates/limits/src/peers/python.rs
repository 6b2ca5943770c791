//! CPython's `multiprocessing`: one long-lived `python3` a figure, which times
//! itself.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde::{Deserialize, Serialize};

use crate::{
    stage::Terms,
    trouble::{Result, Trouble},
};

/// What it runs. A file, since its child processes import it.
pub const SCRIPT: &str = include_str!("../../../../scripts/limits_python.py");

/// What it is asked for.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub(crate) enum Ask {
    /// So many trivial tasks, one by one, on a pool of two that lives on.
    Map { tasks: usize },
    /// A pool of two up, and a first map done.
    StartUp { method: &'static str },
    /// So many bytes to another process that answers when it has them.
    Payload { bytes: usize },
}

/// Its answer.
#[derive(Debug, Deserialize)]
struct Answer {
    seconds: f64,
}

/// A `python3`, until this is dropped.
pub(crate) struct Python {
    process: Child,
    requests: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Python {
    /// # Errors
    ///
    /// If there is none.
    pub(crate) fn start(terms: &Terms) -> Result<Self> {
        let script = terms
            .python_script
            .as_ref()
            .ok_or_else(|| Trouble::lacking("no script for python3"))?;
        let started = Command::new("python3")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut process = match started {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Trouble::lacking("no python3"));
            }
            started => started?,
        };
        let requests = process.stdin.take();
        let answers = process.stdout.take().ok_or_else(|| Trouble::lacking("no python3"))?;
        Ok(Self { process, requests, answers: BufReader::new(answers).lines() })
    }

    /// The seconds that it took.
    pub(crate) fn ask(&mut self, ask: Ask) -> Result<f64> {
        let request = serde_json::to_string(&ask).map_err(std::io::Error::from)?;
        if let Some(requests) = &mut self.requests {
            writeln!(requests, "{request}")?;
        }
        let line = self.answers.next().ok_or_else(|| Trouble::lacking("python3 has ended"))??;
        let answer: Answer = serde_json::from_str(&line).map_err(std::io::Error::from)?;
        Ok(answer.seconds)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It ends with its input, and takes its pools along.
        self.requests = None;
        let _ = self.process.wait();
    }
}
