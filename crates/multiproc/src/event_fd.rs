//! A descriptor to sleep on: an eventfd.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::eventfd::{self, EfdFlags};

use crate::{Error, Result};

/// Wakes a sleeper in another process through a descriptor, so that it can
/// sleep on several things at once.
#[derive(Debug)]
pub struct EventFd {
    descriptor: OwnedFd,
}

impl EventFd {
    /// A new event, not set.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left.
    pub fn new() -> Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let event = eventfd::EventFd::from_value_and_flags(0, flags)
            .map_err(Error::errno("create an event"))?;
        Ok(Self { descriptor: event.into() })
    }

    /// The event behind an inherited descriptor.
    pub(crate) fn from_descriptor(descriptor: OwnedFd) -> Self {
        Self { descriptor }
    }

    /// Sets it: whoever sleeps on it wakes up.
    pub fn set(&self) {
        // The only possible failure is a counter at 2⁶⁴ − 2, which is set all the same.
        let _ = nix::unistd::write(&self.descriptor, &1u64.to_ne_bytes());
    }

    /// Unsets it.
    pub fn clear(&self) {
        // Fails if it is not set, which is what is wanted.
        let _ = nix::unistd::read(&self.descriptor, &mut [0; 8]);
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
