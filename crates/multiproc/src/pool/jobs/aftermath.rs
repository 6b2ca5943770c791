//! Users' code that is run when the table is not locked any more.

use std::{
    mem,
    ops::{Deref, DerefMut},
    panic::{AssertUnwindSafe, catch_unwind},
    task::Waker,
};

use super::{Job, Jobs};

/// What is left to be done when the table is not locked any more: it runs
/// anybody's code, which may ask this very pool, or panic.
#[must_use = "somebody waits for it"]
pub(crate) struct Aftermath {
    woken: Vec<Waker>,
    discarded: Vec<Discarded>,
}

impl Aftermath {
    /// Wakes whoever is to be woken and drops what nobody wants any more.
    pub(crate) fn settle(self) {
        self.woken.into_iter().for_each(|waker| harmless(|| waker.wake()));
        drop(self.discarded);
    }
}

impl Jobs {
    pub(crate) fn has_aftermath(&self) -> bool {
        !self.woken.is_empty() || !self.discarded.is_empty()
    }

    pub(crate) fn take_aftermath(&mut self) -> Aftermath {
        let (woken, discarded) = (mem::take(&mut self.woken), mem::take(&mut self.discarded));
        Aftermath { woken, discarded }
    }
}

/// A job that has left the table. It holds values of users' types, so it is
/// not to be dropped while the table is locked.
#[must_use = "it is to be dropped when the table is not locked any more"]
pub(crate) struct Discarded(Option<Job>);

impl From<Job> for Discarded {
    fn from(job: Job) -> Self {
        Self(Some(job))
    }
}

impl Drop for Discarded {
    fn drop(&mut self) {
        let job = self.0.take();
        harmless(|| drop(job));
    }
}

/// Runs a user's code, perhaps on a thread that has other users' work to do.
/// If it panics that was printed, and nothing else happens.
pub(crate) fn harmless(act: impl FnOnce()) {
    // Unwind safe: nothing of ours is changed by a user's code.
    let drop_payload = match catch_unwind(AssertUnwindSafe(act)) {
        Ok(()) => return,
        Err(payload) => catch_unwind(AssertUnwindSafe(|| drop(payload))),
    };
    // So on it could go for ever.
    drop_payload.unwrap_or_else(mem::forget);
}

/// Values of a user's type, each of which is dropped for itself: one whose
/// `Drop` panics harms neither the others nor whoever drops them. (Two such
/// elements abort the program that drops a plain vector.)
#[derive(Debug, Default)]
pub(crate) struct DropEach<C: IntoIterator + Default>(C);

impl<C: IntoIterator + Default> DropEach<C> {
    /// For those who get them.
    pub(crate) fn into_inner(mut self) -> C {
        mem::take(&mut self.0)
    }
}

impl<C: IntoIterator + Default> From<C> for DropEach<C> {
    fn from(values: C) -> Self {
        Self(values)
    }
}

impl<C: IntoIterator + Default> Deref for DropEach<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0
    }
}

impl<C: IntoIterator + Default> DerefMut for DropEach<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.0
    }
}

impl<C: IntoIterator + Default> Drop for DropEach<C> {
    fn drop(&mut self) {
        if mem::needs_drop::<C::Item>() {
            mem::take(&mut self.0).into_iter().for_each(|value| harmless(|| drop(value)));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Explosive<'a>(&'a Cell<u32>);

    impl Drop for Explosive<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            panic!("it is dropped");
        }
    }

    #[test]
    fn each_of_several_values_that_panic_is_dropped() {
        let dropped = Cell::new(0);
        drop(DropEach::from(vec![Explosive(&dropped), Explosive(&dropped), Explosive(&dropped)]));
        assert_eq!(dropped.get(), 3);
    }

    #[test]
    fn a_panic_whose_payload_panics_does_no_harm() {
        struct Vicious;
        impl Drop for Vicious {
            fn drop(&mut self) {
                std::panic::panic_any(Self);
            }
        }
        harmless(|| std::panic::panic_any(Vicious));
    }
}
