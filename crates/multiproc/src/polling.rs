//! Sleeping until a descriptor is ready or a time is over.

use std::{
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

/// When `timeout` is over; `None`, which is never, for a time that no clock can
/// show.
pub(crate) fn deadline(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

/// Sleeps until one of the descriptors is ready or `deadline` has passed;
/// whether one is. Signals do not cut it short.
pub(crate) fn poll_until(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> nix::Result<bool> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match poll(fds, left.map_or(PollTimeout::NONE, poll_timeout)) {
            // A time-out of poll(2) cannot be longer than 24 days.
            Ok(0) if left.is_none_or(|left| !left.is_zero()) => {}
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// The same for one descriptor, to be read from.
pub(crate) fn is_readable_by(fd: BorrowedFd<'_>, deadline: Option<Instant>) -> nix::Result<bool> {
    poll_until(&mut [PollFd::new(fd, PollFlags::POLLIN)], deadline)
}

/// Rounds up, so that a short timeout does not become a busy loop.
pub(crate) fn poll_timeout(timeout: Duration) -> PollTimeout {
    let ms = timeout.as_nanos().div_ceil(1_000_000);
    i32::try_from(ms).ok().and_then(|ms| PollTimeout::try_from(ms).ok()).unwrap_or(PollTimeout::MAX)
}
