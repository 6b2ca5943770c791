//! Starting processes, and what a parent holds of them.

mod affinity;
mod biography;
mod birth;
mod child;
mod current;
mod dialogue;
mod ending;
mod exec;
mod fork;
mod forkserver;
mod handle;
mod identity;
mod launcher;
mod line;
mod parent_death;
mod registry;
mod supervised;
mod target;

use std::os::{fd::OwnedFd, unix::net::UnixStream};

pub(crate) use biography::Biography;
pub(crate) use birth::Birth;
pub use child::{Child, ExitStatus};
pub use current::{CurrentProcess, ParentProcess, current_process, parent_process};
pub(crate) use ending::{leave, take_over_exit};
pub(crate) use exec::{CHILD_VARIABLE, Doorway};
pub use handle::Process;
pub(crate) use identity::{Identity, this_process};
pub(crate) use line::say_begun;
pub(crate) use parent_death::die_with_parent;
pub use registry::{ActiveChild, active_children};
pub(crate) use supervised::{LAST_BREATH, keep_exit_statuses, poll_timeout};

use crate::{EntryPoint, Error, Result, StartMethod, bootstrap};
use line::Line;
use supervised::Supervised;

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
/// [`Error::ForkWithThreads`] for [`StartMethod::Fork`] in a process with
/// several threads, [`Error::InitNotReached`] if this process was to begin in
/// [`init`](crate::init) and has not come there, or [`Error::Start`] if the
/// operating system refuses.
pub fn start(
    method: StartMethod,
    name: &str,
    entry: EntryPoint,
    inheritance: Inheritance,
) -> Result<Child> {
    let biography = Biography::of_child(name, method);
    let (process, line) = launch(method, biography, entry, inheritance, false)?;
    Ok(Child::new(process, line))
}

/// The same on a line: the child finds its end of it as the last of its
/// descriptors.
fn start_on_line(
    method: StartMethod,
    biography: Biography,
    entry: EntryPoint,
    mut inheritance: Inheritance,
) -> Result<(Supervised, Line)> {
    if method == StartMethod::Spawn {
        let (process, line) = launch(method, biography, entry, inheritance, true)?;
        return Ok((process, line.expect("an executed child has a line")));
    }
    let (ours, theirs) = UnixStream::pair().map_err(|source| Error::Start { method, source })?;
    let line = Line::new(ours);
    inheritance.descriptors.push(theirs.into());
    let (process, _) = launch(method, biography, entry, inheritance, false)?;
    Ok((process, line))
}

fn launch(
    method: StartMethod,
    biography: Biography,
    entry: EntryPoint,
    inheritance: Inheritance,
    keeps_line: bool,
) -> Result<(Supervised, Option<Line>)> {
    if bootstrap::awaits_init() {
        return Err(Error::InitNotReached);
    }
    keep_exit_statuses();
    let (process, line) = match method {
        StartMethod::Spawn => {
            let started = exec::start(biography, entry, inheritance, keeps_line);
            let (process, line) = started.map_err(|source| Error::Start { method, source })?;
            (process, Some(line))
        }
        StartMethod::Fork => (fork::start(biography, entry, inheritance)?, None),
        StartMethod::ForkServer => (forkserver::start(biography, entry, inheritance)?, None),
    };
    let (name, pid) = (process.name(), process.pid());
    tracing::debug!(target: "multiproc", name, pid, %method, "process started");
    Ok((process, line))
}
