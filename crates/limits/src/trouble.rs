//! Why there is no measurement.

use std::io;

/// Ends the measurement of one figure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// The machine or the build lacks something.
    #[error("{0}")]
    Lacking(String),
    /// Somebody's answer is not the right one.
    #[error("{0}")]
    WrongAnswer(String),
    /// A pool or a process failed.
    #[error("{0}")]
    Process(#[from] multiproc::Error),
    /// The system refused something.
    #[error("{0}")]
    System(#[from] io::Error),
    /// A peer cannot be set up.
    #[error("rayon: {0}")]
    Rayon(#[from] rayon::ThreadPoolBuildError),
    /// `/proc` cannot be read.
    #[error("{0}")]
    Proc(#[from] procfs::ProcError),
}

/// A measurement, or why there is none.
pub(crate) type Result<T> = std::result::Result<T, Trouble>;

impl Trouble {
    pub(crate) fn lacking(what: impl Into<String>) -> Self {
        Self::Lacking(what.into())
    }
}

impl From<nix::Error> for Trouble {
    fn from(error: nix::Error) -> Self {
        Self::System(error.into())
    }
}
