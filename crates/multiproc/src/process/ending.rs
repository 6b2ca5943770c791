//! What a process does before it ends: it waits for its children.
//!
//! As in Python: daemons are ended, the others are waited for. A main process
//! does so when it exits normally (`atexit`), a child of ours before it leaves
//! by `_exit`. A forked child inherits its parent's exit handlers, which are
//! not its to run; so one more handler, registered when it is born and hence
//! called first, ends it there and then if its target calls `exit`.

use std::{
    io::Write,
    sync::{
        Once,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use super::registry;

/// The process that the handler is to work for. One that was forked by other
/// means than ours becomes it with the first child of its own.
static OWNER: AtomicU32 = AtomicU32::new(0);
static REGISTERED: Once = Once::new();

/// Makes this process wait for its children when it exits.
pub(super) fn wait_for_children_at_exit() {
    OWNER.store(std::process::id(), Relaxed);
    REGISTERED.call_once(|| {
        // SAFETY: a function that lives as long as the program and does not
        // unwind. If there is no memory for it, children die with this process.
        unsafe { libc::atexit(at_exit) };
    });
}

extern "C" fn at_exit() {
    if OWNER.load(Relaxed) == std::process::id() {
        registry::wait_for_all();
    }
}

/// For a child that begins to live: `exit` is to lead to [`leave`].
pub(crate) fn take_over_exit() {
    OWNER.store(std::process::id(), Relaxed);
    #[cfg(target_env = "gnu")]
    {
        unsafe extern "C" {
            /// on_exit(3): as atexit, but the handler is told the exit code.
            fn on_exit(
                handler: extern "C" fn(libc::c_int, *mut libc::c_void),
                argument: *mut libc::c_void,
            ) -> libc::c_int;
        }
        extern "C" fn leave_with(code: libc::c_int, _: *mut libc::c_void) {
            if OWNER.load(Relaxed) == std::process::id() {
                leave(code);
            }
        }
        // SAFETY: as for `atexit`; the argument is not looked at.
        unsafe { on_exit(leave_with, std::ptr::null_mut()) };
        // The one above does its work.
        REGISTERED.call_once(|| ());
    }
}

/// Ends a child, without what belongs to its parent.
pub(crate) fn leave(code: i32) -> ! {
    registry::wait_for_all();
    let _ = std::io::stdout().flush();
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}
