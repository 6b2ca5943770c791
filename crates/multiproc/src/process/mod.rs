//! Starting processes, and what a parent holds of them.

mod affinity;
mod biography;
mod birth;
mod child;
mod current;
mod ending;
mod exec;
mod fork;
mod forkserver;
mod handle;
mod identity;
mod interrupts;
mod launcher;
mod line;
mod newborn;
mod parent_death;
mod registry;
mod sibling;
mod starter;
mod supervised;
mod target;

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    time::Duration,
};

pub(crate) use affinity::{pin, step_aside};
pub(crate) use biography::Biography;
pub(crate) use birth::Birth;
pub use child::{Child, ExitStatus};
pub use current::{CurrentProcess, ParentProcess, current_process, parent_process};
pub(crate) use ending::{leave, take_over_exit};
pub(crate) use exec::{CHILD_VARIABLE, Doorway};
pub(crate) use fork::await_end_of_thread;
pub use handle::Process;
use identity::forget_this_process;
pub(crate) use identity::{Identity, this_process};
pub(crate) use interrupts::leave_interrupts_to_the_parent;
pub(crate) use line::say_begun;
pub(crate) use parent_death::die_with_parent;
pub use registry::{ActiveChild, active_children};
pub(crate) use starter::Starter;
pub(crate) use supervised::{LAST_BREATH, keep_exit_statuses};

use crate::{EntryPoint, Error, Result, StartMethod, bootstrap};
use line::Line;
use supervised::Supervised;

/// Far longer than the first lines of any `main` take.
const BEGINS_WITHIN: Duration = Duration::from_secs(30);

/// How long a process that was told to end may take before it is killed. It
/// has nothing to do then and needs microseconds; a machine that is this busy
/// is beyond order.
pub const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

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
    let order = Order { biography, entry, inheritance, has_line: false, patience: BEGINS_WITHIN };
    launch(method, order).map(Child::new)
}

/// What is to be started.
struct Order {
    biography: Biography,
    entry: EntryPoint,
    inheritance: Inheritance,
    /// The child is to find its end of a [`Line`] as the last of its descriptors.
    has_line: bool,
    /// How long an executed process may take to begin.
    patience: Duration,
}

fn launch(method: StartMethod, order: Order) -> Result<Supervised> {
    if bootstrap::awaits_init() {
        return Err(Error::InitNotReached);
    }
    keep_exit_statuses();
    let process = match method {
        StartMethod::Spawn => exec::start(order),
        StartMethod::Fork => fork::start(order),
        StartMethod::ForkServer => forkserver::start(order),
    }?;
    let (name, pid) = (process.name(), process.pid());
    tracing::debug!(target: "multiproc", name, pid, %method, "process started");
    Ok(process)
}

/// A line for what is to be forked, if it is to have one.
fn make_line(order: &mut Order) -> io::Result<Option<Line>> {
    if !order.has_line {
        return Ok(None);
    }
    let (ours, theirs) = UnixStream::pair()?;
    order.inheritance.descriptors.push(theirs.into());
    Ok(Some(Line::new(ours)))
}
