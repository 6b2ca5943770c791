//! Texts of `/proc` and `/sys`, from this machine or from a test.

use std::fs;

/// Where the texts come from.
pub(crate) trait Files {
    /// The whole text of the file at `path`, or `None` if it cannot be read.
    fn text(&self, path: &str) -> Option<String>;

    /// Its first line, trimmed; `None` for an empty one too.
    fn line(&self, path: &str) -> Option<String> {
        let text = self.text(path)?;
        let line = text.lines().next()?.trim();
        (!line.is_empty()).then(|| line.to_owned())
    }

    /// Its first line as a number.
    fn number(&self, path: &str) -> Option<f64> {
        self.line(path)?.parse().ok()
    }
}

/// The machine that this process runs on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine;

impl Files for Machine {
    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(path).ok()
    }
}

/// Another machine, made up by a test: paths and texts.
#[cfg(test)]
impl Files for &[(&str, &str)] {
    fn text(&self, path: &str) -> Option<String> {
        let (_, text) = self.iter().find(|(known, _)| *known == path)?;
        Some((*text).to_owned())
    }
}
