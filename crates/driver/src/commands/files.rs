//! The files of a comparison of two builds: theirs, and those that tell of it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    error::Error,
    trackers::{self, Figure},
};

/// What they say.
pub(super) struct Files {
    /// Everything, and the file's name.
    pub(super) json: (&'static str, Value),
    /// Markdown.
    pub(super) summary: String,
    /// Lines that GitHub shows at the change.
    pub(super) annotations: String,
    /// For trackers of benchmarks.
    pub(super) figures: Vec<Figure>,
}

impl Files {
    /// Writes them to `folder`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// If that is not possible.
    pub(super) fn write(self, folder: &Path) -> Result<(), Error> {
        let refused = |cause| Error::System {
            what: format!("cannot write to `{}`", folder.display()),
            cause,
            help: "choose a folder that can be written to with `--out`",
        };
        fs::create_dir_all(folder).map_err(refused)?;
        let json = |value: Value| format!("{value:#}\n");
        let github = trackers::github_action_benchmark(&self.figures);
        let files = [
            (self.json.0, json(self.json.1)),
            ("summary.md", self.summary),
            ("annotations.txt", self.annotations),
            ("bencher.json", json(trackers::bencher(&self.figures))),
            ("github-action-benchmark.json", json(github)),
        ];
        files
            .iter()
            .try_for_each(|(name, text)| fs::write(folder.join(name), text))
            .map_err(refused)
    }
}

/// The driver that `path` names, as the value of `flag`.
///
/// # Errors
///
/// If there is nothing.
pub(super) fn driver_at(path: &Path, flag: &str) -> Result<PathBuf, Error> {
    path.canonicalize().map_err(|cause| {
        Error::Argument(format!(
            "`{flag} {}`: {cause}\nhelp: name a driver, e.g. `target/release/driver`",
            path.display()
        ))
    })
}
