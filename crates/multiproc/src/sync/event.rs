//! A flag that processes wait for.

use std::{
    fmt,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{spin::spin, wait_queue::LONGEST_SLEEP};
use crate::{
    Result,
    atomic::{
        AtomicU32,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
    futex,
    memory::{Placed, SharedLayout},
};

/// A flag that one process sets and others wait for.
///
/// Clones are the same event, and so is what another process gets that a
/// handle is given to or sent to. There is no lock in it, so nobody can die
/// holding one.
///
/// What a process did before [`set`](Self::set) is visible to those whose
/// [`wait`](Self::wait) it ends.
///
/// ```
/// use multiproc::{Event, Process};
///
/// let ready = Event::new()?;
/// let mut process = Process::new(|ready: Event| ready.set(), ready.clone());
/// process.start()?;
/// ready.wait();
/// process.join()?;
/// # Ok::<(), multiproc::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct Event {
    state: Placed<EventState>,
}

impl Event {
    /// An event that is not set.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](crate::Error::Memory) if there is no memory or no descriptor for it.
    pub fn new() -> Result<Self> {
        Ok(Self { state: Placed::new(0, |_: &EventState| Ok(()))? })
    }

    /// Sets it and wakes everybody who waits for it.
    pub fn set(&self) {
        self.state.set();
    }

    /// Takes it back. Who waited when it was set is woken all the same,
    /// otherwise than in Python.
    pub fn clear(&self) {
        self.state.clear();
    }

    /// Whether it is set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.state.is_set()
    }

    /// Waits until it is set.
    pub fn wait(&self) {
        self.state.wait_until(None);
    }

    /// Waits until it is set, but not longer than `timeout`; whether it was set.
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.state.wait_until(Instant::now().checked_add(timeout))
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("is_set", &self.is_set()).finish()
    }
}

/// One word that says it all: whether the event is set, whether somebody
/// sleeps on the word, and how often it was set. All zero bytes: not set.
///
/// Everybody changes it by read-modify-write, so one side of every race sees
/// the other; nothing else is needed.
#[repr(C)]
#[derive(Default)]
struct EventState {
    word: AtomicU32,
}

// SAFETY: an atomic word, for which all values are valid.
unsafe impl SharedLayout for EventState {
    const KIND: &'static str = "event";
}

const SET: u32 = 1;
/// Somebody may sleep. Taken back by whoever sets the event, so that a dead
/// sleeper's trace goes away.
const SLEEPERS: u32 = 2;
/// The count is above the flags. It wraps after 2³⁰ times, which a waiter
/// would have to sleep through.
const ONCE: u32 = 4;

impl EventState {
    fn set(&self) {
        let set = |word: u32| if word & SET == 0 { (word | SET).wrapping_add(ONCE) } else { word };
        // Written even if it is set already, so that what this process did
        // before is visible too. Release pairs with the Acquire in `has_come`.
        let before = self.replace(|word| set(word) & !SLEEPERS);
        if before & SLEEPERS != 0 {
            futex::wake_all(&self.word);
        }
    }

    fn clear(&self) {
        self.replace(|word| word & !SET);
    }

    fn is_set(&self) -> bool {
        self.word.load(Acquire) & SET != 0
    }

    /// Returns whether it is set, or was since the call began; `false` when
    /// `deadline` has passed.
    fn wait_until(&self, deadline: Option<Instant>) -> bool {
        let first = self.word.load(Acquire);
        let has_come = || {
            // Pairs with the Release in `set`.
            let now = self.word.load(Acquire);
            now & SET != 0 || now / ONCE != first / ONCE
        };
        if has_come() || spin(|| has_come().then_some(())).is_some() {
            return true;
        }
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return has_come();
            }
            // Announced in the same step that sees whether it is set.
            let before = self.replace(|word| if word & SET == 0 { word | SLEEPERS } else { word });
            if !has_come() {
                // Whoever set it may have died before it woke us.
                let nap = left.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
                futex::wait(&self.word, before | SLEEPERS, Some(nap));
            }
            if has_come() {
                return true;
            }
        }
    }

    /// Replaces the word; returns what it was.
    fn replace(&self, f: impl Fn(u32) -> u32) -> u32 {
        let mut word = self.word.load(Relaxed);
        loop {
            match self.word.compare_exchange_weak(word, f(word), AcqRel, Relaxed) {
                Ok(before) => return before,
                Err(now) => word = now,
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn it_is_set_until_it_is_cleared() {
        let event = Event::new().unwrap();
        assert!(!event.is_set());
        assert!(!event.wait_timeout(Duration::from_millis(1)));
        event.set();
        event.set();
        event.wait();
        assert!(event.wait_timeout(Duration::ZERO));
        event.clear();
        assert!(!event.is_set());
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn a_waiter_is_not_stranded_by_a_set_that_is_taken_back_at_once() {
        let event = Event::new().unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| event.wait());
            // Until it sleeps.
            while event.state.word.load(Relaxed) & SLEEPERS == 0 {
                std::thread::yield_now();
            }
            event.set();
            event.clear();
            waiter.join().unwrap();
        });
        assert!(!event.is_set());
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::{sync::Arc, thread};

    use super::*;

    /// Somebody waits; somebody else writes something and then does `what`.
    fn model(what: impl Fn(&EventState) + Copy + Sync + Send + 'static) {
        loom::model(move || {
            let shared = Arc::new((EventState::default(), AtomicU32::new(0)));
            let waiter = thread::spawn({
                let shared = Arc::clone(&shared);
                move || {
                    let (event, written) = &*shared;
                    assert!(event.wait_until(None));
                    assert_eq!(written.load(Relaxed), 1, "what came before is visible");
                }
            });
            shared.1.store(1, Relaxed);
            what(&shared.0);
            waiter.join().unwrap();
        });
    }

    #[test]
    fn loom_a_waiter_sees_the_event_and_what_came_before() {
        model(EventState::set);
    }

    #[test]
    fn loom_two_waiters_are_both_woken() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let event = Arc::new(EventState::default());
            let waiters = [(); 2].map(|()| {
                let event = Arc::clone(&event);
                thread::spawn(move || assert!(event.wait_until(None)))
            });
            event.set();
            waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        });
    }

    #[test]
    fn loom_who_waits_when_it_is_set_is_woken_though_it_is_cleared_at_once() {
        loom::model(|| {
            let event = Arc::new(EventState::default());
            let waiter = thread::spawn({
                let event = Arc::clone(&event);
                move || event.wait_until(None)
            });
            // It came first if it has announced itself.
            let announced = event.word.load(Acquire) & SLEEPERS != 0;
            event.set();
            event.clear();
            if !announced {
                // It may have come too late.
                event.set();
            }
            assert!(waiter.join().unwrap());
        });
    }
}
