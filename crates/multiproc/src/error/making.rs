//! Errors from what the operating system says.

use std::io;

use super::Error;

impl Error {
    /// No room in this process for what somebody has sent.
    pub(crate) fn no_memory(bytes: usize) -> Self {
        Self::Memory { bytes, source: io::Error::from_raw_os_error(libc::ENOMEM) }
    }

    pub(crate) const fn from_dead_owner(pid: u32) -> Self {
        Self::OwnerDied { pid: pid as i32 }
    }

    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }

    /// The same for the error type of `nix`.
    pub(crate) fn errno(what: &'static str) -> impl FnOnce(nix::Error) -> Self {
        move |errno| Self::System { what, source: errno.into() }
    }
}
