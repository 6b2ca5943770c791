//! Another build of the pools: a program that says what a task costs.

use std::{path::Path, process::Command};

use super::asked::Asked;
use crate::trouble::{Result, Trouble};

/// It runs until this is dropped.
pub(crate) struct Sampler(Asked);

impl Sampler {
    pub(crate) fn start(program: &Path) -> Result<Self> {
        Ok(Self(Asked::start(&mut Command::new(program))?))
    }

    /// The nanoseconds that a task costs this `way`.
    pub(crate) fn ask(&mut self, way: &str) -> Result<f64> {
        let answer = self.0.ask(way)?;
        answer.parse().map_err(|_| Trouble::lacking(format!("it said `{answer}`")))
    }
}
