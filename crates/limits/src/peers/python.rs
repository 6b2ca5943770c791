//! CPython's `multiprocessing`: one long-lived `python3` a figure, which times
//! itself.

use std::{io, process::Command};

use serde::{Deserialize, Serialize};

use super::asked::Asked;
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
pub(crate) struct Python(Asked);

impl Python {
    /// # Errors
    ///
    /// If there is none.
    pub(crate) fn start(terms: &Terms) -> Result<Self> {
        let script = terms
            .python_script
            .as_ref()
            .ok_or_else(|| Trouble::lacking("no script for python3"))?;
        match Asked::start(Command::new("python3").arg(script)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Trouble::lacking("no python3"))
            }
            started => Ok(Self(started?)),
        }
    }

    /// The seconds that it took.
    pub(crate) fn ask(&mut self, ask: Ask) -> Result<f64> {
        let request = serde_json::to_string(&ask).map_err(io::Error::from)?;
        let answer: Answer =
            serde_json::from_str(&self.0.ask(&request)?).map_err(io::Error::from)?;
        Ok(answer.seconds)
    }
}
