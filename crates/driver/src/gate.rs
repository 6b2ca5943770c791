//! What a comparison of two builds comes to, for who decides by it.

use crate::outcome::End;

/// What a whole comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing is worse than base by more than the margin.
    Pass,
    /// Something is.
    Regression,
    /// Neither is shown.
    Inconclusive,
    /// Something that must be measured could not be.
    Broken,
}

impl Outcome {
    /// The name in what programs read.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Regression => "regression",
            Self::Inconclusive => "inconclusive",
            Self::Broken => "broken",
        }
    }

    /// How the command ends that has compared.
    pub(crate) const fn end(self) -> End {
        match self {
            Self::Pass => End::Complete,
            Self::Regression => End::SomeFailed,
            Self::Inconclusive => End::Inconclusive,
            Self::Broken => End::Usage,
        }
    }
}
