//! Ctrl-C in processes that must survive it.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// Lets this process survive Ctrl-C; returns what was to happen before.
///
/// It reaches every process of the terminal's foreground group. What is to be
/// done then only the program knows that this process belongs to; if it ends,
/// so does this process.
///
/// The signal is caught, not ignored: to ignore is inherited by programs that
/// are executed, which would live on. Where it is ignored already it stays so,
/// as a shell wants it for what it starts in the background.
pub(crate) fn leave_interrupts_to_the_parent() -> Option<SigAction> {
    // Calls that are under way go on, and a thread's small stack is spared.
    let flags = SaFlags::SA_RESTART | SaFlags::SA_ONSTACK;
    let survive = SigAction::new(SigHandler::Handler(do_nothing), flags, SigSet::empty());
    // SAFETY: the handler may run at any time, since it does nothing.
    let before = unsafe { sigaction(Signal::SIGINT, &survive) }.ok()?;
    if matches!(before.handler(), SigHandler::SigIgn) {
        restore_interrupts(&before);
    }
    Some(before)
}

/// Undoes it, in this process or a copy of it.
pub(crate) fn restore_interrupts(before: &SigAction) {
    // SAFETY: the action was in force before in this process, or in one of which
    // this is a copy, so its handler is there.
    let _ = unsafe { sigaction(Signal::SIGINT, before) };
}

extern "C" fn do_nothing(_: libc::c_int) {}
