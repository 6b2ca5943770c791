//! Dying with the parent.

use nix::{sys::signal::Signal, unistd::Pid};

/// Arranges that this process is killed when the thread that started it ends,
/// and ends it at once if that has happened already.
///
/// The kernel's signal is bound to the *thread* that called `fork`; see
/// [`launcher`](super::launcher) for how that is made to last as long as the
/// process.
pub(crate) fn die_with_parent(parent: Pid) {
    let armed = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
    // The parent may have died before the signal was armed; then this process
    // has been given to another one.
    if armed.is_err() || nix::unistd::getppid() != parent {
        // SAFETY: _exit has no preconditions.
        unsafe { libc::_exit(1) };
    }
}
