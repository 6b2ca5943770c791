//! Waiting until something can be done with a descriptor.

use std::{
    os::fd::AsFd,
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags};

use crate::{Error, Result, polling};

/// Waits until at least one of `handles` is ready, for at most `timeout`
/// (`None`: for ever); the indices of all that are, in ascending order.
///
/// A receiving end is ready when a message has arrived or nobody is left at
/// the other end, the sentinel of a process when the process has ended, and
/// anything else with a descriptor when it can be read. The list is empty if
/// the time is over, or if there was nothing to wait for.
///
/// # Errors
///
/// [`Error::System`] if the operating system refuses, for instance because
/// there are more handles than this process may have files open.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let (first, to_first) = multiproc::one_way_pipe()?;
/// let (second, to_second) = multiproc::one_way_pipe()?;
/// to_second.send("hello")?;
/// assert_eq!(multiproc::wait([&first, &second], None)?, [1]);
///
/// drop(to_first);
/// let soon = Some(Duration::from_millis(10));
/// assert_eq!(multiproc::wait([&first, &second], soon)?, [0, 1]);
/// # Ok::<(), multiproc::Error>(())
/// ```
pub fn wait<I>(handles: I, timeout: Option<Duration>) -> Result<Vec<usize>>
where
    I: IntoIterator<Item: AsFd>,
{
    let handles: Vec<_> = handles.into_iter().collect();
    if handles.is_empty() && timeout.is_none() {
        return Ok(Vec::new());
    }
    let mut fds: Vec<PollFd<'_>> =
        handles.iter().map(|handle| PollFd::new(handle.as_fd(), PollFlags::POLLIN)).collect();
    poll_until(&mut fds, timeout.and_then(deadline))?;
    Ok((0..fds.len()).filter(|&index| fds[index].any() != Some(false)).collect())
}

/// When `timeout` is over; `None` is never.
pub(super) use crate::polling::deadline;

/// Waits until one of the descriptors is ready or `deadline` has passed;
/// whether one is.
pub(super) fn poll_until(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> Result<bool> {
    polling::poll_until(fds, deadline).map_err(Error::errno("wait for a descriptor"))
}
