//! The parent's ends of what it shares with its children.
//!
//! Every descriptor of this crate is close-on-exec, so executed children
//! inherit none by accident. A forked child inherits them all: it would keep
//! its siblings' pipes open, whose end of file then never comes. So the
//! parent's ends are listed, and a forked child gives up those that are not
//! its own before it does anything else.
//!
//! Values of the parent that own such a descriptor can still be reached in the
//! child, through a `static`. So their numbers lead to nothing (`/dev/null`)
//! from then on, instead of becoming free for the child's own files.

use std::{
    collections::BTreeSet,
    mem::ManuallyDrop,
    ops::Deref,
    os::fd::{AsFd, AsRawFd, RawFd},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::process::this_process;

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
    /// The process that it belongs to.
    process: u32,
}

impl<T: AsFd> ParentEnd<T> {
    /// Takes care of `inner`.
    #[must_use]
    pub fn new(inner: T) -> Self {
        parent_ends().insert(inner.as_fd().as_raw_fd());
        Self { inner, process: this_process() }
    }

    /// Whether this process has made it, and was not forked from the one that has.
    #[inline]
    pub(crate) fn is_of_this_process(&self) -> bool {
        self.process == this_process()
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

/// Gives up the parent's ends in a child that was just forked: the files are
/// closed, and their numbers lead to nothing until their owners are dropped.
///
/// # Safety
///
/// Only in a forked child, before it has made a `ParentEnd` of its own.
pub(crate) unsafe fn give_up_parent_ends() {
    let ends = std::mem::take(&mut *parent_ends());
    let Some(&first) = ends.first() else { return };
    // A process that has as many descriptors as it may needs room for one.
    close(first);
    // SAFETY: the path is a C string. The number is that of the first end, or
    // a smaller one, which was free.
    let nothing = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
    for &end in ends.iter().filter(|&&end| end != nothing) {
        // SAFETY: the number is an end's, whose owner finds it open when it is
        // dropped, as it should, but on nothing.
        let given_up = unsafe { libc::dup3(nothing, end, libc::O_CLOEXEC) };
        if given_up < 0 && end != first {
            // No `/dev/null` here: the end of file matters more.
            close(end);
        }
    }
    if nothing >= 0 && !ends.contains(&nothing) {
        close(nothing);
    }
}

fn close(descriptor: RawFd) {
    // SAFETY: called with parent's ends, which are open since their owners take
    // them off the list before they close them, and with what was opened above.
    unsafe { libc::close(descriptor) };
}
