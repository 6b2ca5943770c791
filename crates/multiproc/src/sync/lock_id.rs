//! Which lock is which, in whatever process and through whatever mapping.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nix::errno::Errno;

use crate::{Error, Result};

/// A number that no other lock has: one in 2⁶⁴, by chance. A count would need
/// a place that all processes share; what the kernel knows the memory by would
/// take a system call each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockId(u64);

/// A [`LockId`] in shared memory.
#[repr(C)]
pub(super) struct SharedLockId(AtomicU64);

impl SharedLockId {
    /// Draws a number, before anybody else can see the lock.
    pub(super) fn initialise(&self) -> Result<()> {
        let mut number = [0; size_of::<u64>()];
        // SAFETY: the kernel writes at most so many bytes to where there is room for them.
        let drawn = unsafe { libc::getrandom(number.as_mut_ptr().cast(), number.len(), 0) };
        if drawn != number.len() as isize {
            // So few bytes come at once or not at all.
            return Err(Error::errno("name a lock")(Errno::last()));
        }
        self.0.store(u64::from_ne_bytes(number), Relaxed);
        Ok(())
    }

    #[inline]
    pub(super) fn get(&self) -> LockId {
        // Written before anybody else had the memory.
        LockId(self.0.load(Relaxed))
    }
}
