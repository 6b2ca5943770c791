//! An object in the server, and its turn: one call at a time.

use std::{
    any::Any,
    cell::RefCell,
    ptr,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use super::wire::{Deadline, Refusal};
use crate::TaskPanic;

type Value = Box<dyn Any + Send>;

/// A value of a type that only the functions called on it know.
pub(super) struct Object {
    /// Empty while a call has it. No code of a user's runs under this mutex.
    slot: Mutex<Option<Value>>,
    /// Told when a call has put the value back.
    is_free: Condvar,
}

thread_local! {
    /// The objects whose calls this thread is in the middle of.
    static IN_USE_HERE: RefCell<Vec<*const Object>> = const { RefCell::new(Vec::new()) };
}

impl Object {
    pub(super) fn new<T: Send + 'static>(value: T) -> Self {
        Self { slot: Mutex::new(Some(Box::new(value))), is_free: Condvar::new() }
    }

    /// Calls `f` with the value when no other call has it.
    ///
    /// If `f` panics the value stays what it was made into by then.
    pub(super) fn call<T: 'static, R>(
        &self,
        deadline: Option<Deadline>,
        f: impl FnOnce(&mut T) -> R,
    ) -> Result<R, Refusal> {
        if IN_USE_HERE.with_borrow(|in_use| in_use.contains(&ptr::from_ref(self))) {
            return Err(Refusal::CallsItself);
        }
        let mut turn = Turn { object: self, value: Some(self.wait_for_turn(deadline)?) };
        let value = turn.value.as_mut().and_then(|value| value.downcast_mut::<T>());
        let value = value.ok_or(Refusal::NoSuchObject)?;
        IN_USE_HERE.with_borrow_mut(|in_use| in_use.push(self));
        let result = catch(|| f(value));
        IN_USE_HERE.with_borrow_mut(Vec::pop);
        result
    }

    fn wait_for_turn(&self, deadline: Option<Deadline>) -> Result<Value, Refusal> {
        let mut slot = self.lock();
        loop {
            if deadline.is_some_and(Deadline::has_passed) {
                // It may have been this call that was told of a free object.
                self.is_free.notify_one();
                return Err(Refusal::TimedOut);
            }
            if let Some(value) = slot.take() {
                return Ok(value);
            }
            slot = match deadline {
                None => self.is_free.wait(slot).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let waited = self.is_free.wait_timeout(slot, deadline.left());
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Value>> {
        // Only ever a move of a box, so a panic cannot leave it half-done.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts the value back, whatever happens.
struct Turn<'a> {
    object: &'a Object,
    value: Option<Value>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.object.lock() = self.value.take();
        self.object.is_free.notify_one();
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        let value = self.lock().take();
        if let Err(Refusal::Panicked(panic)) = catch(|| drop(value)) {
            eprintln!("multiproc: an object of a manager panicked in its drop at {panic}");
        }
    }
}

/// Runs code of a user's. That an object may be half-changed after a panic is
/// documented.
pub(super) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Refusal> {
    TaskPanic::catch(f).map_err(|panic| Refusal::Panicked(panic.message))
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;

    #[test]
    fn calls_take_turns() {
        let object = Arc::new(Object::new(0u32));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        object.call(None, |n: &mut u32| *n += 1).unwrap();
                    }
                });
            }
        });
        assert_eq!(object.call(None, |n: &mut u32| *n), Ok(100));
    }

    #[test]
    fn an_object_of_another_type_is_refused_and_stays_usable() {
        let object = Object::new(7u32);
        assert_eq!(object.call(None, |_: &mut String| ()), Err(Refusal::NoSuchObject));
        assert_eq!(object.call(None, |n: &mut u32| *n), Ok(7));
    }

    #[test]
    fn a_call_whose_time_is_over_never_begins() {
        let object = Object::new(7u32);
        let over = Some(Deadline::after(Duration::ZERO));
        assert_eq!(object.call(over, |n: &mut u32| *n = 8), Err(Refusal::TimedOut));
        let soon = Some(Deadline::after(Duration::from_millis(5)));
        let nested = object.call(None, |_: &mut u32| {
            std::thread::scope(|scope| {
                scope.spawn(|| object.call(soon, |n: &mut u32| *n = 9)).join().unwrap()
            })
        });
        assert_eq!(nested, Ok(Err(Refusal::TimedOut)));
        assert_eq!(object.call(None, |n: &mut u32| *n), Ok(7));
    }

    #[test]
    fn an_object_that_calls_itself_is_told_and_does_not_hang() {
        let object = Object::new(7u32);
        let nested = object.call(None, |_: &mut u32| object.call(None, |n: &mut u32| *n));
        assert_eq!(nested, Ok(Err(Refusal::CallsItself)));
    }

    #[test]
    fn a_panic_leaves_the_object_as_it_was_made_by_then() {
        let object = Object::new(7u32);
        let panicked = object.call(None, |n: &mut u32| {
            *n = 8;
            panic!("half-way");
        });
        assert!(matches!(panicked, Err::<(), _>(Refusal::Panicked(_))));
        assert_eq!(object.call(None, |n: &mut u32| *n), Ok(8));
    }
}
