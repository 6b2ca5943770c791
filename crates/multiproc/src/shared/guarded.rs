//! Elements in shared memory behind a lock.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    ptr::NonNull,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::{Duration, Instant},
};

use bytemuck::Pod;
use serde::{Deserialize, Serialize};

use super::Kind;
use crate::{
    AcquireError, OwnerDied, Result,
    memory::{Placed, SharedLayout},
    process::this_process,
    sync::mutex::{Acquired, RobustMutex},
};

#[repr(C)]
struct Header<K, T> {
    /// Recursive, so that a thread which takes it again is told so, by way of
    /// `state`, instead of waiting for itself.
    mutex: RobustMutex,
    /// Whether there is a [`Held`]: [`FREE`], [`TAKEN`] or [`LEAKED`]; changed
    /// only by whoever has the mutex.
    state: AtomicU32,
    what: PhantomData<fn() -> (K, T)>,
}

const FREE: u32 = 0;
const TAKEN: u32 = 1;
/// Nobody gets it any more: a thread has leaked its [`Held`] and ended, which
/// sets the mutex free but not the elements, since references to them may be
/// with other threads.
const LEAKED: u32 = 2;

// SAFETY: `repr(C)`, without pointers; a mutex made to be shared between
// processes, and an atomic that is valid as 0.
unsafe impl<K: Kind, T: Pod> SharedLayout for Header<K, T> {
    const KIND: &'static str = K::NAME;

    fn is_held_here(&self) -> bool {
        self.mutex.is_held_here()
    }
}

/// Elements that only the one sees who has the lock.
///
/// Invariant: the room behind the header holds elements only, as many as fit,
/// and all processes access them through a [`Held`].
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub(super) struct Guarded<K: Kind, T: Pod> {
    placed: Placed<Header<K, T>>,
}

type Outcome<G> = Result<G, OwnerDied<G>>;
type Attempt<G> = Result<G, AcquireError<G>>;

impl<K: Kind, T: Pod> Guarded<K, T> {
    /// `len` elements of zero bytes.
    pub(super) fn new(len: usize) -> Result<Self> {
        let room = super::room_for::<T>(len)?;
        // SAFETY: nobody else sees the mutex yet.
        let placed =
            Placed::new(room, |header: &Header<K, T>| unsafe { header.mutex.initialise(true) })?;
        Ok(Self { placed })
    }

    pub(super) fn len(&self) -> usize {
        (self.placed.memory().len() - Placed::<Header<K, T>>::ROOM_OFFSET) / size_of::<T>()
    }

    /// Waits for the lock; panics if this thread has it, or a thread that has
    /// ended has leaked it.
    #[inline]
    pub(super) fn lock(&self) -> Outcome<Held<'_, T>> {
        self.held(self.placed.mutex.lock())
    }

    pub(super) fn try_lock(&self) -> Attempt<Held<'_, T>> {
        let acquired = self.placed.mutex.try_lock().ok_or(AcquireError::WouldBlock)?;
        Ok(self.held(acquired)?)
    }

    pub(super) fn lock_timeout(&self, timeout: Duration) -> Attempt<Held<'_, T>> {
        let deadline = Instant::now().checked_add(timeout);
        let acquired = self.placed.mutex.lock_until(deadline).ok_or(AcquireError::TimedOut)?;
        Ok(self.held(acquired)?)
    }

    #[inline]
    fn held(&self, acquired: Acquired) -> Outcome<Held<'_, T>> {
        let Header { mutex, state, .. } = &*self.placed;
        if acquired == Acquired::Cleanly && state.load(Relaxed) != FREE {
            self.refuse();
        }
        if acquired == Acquired::AfterDeathOf(this_process()) {
            // A process takes its references along when it dies, a thread of
            // this one does not.
            state.store(LEAKED, Relaxed);
            self.refuse();
        }
        state.store(TAKEN, Relaxed);
        let elements = NonNull::slice_from_raw_parts(self.placed.room().cast(), self.len());
        let held = Held { mutex, state, elements, borrowed: PhantomData };
        match acquired {
            Acquired::Cleanly => Ok(held),
            Acquired::AfterDeathOf(pid) => Err(OwnerDied::new(pid, held)),
        }
    }

    /// Gives the mutex back, which this thread has taken just now, and panics.
    #[cold]
    fn refuse(&self) -> ! {
        let Header { mutex, state, .. } = &*self.placed;
        if state.load(Relaxed) == LEAKED {
            // SAFETY: this thread has taken it once: a `Held` would have made
            // the state another.
            unsafe { mutex.unlock() };
            panic!(
                "the guard of this {} was leaked by a thread that has ended\nhelp: drop guards; \
                 nobody can have the lock again, since what the guard was borrowed for may still \
                 be in use",
                K::NAME
            );
        }
        // SAFETY: this thread took it just now, and before that, since the
        // state is `FREE` whenever its last owner gave it back; the `Held` of
        // that time gives it back last.
        unsafe { mutex.unlock_inner() };
        panic!("this thread has the lock of this {} already", K::NAME);
    }
}

impl<K: Kind, T: Pod> Clone for Guarded<K, T> {
    fn clone(&self) -> Self {
        Self { placed: self.placed.clone() }
    }
}

impl<K: Kind, T: Pod> fmt::Debug for Guarded<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(K::NAME)
            .field("len", &self.len())
            .field("holder", &self.placed.mutex.holder())
            .finish_non_exhaustive()
    }
}

/// Has the lock, and the elements, until it is dropped.
///
/// Invariant: the thread that it is in has taken the mutex once. `elements`
/// are the room of the `Guarded` that is borrowed, so they are mapped, and
/// aligned to a cache line.
pub(super) struct Held<'a, T> {
    mutex: &'a RobustMutex,
    state: &'a AtomicU32,
    /// No reference, since it would outlive the lock while this is dropped.
    elements: NonNull<[T]>,
    /// A pointer keeps it from being `Send`: the mutex must be unlocked by the
    /// thread that has it.
    borrowed: PhantomData<&'a mut [T]>,
}

// SAFETY: all that other threads get from a borrowed `Held` is `&[T]`.
unsafe impl<T: Sync> Sync for Held<'_, T> {}

impl<T: Pod> Deref for Held<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: mapped and aligned (invariant), and any bytes are elements
        // (`Pod`). Whoever changes them has the mutex, which this thread has,
        // and borrows this exclusively.
        unsafe { self.elements.as_ref() }
    }
}

impl<T: Pod> DerefMut for Held<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`.
        unsafe { self.elements.as_mut() }
    }
}

impl<T> Drop for Held<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.state.store(FREE, Relaxed);
        // SAFETY: this thread has taken the mutex once (invariant), and what
        // was borrowed from `self` is gone.
        unsafe { self.mutex.unlock() };
    }
}
