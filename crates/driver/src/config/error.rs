//! Where a config is wrong, and what would be right.

use std::fmt;

/// A config or a flag that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}{problem}\nhelp: {help}")]
pub(crate) struct ConfigError {
    /// `file:line: `, or empty for a flag.
    place: String,
    /// Key, value and what is wrong with it.
    problem: String,
    /// What is allowed.
    help: String,
}

impl ConfigError {
    /// An error at `line` (from 1) of `file`.
    pub(super) fn at(
        file: &str,
        line: usize,
        problem: impl fmt::Display,
        help: impl fmt::Display,
    ) -> Self {
        Self {
            place: format!("{file}:{line}: "),
            problem: problem.to_string(),
            help: help.to_string(),
        }
    }

    /// An error in the config `file` as a whole.
    pub(super) fn in_file(file: &str, problem: impl fmt::Display, help: impl fmt::Display) -> Self {
        Self { place: format!("{file}: "), problem: problem.to_string(), help: help.to_string() }
    }

    /// An error in a flag.
    pub(crate) fn flag(problem: impl fmt::Display, help: impl fmt::Display) -> Self {
        Self { place: String::new(), problem: problem.to_string(), help: help.to_string() }
    }
}
