//! How a command ends, and the exit code that says so.

use std::process::ExitCode;

/// The documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Everything that was asked for was measured.
    Complete,
    /// Something failed; the rest was measured.
    SomeFailed,
    /// The machine is usable for measuring, with warnings.
    Warned,
    /// The command line, the config or the folder is not usable, or what two builds
    /// are compared by could not be measured.
    Usage,
    /// A duel or counts of instructions have shown neither that nothing has become
    /// worse nor that something has.
    Inconclusive,
    /// Interrupted by a signal; what was measured is saved.
    Interrupted,
}

impl End {
    /// The process's exit code; 130 is the shells' for SIGINT, 128 + 2.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::SomeFailed | Self::Warned => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::Interrupted => 130,
        }
    }

    /// [`Complete`](Self::Complete) unless something failed.
    pub(crate) const fn failed_if(failed: bool) -> Self {
        if failed { Self::SomeFailed } else { Self::Complete }
    }
}

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        Self::from(end.code())
    }
}
