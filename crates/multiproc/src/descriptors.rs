//! The parent's ends of what it shares with its children.
//!
//! Every descriptor of this crate is close-on-exec, so executed children
//! inherit none by accident. A forked child inherits them all: it would keep
//! its siblings' pipes open, whose end of file then never comes. So the
//! parent's ends are listed, and a forked child closes those that are not its
//! own before it does anything else.

use std::{
    collections::BTreeSet,
    mem::ManuallyDrop,
    ops::Deref,
    os::fd::{AsFd, AsRawFd, RawFd},
    sync::{Mutex, MutexGuard, PoisonError},
};

static PARENT_ENDS: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

fn parent_ends() -> MutexGuard<'static, BTreeSet<RawFd>> {
    // The set is whole between any two statements, so a panic spoils nothing.
    PARENT_ENDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something with a descriptor that forked children must not keep: a socket,
/// a pipe, a file.
#[derive(Debug)]
pub struct ParentEnd<T: AsFd> {
    inner: T,
}

impl<T: AsFd> ParentEnd<T> {
    /// Takes care of `inner`.
    #[must_use]
    pub fn new(inner: T) -> Self {
        parent_ends().insert(inner.as_fd().as_raw_fd());
        Self { inner }
    }

    /// Gives `inner` back; forked children keep it from now on.
    #[must_use]
    pub fn into_inner(self) -> T {
        let this = ManuallyDrop::new(self);
        parent_ends().remove(&this.inner.as_fd().as_raw_fd());
        // SAFETY: `this` is neither used again nor dropped.
        unsafe { std::ptr::read(&raw const this.inner) }
    }
}

impl<T: AsFd> Deref for ParentEnd<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: AsFd> Drop for ParentEnd<T> {
    fn drop(&mut self) {
        parent_ends().remove(&self.inner.as_fd().as_raw_fd());
    }
}

/// Closes the parent's ends in a child that was just forked.
///
/// # Safety
///
/// Only in a forked child that never uses a value of its parent which owns
/// one of these descriptors, nor drops it.
pub(crate) unsafe fn close_parent_ends() {
    for descriptor in std::mem::take(&mut *parent_ends()) {
        // SAFETY: the descriptor is open, since its owner takes it off the
        // list before closing it; the owner is never used again (contract).
        unsafe { libc::close(descriptor) };
    }
}
