//! How a child process comes into being.

use std::{
    fmt,
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How a child process comes into being.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

    fn from_str(name: &str) -> Result<Self, UnknownStartMethod> {
        Self::ALL
            .into_iter()
            .find(|method| method.name() == name)
            .ok_or_else(|| UnknownStartMethod(name.to_owned()))
    }
}

/// `None` until it is settled, by being set or used.
static DEFAULT: Mutex<Option<StartMethod>> = Mutex::new(None);

/// How processes are started for which nothing else is said.
///
/// [`StartMethod::ForkServer`] unless [set](set_start_method) otherwise; in a
/// child, the method that it was started by.
#[must_use]
pub fn default_start_method() -> StartMethod {
    DEFAULT.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or_default()
}

/// Sets how processes are started for which nothing else is said: once, and
/// before the first of them is started. To start one in another way, say so
/// with [`Process::start_method`](crate::Process::start_method) or a
/// [`Context`](crate::Context).
///
/// # Errors
///
/// [`Error::StartMethodSet`] if it is too late. In a child it always is.
pub fn set_start_method(start_method: StartMethod) -> Result<()> {
    let mut default = DEFAULT.lock().unwrap_or_else(PoisonError::into_inner);
    match *default {
        Some(is) => Err(Error::StartMethodSet { is }),
        None => {
            *default = Some(start_method);
            Ok(())
        }
    }
}

/// The default, which cannot be set any more.
pub(crate) fn settle_default() -> StartMethod {
    *DEFAULT.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default()
}

/// For a child that begins to live.
pub(crate) fn inherit_default(start_method: Option<StartMethod>) {
    *DEFAULT.lock().unwrap_or_else(PoisonError::into_inner) = start_method;
}
