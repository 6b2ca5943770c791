//! The files of a comparison of two builds: theirs, and those that tell of it.

use std::{
    fmt, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    error::Error,
    trackers::{self, Figure},
};

/// The bits of a file's mode by which anybody may execute it. Whether this user may, the
/// kernel says when it is started.
const ANYBODY_EXECUTES: u32 = 0o111;

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
/// If there is nothing that could be executed.
pub(super) fn driver_at(path: &Path, flag: &str) -> Result<PathBuf, Error> {
    let refused = |why: &dyn fmt::Display| {
        Error::Argument(format!(
            "`{flag} {}`: {why}\nhelp: name a driver, e.g. `target/release/driver`",
            path.display()
        ))
    };
    let path = path.canonicalize().map_err(|cause| refused(&cause))?;
    let facts = path.metadata().map_err(|cause| refused(&cause))?;
    match (facts.is_file(), facts.permissions().mode() & ANYBODY_EXECUTES) {
        (false, _) => Err(refused(&"it is no file")),
        (true, 0) => Err(refused(&"it cannot be executed")),
        _ => Ok(path),
    }
}
