//! Starting processes, and what a parent holds of them.

mod birth;
mod child;
mod exec;
mod fork;
mod forkserver;
mod handle;
mod identity;
mod launcher;
mod parent_death;

use std::os::fd::OwnedFd;

pub(crate) use birth::Birth;
pub use child::{Child, ExitStatus};
pub(crate) use child::{LAST_BREATH, poll_timeout};
pub(crate) use exec::{CHILD_VARIABLE, Doorway};
pub use handle::Process;
pub(crate) use identity::{Identity, forget_this_process, this_process};
pub(crate) use parent_death::die_with_parent;

use crate::{EntryPoint, Result, StartMethod};

/// What a child process gets from its parent.
#[derive(Debug, Default)]
pub struct Inheritance {
    /// Bytes of the caller's choice.
    pub payload: Vec<u8>,
    /// Open descriptors, at most 253; the child gets copies, close-on-exec.
    pub descriptors: Vec<OwnedFd>,
}

/// Starts a process that runs `entry` and then ends.
///
/// `name` is what `ps` and `top` show, cut to 15 bytes. If this process ends,
/// however it ends, the child is killed.
///
/// # Errors
///
/// [`Error::ForkWithThreads`](crate::Error::ForkWithThreads) for
/// [`StartMethod::Fork`] in a process with several threads, or
/// [`Error::Start`](crate::Error::Start) if the operating system refuses.
pub fn start(
    method: StartMethod,
    name: &str,
    entry: EntryPoint,
    inheritance: Inheritance,
) -> Result<Child> {
    match method {
        StartMethod::Spawn => exec::start(name, entry, inheritance),
        StartMethod::Fork => fork::start(name, entry, inheritance),
        StartMethod::ForkServer => forkserver::start(name, entry, inheritance),
    }
}
