//! Where a worker sleeps.

use crate::{
    atomic::{
        AtomicU32,
        Ordering::{Relaxed, SeqCst},
        fence,
    },
    futex,
};

/// Nobody sleeps.
const AWAKE: u32 = 0;

/// What a worker waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Need {
    Requests = 1,
    Room = 2,
}

/// The worker's bed: the word that it sleeps on. [`AWAKE`], or what it sleeps
/// until, or is about to.
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct Bed(AtomicU32);

impl Bed {
    #[cfg(all(test, loom))]
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(AWAKE))
    }

    /// Sleeps until `attempt` gives something. For the worker.
    pub(super) fn sleep_until<T>(&self, need: Need, mut attempt: impl FnMut() -> Option<T>) -> T {
        loop {
            self.0.store(need as u32, Relaxed);
            // Pairs with the fence in `wake`: either the attempt finds what
            // the other side did before that, or the other side sees this.
            fence(SeqCst);
            if let Some(found) = attempt() {
                self.0.store(AWAKE, Relaxed);
                return found;
            }
            futex::wait(&self.0, need as u32, None);
        }
    }

    /// Whether the worker sleeps, or is about to. For the parent, as a hint.
    pub(super) fn is_occupied(&self) -> bool {
        self.0.load(Relaxed) != AWAKE
    }

    /// Wakes the worker if it sleeps for one of `needs`, after what it waits
    /// for was done; whether it has. For the parent.
    pub(super) fn wake(&self, needs: &[Need]) -> bool {
        // Pairs with the fence in `sleep_until`.
        fence(SeqCst);
        let now = self.0.load(Relaxed);
        // By whoever changes it, so that one sleep costs one system call.
        let sleeps = needs.iter().any(|&need| need as u32 == now);
        let wakes = sleeps && self.0.compare_exchange(now, AWAKE, Relaxed, Relaxed).is_ok();
        if wakes {
            futex::wake_all(&self.0);
        }
        wakes
    }
}
