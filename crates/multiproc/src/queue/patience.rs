//! How long a call may wait, and how: looking for a while, then asleep.

use std::time::{Duration, Instant};

use crate::sync::{
    mutex::{Acquired, RobustMutex},
    spin::spin,
    wait_queue::WaitQueue,
};

/// How long a call may wait.
#[derive(Clone, Copy, Debug)]
pub(super) enum Patience {
    /// Not for others to do something; only for one who is just doing it.
    Brief,
    Until(Instant),
    Endless,
}

/// How long a call that does not wait for items still waits for its turn. The
/// others have theirs for less than a microsecond unless the item is huge or
/// they are stopped.
const TURN: Duration = Duration::from_millis(50);

impl Patience {
    /// For `timeout` from now on; for ever if that has no end on the clock.
    pub(super) fn lasting(timeout: Duration) -> Self {
        Instant::now().checked_add(timeout).map_or(Self::Endless, Self::Until)
    }

    /// Takes a mutex; `None` if that would take too long.
    #[inline]
    pub(super) fn acquire(self, mutex: &RobustMutex) -> Option<Acquired> {
        mutex.try_lock().or_else(|| match self {
            Self::Brief => mutex.lock_until(Instant::now() + TURN),
            Self::Until(deadline) => mutex.lock_until(deadline),
            Self::Endless => Some(mutex.lock()),
        })
    }

    /// Waits until `attempt` gives something; `None` if that takes too long.
    /// It is tried again when `is_promising`, which is cheap, says so, and
    /// when `sleepers` are notified.
    #[inline]
    pub(super) fn wait<T>(
        self,
        sleepers: &WaitQueue,
        is_promising: impl Fn() -> bool,
        mut attempt: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        attempt().or_else(|| {
            let deadline = match self {
                Self::Brief => return None,
                Self::Until(deadline) => Some(deadline),
                Self::Endless => None,
            };
            spin(|| is_promising().then(&mut attempt).flatten())
                .or_else(|| sleepers.wait_until(deadline, attempt))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_beyond_the_end_of_the_clock_is_none() {
        assert!(matches!(Patience::lasting(Duration::MAX), Patience::Endless));
        assert!(matches!(Patience::lasting(Duration::ZERO), Patience::Until(_)));
    }
}
