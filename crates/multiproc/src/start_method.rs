//! How a child process comes into being.

use std::{fmt, str::FromStr};

/// How a child process comes into being.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StartMethod {
    /// The executable is started afresh: works from anywhere, shares nothing
    /// that was not handed over.
    Spawn,
    /// The parent is copied, memory and all: quickest, but only while the
    /// parent runs a single thread.
    Fork,
    /// A small single-threaded server, started afresh on first use, is
    /// copied: works from anywhere and costs little more than `Fork`.
    #[default]
    ForkServer,
}

impl StartMethod {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Spawn, Self::Fork, Self::ForkServer];

    /// Python's name for it: `spawn`, `fork` or `forkserver`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spawn => "spawn",
            Self::Fork => "fork",
            Self::ForkServer => "forkserver",
        }
    }
}

impl fmt::Display for StartMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The name is not that of a start method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown start method `{0}`\nhelp: use spawn, fork or forkserver")]
pub struct UnknownStartMethod(String);

impl FromStr for StartMethod {
    type Err = UnknownStartMethod;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|method| method.name() == name)
            .ok_or_else(|| UnknownStartMethod(name.to_owned()))
    }
}
