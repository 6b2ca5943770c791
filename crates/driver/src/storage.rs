//! The folder that a sweep owns, and the journal in it.
//!
//! Killed at any instant, a sweep loses at most the round in progress:
//! records are appended a round at a time, and every other file is replaced
//! as a whole.

mod discovery;
mod folder;
mod journal;

use std::{io, path::Path};

pub(crate) use discovery::{has_records, sweep_folders};
pub(crate) use folder::{Folder, fresh_path, point_latest};
pub(crate) use journal::Journal;

/// The folder cannot be used: what is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct StorageError(String);

impl StorageError {
    fn new(problem: String, help: &str) -> Self {
        Self(format!("{problem}\nhelp: {help}"))
    }

    fn writing(path: &Path, cause: io::Error) -> Self {
        let help =
            "check the free space and your permissions, or choose another folder with `--out`";
        Self::new(format!("cannot write `{}`: {cause}", path.display()), help)
    }

    /// Nothing can be added to `path`, which has so many rounds of the sweep in `folder`.
    fn interrupting(path: &Path, cause: io::Error, rounds: usize, folder: &Path) -> Self {
        let folder = folder.display();
        let help = format!(
            "{rounds} rounds are saved; make room, then `driver sweep --resume {folder}` goes on"
        );
        Self::new(format!("cannot write `{}`: {cause}", path.display()), &help)
    }

    fn reading(path: &Path, cause: io::Error) -> Self {
        let help = "name a folder that `driver sweep` wrote, e.g. `reports/latest`";
        Self::new(format!("cannot read `{}`: {cause}", path.display()), help)
    }

    /// A file of the folder is there, and not what it was.
    pub(crate) fn damaged(path: &Path, cause: serde_json::Error) -> Self {
        Self::reading(path, cause.into())
    }
}
