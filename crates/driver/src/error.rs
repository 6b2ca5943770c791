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
        let help = "free some space, or send standard output elsewhere";
        Self::System { what: "cannot write to standard output".to_owned(), cause, help }
    }

    /// Standard output could not be written; what it was to say is drawn from `folder`.
    pub(crate) fn output_of(folder: &Path, cause: io::Error) -> Self {
        let what =
            format!("the report is in `{}`, but cannot be printed as well", folder.display());
        let help = "send standard output elsewhere; `driver report DIR` prints the tables again";
        Self::System { what, cause, help }
    }

    /// A file could not be read.
    pub(crate) fn reading(path: &Path, cause: io::Error) -> Self {
        let help = "name an existing, readable file, or a shipped config (see `driver list`)";
        Self::System { what: format!("cannot read `{}`", path.display()), cause, help }
    }
}
