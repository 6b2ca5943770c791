//! Whose turn it is to send over the socket.
//!
//! Invariant of the unsafe code: a [`Turn`] exists only in the thread that has
//! taken the mutex.

use std::{
    marker::PhantomData,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

use crate::{
    Error, Result,
    memory::{Placed, SharedLayout},
    sync::mutex::RobustMutex,
};

/// Numbers the messages that go over a socket, in the order in which they do.
///
/// The mutex orders all accesses to the numbers, so these are relaxed.
#[repr(C)]
pub(super) struct Turns {
    mutex: RobustMutex,
    /// The number of the next message.
    next: AtomicU64,
    /// All numbers from this one to `next` may be on messages without a token:
    /// their writers were killed or out of time before they had sent it.
    unsettled: AtomicU64,
}

// SAFETY: a mutex that is made to be shared between processes, and atomics.
unsafe impl SharedLayout for Turns {
    const KIND: &'static str = "connection";

    fn is_held_here(&self) -> bool {
        self.mutex.is_held_here()
    }
}

impl Turns {
    pub(super) fn new() -> Result<Placed<Self>> {
        // SAFETY: nobody else sees the mutex yet.
        Placed::new(0, |turns: &Self| unsafe { turns.mutex.initialise(false) })
    }

    /// Waits for it.
    pub(super) fn take(&self, deadline: Option<Instant>) -> Result<Turn<'_>> {
        // If somebody has died while it was his turn, his number is unsettled:
        // that is all that there is to put in order.
        let _ = self.mutex.lock_until(deadline).ok_or(Error::TimedOut)?;
        let number = self.next.load(Relaxed);
        // First of all, so that whatever happens nobody else uses the number.
        self.next.store(number + 1, Relaxed);
        Ok(Turn { turns: self, number, belongs_to_thread: PhantomData })
    }
}

/// The right to send one message, until this is dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    number: u64,
    /// Not `Send`: the mutex must be unlocked by the thread that has it.
    belongs_to_thread: PhantomData<*const ()>,
}

impl Turn<'_> {
    /// The message's.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Numbers of messages that may have no token and, if so, never will.
    pub(super) fn unsettled(&self) -> Range<u64> {
        self.turns.unsettled.load(Relaxed)..self.number
    }

    /// The token is sent, and in it what was unsettled.
    pub(super) fn settle(self) {
        self.turns.unsettled.store(self.number + 1, Relaxed);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // SAFETY: this thread has it (invariant).
        unsafe { self.turns.mutex.unlock() };
    }
}
