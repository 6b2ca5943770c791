//! A lock between processes.

use std::{
    fmt,
    marker::PhantomData,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    AcquireError, OwnerDied,
    lock_id::{LockId, SharedLockId},
    mutex::{Acquired, RobustMutex},
    suspend::{Suspend, Suspended},
};
use crate::{
    Result,
    memory::{Placed, SharedLayout},
};

/// Mutual exclusion between all threads of all processes that have a handle.
///
/// Clones are the same lock, and so is what another process gets that a handle
/// is given to or sent to. It belongs to the thread that has acquired it and is
/// given back when the guard is dropped, so it cannot be released too often or
/// by somebody else. If its owner dies, the next taker gets the lock and is
/// told ([`OwnerDied`]).
///
/// A thread that acquires it twice waits for itself for ever, as in Python;
/// [`RLock`](super::RLock) is made for that.
///
/// ```
/// use multiproc::{Lock, Process};
///
/// fn work(lock: Lock) {
///     let _guard = lock.acquire().expect("nobody died");
///     println!("one process at a time writes this");
/// }
///
/// let lock = Lock::new()?;
/// let mut process = Process::new(work, lock.clone());
/// process.start()?;
/// let guard = lock.acquire()?;
/// drop(guard);
/// process.join()?;
/// # Ok::<(), multiproc::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct Lock {
    state: Placed<LockState>,
}

#[repr(C)]
struct LockState {
    mutex: RobustMutex,
    id: SharedLockId,
}

// SAFETY: a mutex that is made to be shared between processes, and an atomic.
unsafe impl SharedLayout for LockState {
    const KIND: &'static str = "lock";

    fn is_held_here(&self) -> bool {
        self.mutex.is_held_here()
    }
}

impl Lock {
    /// A lock that nobody has.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](crate::Error::Memory) if there is no memory or no descriptor for it.
    pub fn new() -> Result<Self> {
        let state = Placed::new(0, |state: &LockState| {
            state.id.initialise()?;
            // SAFETY: nobody else sees the mutex yet.
            unsafe { state.mutex.initialise(false) }
        })?;
        Ok(Self { state })
    }

    /// Waits until nobody else has it, and takes it.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`], which holds the guard, if its last owner ended without
    /// giving it back.
    #[inline]
    pub fn acquire(&self) -> Result<LockGuard<'_>, OwnerDied<LockGuard<'_>>> {
        self.guard(self.state.mutex.lock())
    }

    /// Takes it if nobody else has it.
    ///
    /// # Errors
    ///
    /// [`AcquireError::WouldBlock`] if somebody has it, and
    /// [`AcquireError::OwnerDied`], which holds the guard.
    #[inline]
    pub fn try_acquire(&self) -> Result<LockGuard<'_>, AcquireError<LockGuard<'_>>> {
        let acquired = self.state.mutex.try_lock().ok_or(AcquireError::WouldBlock)?;
        Ok(self.guard(acquired)?)
    }

    /// Waits until nobody else has it, but not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`AcquireError::TimedOut`], and [`AcquireError::OwnerDied`], which
    /// holds the guard.
    pub fn acquire_timeout(
        &self,
        timeout: Duration,
    ) -> Result<LockGuard<'_>, AcquireError<LockGuard<'_>>> {
        let deadline = Instant::now().checked_add(timeout);
        let acquired = self.state.mutex.lock_until(deadline).ok_or(AcquireError::TimedOut)?;
        Ok(self.guard(acquired)?)
    }

    #[inline]
    fn guard(&self, acquired: Acquired) -> Result<LockGuard<'_>, OwnerDied<LockGuard<'_>>> {
        guard(&self.state, acquired)
    }

    pub(super) fn id(&self) -> LockId {
        self.state.id.get()
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("holder", &self.state.mutex.holder()).finish()
    }
}

/// Has a [`Lock`] until it is dropped.
///
/// Invariant: the thread that it is in has taken the mutex.
#[must_use = "the lock is given back when this is dropped"]
pub struct LockGuard<'a> {
    state: &'a LockState,
    /// Not `Send`: the mutex must be unlocked by the thread that has it.
    belongs_to_thread: PhantomData<*const ()>,
}

/// The guard of a mutex that this thread has just `acquired`.
#[inline]
fn guard(state: &LockState, acquired: Acquired) -> Result<LockGuard<'_>, OwnerDied<LockGuard<'_>>> {
    let guard = LockGuard { state, belongs_to_thread: PhantomData };
    match acquired {
        Acquired::Cleanly => Ok(guard),
        Acquired::AfterDeathOf(pid) => Err(OwnerDied::of_lock(LockState::KIND, pid, guard)),
    }
}

impl<'a> Suspend for LockGuard<'a> {
    type Suspended = SuspendedLock<'a>;

    fn lock_id(&self) -> LockId {
        self.state.id.get()
    }

    fn suspend(self) -> SuspendedLock<'a> {
        SuspendedLock { state: self.state }
    }
}

/// A [`LockGuard`] that was dropped and will be there again.
pub(super) struct SuspendedLock<'a> {
    state: &'a LockState,
}

impl<'a> Suspended for SuspendedLock<'a> {
    type Guard = LockGuard<'a>;

    fn mutex(&self) -> &RobustMutex {
        &self.state.mutex
    }

    fn resume(self, taken: Option<Acquired>) -> Result<LockGuard<'a>, OwnerDied<LockGuard<'a>>> {
        guard(self.state, taken.unwrap_or_else(|| self.state.mutex.lock()))
    }
}

impl Drop for LockGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this thread has the mutex (invariant), and gives it back once.
        unsafe { self.state.mutex.unlock() };
    }
}

impl fmt::Debug for LockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockGuard")
    }
}
