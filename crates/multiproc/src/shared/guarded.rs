//! Elements in shared memory behind a lock.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    ptr::NonNull,
    sync::atomic::{
        AtomicU32, AtomicU64,
        Ordering::{Relaxed, Release},
        compiler_fence,
    },
    time::{Duration, Instant},
};

use bytemuck::{Pod, must_cast};
use serde::{Deserialize, Serialize};

use super::Kind;
use crate::{
    AcquireError, OwnerDied, Result,
    memory::{Placed, SharedLayout},
    process::{Identity, this_process},
    sync::{
        mutex::{Acquired, RobustMutex},
        wait_queue::LONGEST_SLEEP,
    },
};

#[repr(C)]
struct Header<K, T> {
    /// Recursive, so that a thread which takes it again is told so, by way of
    /// `state`, instead of waiting for itself.
    mutex: RobustMutex,
    /// Whether there is a [`Held`]: [`FREE`], [`TAKEN`] or [`LEAKED`]; changed
    /// only by whoever has the mutex.
    state: AtomicU32,
    /// The process that made the last [`Held`]; written before the state.
    owner: [AtomicU64; 2],
    what: PhantomData<fn() -> (K, T)>,
}

const FREE: u32 = 0;
const TAKEN: u32 = 1;
/// A thread has leaked its [`Held`] and ended, which sets the mutex free but
/// not the elements: references to them may be with other threads of its
/// process, the owner, as long as that lives.
const LEAKED: u32 = 2;

// SAFETY: `repr(C)`, without pointers; a mutex made to be shared between
// processes, and atomics that are valid as 0.
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

    /// Waits for the lock; panics if this thread has it, or this process has
    /// leaked it.
    #[inline]
    pub(super) fn lock(&self) -> Outcome<Held<'_, T>> {
        match self.held(self.placed.mutex.lock()) {
            Ok(outcome) => outcome,
            Err(Leaked { by }) => self.wait_for_end_of(by),
        }
    }

    pub(super) fn try_lock(&self) -> Attempt<Held<'_, T>> {
        let acquired = self.placed.mutex.try_lock().ok_or(AcquireError::WouldBlock)?;
        Ok(self.held(acquired).map_err(|Leaked { .. }| AcquireError::WouldBlock)??)
    }

    pub(super) fn lock_timeout(&self, timeout: Duration) -> Attempt<Held<'_, T>> {
        let deadline = Instant::now().checked_add(timeout);
        let mut naps = Naps::default();
        loop {
            let acquired = self.placed.mutex.lock_until(deadline).ok_or(AcquireError::TimedOut)?;
            match self.held(acquired) {
                Ok(outcome) => return Ok(outcome?),
                Err(Leaked { .. }) if !naps.sleep(deadline) => return Err(AcquireError::TimedOut),
                Err(Leaked { .. }) => {}
            }
        }
    }

    /// Makes a [`Held`], for who has just taken the mutex; gives that back if
    /// a process that lives has leaked its own.
    #[inline]
    fn held(&self, acquired: Acquired) -> Result<Outcome<Held<'_, T>>, Leaked> {
        let Header { mutex, state, .. } = &*self.placed;
        let before = state.load(Relaxed);
        let dead = if acquired == Acquired::Cleanly && before == FREE {
            None
        } else {
            self.settle(acquired, before)?
        };
        self.write_owner(Identity::this());
        // Last: who is killed before this has had nothing. No other processor
        // looks without the mutex, so it is the order of this one that counts.
        compiler_fence(Release);
        state.store(TAKEN, Relaxed);
        let elements = NonNull::slice_from_raw_parts(self.placed.room().cast(), self.len());
        let held = Held { mutex, state, elements, borrowed: PhantomData };
        Ok(match dead {
            None => Ok(held),
            Some(pid) => Err(OwnerDied::of_lock(K::NAME, pid, held)),
        })
    }

    /// Finds out what has become of the last [`Held`]; returns the process to
    /// tell of that has died with it.
    #[cold]
    fn settle(&self, acquired: Acquired, before: u32) -> Result<Option<u32>, Leaked> {
        let Header { mutex, state, .. } = &*self.placed;
        match (acquired, before) {
            // It was killed when it had nothing yet or nothing any more.
            (Acquired::AfterDeathOf(pid), FREE) => Ok(Some(pid)),
            (Acquired::Cleanly, FREE) => Ok(None),
            (Acquired::Cleanly, TAKEN) => {
                // SAFETY: this thread took it just now, and before that, since the
                // state is `FREE` or `LEAKED` whenever it was given back; the
                // `Held` of that time gives it back last.
                unsafe { mutex.unlock_inner() };
                panic!("this thread has the lock of this {} already", K::NAME);
            }
            _ => {
                let by = self.owner();
                if !by.is_alive() {
                    return Ok(Some(by.pid));
                }
                // A process takes its references along when it dies, a thread
                // does not. Or it is about to die, and its mutexes came first.
                state.store(LEAKED, Relaxed);
                // SAFETY: this thread has taken it once: a `Held` of its own
                // would have left it `TAKEN`, and not to be had after a death.
                unsafe { mutex.unlock() };
                Err(Leaked { by })
            }
        }
    }

    /// Gets the lock once the process has ended that has leaked it.
    #[cold]
    fn wait_for_end_of(&self, mut by: Identity) -> Outcome<Held<'_, T>> {
        let mut naps = Naps::default();
        loop {
            assert!(
                by.pid != this_process(),
                "the guard of this {} was leaked by a thread that has ended\nhelp: drop guards; \
                 nobody can have the lock again as long as this process lives, since what the \
                 guard was borrowed for may still be in use",
                K::NAME
            );
            naps.sleep(None);
            match self.held(self.placed.mutex.lock()) {
                Ok(outcome) => return outcome,
                Err(leaked) => by = leaked.by,
            }
        }
    }

    fn owner(&self) -> Identity {
        must_cast(self.placed.owner.each_ref().map(|word| word.load(Relaxed)))
    }

    #[inline]
    fn write_owner(&self, owner: Identity) {
        let words: [u64; 2] = must_cast(owner);
        for (word, value) in self.placed.owner.iter().zip(words) {
            word.store(value, Relaxed);
        }
    }
}

/// The lock is still that of a process of which a thread has ended with it.
struct Leaked {
    by: Identity,
}

/// Longer and longer sleeps: most processes of which a thread has ended are
/// about to end themselves.
struct Naps(Duration);

impl Default for Naps {
    fn default() -> Self {
        Self(Duration::from_micros(100))
    }
}

impl Naps {
    /// Sleeps, but not beyond `deadline`; whether that has not come yet.
    fn sleep(&mut self, deadline: Option<Instant>) -> bool {
        let left = deadline.map_or(self.0, |at| at.saturating_duration_since(Instant::now()));
        std::thread::sleep(self.0.min(left));
        self.0 = (self.0 * 2).min(LONGEST_SLEEP);
        !left.is_zero()
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
