//! The files by which a comparison is told to programs.

use std::{fs, path::Path};

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
