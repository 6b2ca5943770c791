//! A lock that its owner can take again.

use std::{
    fmt,
    marker::PhantomData,
    mem::ManuallyDrop,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
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

/// A [`Lock`](super::Lock) that the thread which has it can take again; others
/// get it when all its guards are dropped.
///
/// ```
/// let lock = multiproc::RLock::new()?;
/// let outer = lock.acquire()?;
/// let inner = lock.acquire()?;
/// # Ok::<(), multiproc::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct RLock {
    state: Placed<RLockState>,
}

#[repr(C)]
struct RLockState {
    mutex: RobustMutex,
    /// How often its owner has taken it; written by the owner.
    depth: AtomicU32,
    id: SharedLockId,
}

// SAFETY: a mutex that is made to be shared between processes, and atomics.
unsafe impl SharedLayout for RLockState {
    const KIND: &'static str = "recursive lock";

    fn is_held_here(&self) -> bool {
        self.mutex.is_held_here()
    }
}

impl RLock {
    /// A lock that nobody has.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](crate::Error::Memory) if there is no memory or no descriptor for it.
    pub fn new() -> Result<Self> {
        let state = Placed::new(0, |state: &RLockState| {
            state.id.initialise()?;
            // SAFETY: nobody else sees the mutex yet.
            unsafe { state.mutex.initialise(true) }
        })?;
        Ok(Self { state })
    }

    /// Waits until no other thread has it, and takes it.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`], which holds the guard, if its last owner ended without
    /// giving it back.
    #[inline]
    pub fn acquire(&self) -> Result<RLockGuard<'_>, OwnerDied<RLockGuard<'_>>> {
        self.guard(self.state.mutex.lock())
    }

    /// Takes it if no other thread has it.
    ///
    /// # Errors
    ///
    /// [`AcquireError::WouldBlock`] if another has it, and
    /// [`AcquireError::OwnerDied`], which holds the guard.
    #[inline]
    pub fn try_acquire(&self) -> Result<RLockGuard<'_>, AcquireError<RLockGuard<'_>>> {
        Ok(self.guard(self.state.mutex.try_lock().ok_or(AcquireError::WouldBlock)?)?)
    }

    /// Waits until no other thread has it, but not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`AcquireError::TimedOut`], and [`AcquireError::OwnerDied`], which
    /// holds the guard.
    pub fn acquire_timeout(
        &self,
        timeout: Duration,
    ) -> Result<RLockGuard<'_>, AcquireError<RLockGuard<'_>>> {
        let deadline = Instant::now().checked_add(timeout);
        Ok(self.guard(self.state.mutex.lock_until(deadline).ok_or(AcquireError::TimedOut)?)?)
    }

    #[inline]
    fn guard(&self, acquired: Acquired) -> Result<RLockGuard<'_>, OwnerDied<RLockGuard<'_>>> {
        let before = match acquired {
            Acquired::Cleanly => self.state.depth.load(Relaxed),
            Acquired::AfterDeathOf(_) => 0,
        };
        guard(&self.state, acquired, before + 1)
    }

    pub(super) fn id(&self) -> LockId {
        self.state.id.get()
    }
}

impl fmt::Debug for RLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RLock").field("holder", &self.state.mutex.holder()).finish()
    }
}

/// Has an [`RLock`] until it is dropped.
///
/// Invariant: the thread that it is in has taken the mutex, at least once for
/// each of its guards.
#[must_use = "the lock is given back when this is dropped"]
pub struct RLockGuard<'a> {
    state: &'a RLockState,
    /// Not `Send`: the mutex must be unlocked by the thread that has it.
    belongs_to_thread: PhantomData<*const ()>,
}

/// The guard of a mutex that this thread has just `acquired` and now has
/// `depth` times.
#[inline]
fn guard(
    state: &RLockState,
    acquired: Acquired,
    depth: u32,
) -> Result<RLockGuard<'_>, OwnerDied<RLockGuard<'_>>> {
    state.depth.store(depth, Relaxed);
    let guard = RLockGuard { state, belongs_to_thread: PhantomData };
    match acquired {
        Acquired::Cleanly => Ok(guard),
        Acquired::AfterDeathOf(pid) => Err(OwnerDied::of_lock(RLockState::KIND, pid, guard)),
    }
}

impl RLockState {
    /// Gives the lock back once; returns how often this thread still has it.
    ///
    /// # Safety
    ///
    /// This thread has it.
    #[inline]
    unsafe fn release_once(&self) -> u32 {
        let depth = self.depth.load(Relaxed) - 1;
        self.depth.store(depth, Relaxed);
        // SAFETY: the caller has it (contract), `depth` more times after this.
        unsafe {
            if depth == 0 {
                self.mutex.unlock();
            } else {
                self.mutex.unlock_inner();
            }
        }
        depth
    }
}

impl Drop for RLockGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: taken once for this guard (invariant).
        unsafe { self.state.release_once() };
    }
}

impl<'a> Suspend for RLockGuard<'a> {
    type Suspended = SuspendedRLock<'a>;

    fn lock_id(&self) -> LockId {
        self.state.id.get()
    }

    fn suspend(self) -> SuspendedRLock<'a> {
        let guard = ManuallyDrop::new(self);
        let depth = guard.state.depth.load(Relaxed);
        // SAFETY: taken so often; this thread's other guards are not used
        // until `resume` has taken it as often again.
        while unsafe { guard.state.release_once() } > 0 {}
        SuspendedRLock { state: guard.state, depth }
    }
}

/// An [`RLockGuard`] whose thread does not have the lock for a while.
pub(super) struct SuspendedRLock<'a> {
    state: &'a RLockState,
    depth: u32,
}

impl<'a> Suspended for SuspendedRLock<'a> {
    type Guard = RLockGuard<'a>;

    fn mutex(&self) -> &RobustMutex {
        &self.state.mutex
    }

    fn resume(self, taken: Option<Acquired>) -> Result<RLockGuard<'a>, OwnerDied<RLockGuard<'a>>> {
        let acquired = taken.unwrap_or_else(|| self.state.mutex.lock());
        for _ in 1..self.depth {
            // Ours already: it cannot be anybody's who died.
            let _ = self.state.mutex.lock();
        }
        guard(self.state, acquired, self.depth)
    }
}

impl fmt::Debug for RLockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RLockGuard")
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    #[cfg_attr(miri, ignore = "asks the system")]
    fn it_is_held_by_way_of_the_mapping_that_took_it_first() {
        let first = RLock::new().unwrap();
        let crossed = codec::encode(&first).unwrap();
        let second: RLock = codec::decode(&crossed.bytes, crossed.descriptors).unwrap();
        let outer = first.acquire().unwrap();
        let inner = second.acquire().unwrap();
        assert!(first.state.is_held_here() && !second.state.is_held_here());
        drop(outer);
        assert!(first.state.is_held_here());
        drop(inner);
        assert!(!first.state.is_held_here() && !second.state.is_held_here());
    }
}
