//! What calls pass through on their way in, so that the last one is known.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Counts the calls that are running, and can be closed.
#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    is_empty: Condvar,
}

#[derive(Default)]
struct State {
    is_closed: bool,
    running: usize,
}

impl Gate {
    /// `None` once it is closed.
    pub(super) fn enter(&self) -> Option<Running<'_>> {
        let mut state = self.state();
        if state.is_closed {
            return None;
        }
        state.running += 1;
        Some(Running { gate: self })
    }

    /// Lets nobody in any more and waits until everybody has left.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        while state.running > 0 {
            state = self.is_empty.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Two numbers, each changed at once: a panic spoils nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is running, until it is dropped.
pub(super) struct Running<'a> {
    gate: &'a Gate,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        state.running -= 1;
        if state.running == 0 && state.is_closed {
            self.gate.is_empty.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_waits_for_those_inside_and_lets_nobody_in() {
        let gate = Gate::default();
        let running = gate.enter().unwrap();
        std::thread::scope(|scope| {
            let closing = scope.spawn(|| gate.close());
            while gate.enter().is_some() {
                std::thread::yield_now();
            }
            assert!(!closing.is_finished());
            drop(running);
            closing.join().unwrap();
        });
        assert!(gate.enter().is_none());
    }
}
