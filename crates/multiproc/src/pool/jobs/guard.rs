//! Users' code that runs while the table is locked.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::Result;

/// Runs what may be a user's code, `Serialize`, `Deserialize` or a `Drop` of
/// what these make: its panic is an error of the value, as its own errors are.
/// Otherwise says why the value could not be `encoded` or `decoded`.
pub(crate) fn guard<R>(what: &str, coding: impl FnOnce() -> Result<R>) -> Result<R, String> {
    let lock = LOCKED.get();
    let _ = CODING.try_with(|locks| locks.borrow_mut().push(lock));
    // Unwind safe: the value counts as neither encoded nor decoded.
    let coded = catch_unwind(AssertUnwindSafe(coding));
    let _ = CODING.try_with(|locks| locks.borrow_mut().pop());
    // It may have asked another pool.
    LOCKED.set(lock);
    match coded {
        Ok(coded) => coded.map_err(|error| error.to_string()),
        Err(panic) => {
            Err(format!("code of its type panicked while it was {what}: {}", message(panic)))
        }
    }
}

thread_local! {
    /// The lock that this thread has taken last: where it lies.
    static LOCKED: Cell<usize> = const { Cell::new(0) };
    /// Those that it holds while it runs users' code.
    static CODING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// This thread is about to take the lock of a pool, which lies at `lock`.
///
/// # Panics
///
/// If it has it already, and would wait for itself for ever: a user's code asks
/// the pool that has called it. [`guard`] makes an error of its value of that.
pub(crate) fn enter_lock(lock: usize) {
    // A thread that is about to end has no list, and runs no users' code.
    let is_held = CODING.try_with(|locks| locks.borrow().contains(&lock)).unwrap_or(false);
    assert!(!is_held, "it asks the pool that it is an argument or result of, which is locked");
    LOCKED.set(lock);
}

fn message(panic: Box<dyn Any + Send>) -> String {
    let panic = match panic.downcast::<&str>() {
        Ok(text) => return (*text).to_owned(),
        Err(panic) => panic,
    };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => {
            // Its own drop can panic too.
            std::mem::forget(panic);
            "a payload that is not a string".to_owned()
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::panic::panic_any;

    use super::*;
    use crate::Error;

    #[test]
    fn a_panic_is_told_with_what_was_being_done_and_its_message() {
        let why = guard::<()>("encoded", || panic!("no zero")).unwrap_err();
        assert_eq!(why, "code of its type panicked while it was encoded: no zero");
        let why = guard::<()>("decoded", || panic!("no {}", 7)).unwrap_err();
        assert_eq!(why, "code of its type panicked while it was decoded: no 7");
    }

    #[test]
    fn a_payload_whose_drop_panics_does_no_harm() {
        struct Vicious;
        impl Drop for Vicious {
            fn drop(&mut self) {
                panic!("while it is dropped");
            }
        }
        let why = guard::<()>("decoded", || panic_any(Vicious)).unwrap_err();
        assert!(why.ends_with("decoded: a payload that is not a string"), "{why}");
    }

    #[test]
    fn an_error_is_told_as_it_is() {
        assert_eq!(guard("encoded", || Ok(7)).unwrap(), 7);
        let why = guard::<()>("encoded", || Err(Error::NotInherited)).unwrap_err();
        assert_eq!(why, Error::NotInherited.to_string());
    }
}
