//! What ends a command early. A failed measurement does not: it is recorded.

use std::{io, path::Path};

use crate::{config::ConfigError, storage::StorageError};

/// Ends the command with exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The config, or a flag that is checked against it.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The sweep's folder.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Something the operating system refused.
    #[error("{what}: {cause}\nhelp: {help}")]
    System {
        /// What was attempted.
        what: String,
        /// Why it failed.
        cause: io::Error,
        /// What to do.
        help: &'static str,
    },
    /// An argument that the command line's grammar cannot judge.
    #[error("{0}")]
    Argument(String),
}

impl Error {
    /// Standard output could not be written.
    pub(crate) fn output(cause: io::Error) -> Self {
        let help = "the results are in the report folder; `driver report DIR` prints them again";
        Self::System { what: "cannot write to standard output".to_owned(), cause, help }
    }

    /// A file could not be read.
    pub(crate) fn reading(path: &Path, cause: io::Error) -> Self {
        let help = "name an existing, readable file, or a shipped config (see `driver list`)";
        Self::System { what: format!("cannot read `{}`", path.display()), cause, help }
    }
}
