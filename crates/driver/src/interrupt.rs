//! Ctrl-C: the first is a request to end in order, the second ends at once.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

use crate::outcome::End;

/// Whether the user has asked the sweep to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

/// The user asked to end; carried up as an error so that everything on the
/// way is dropped, which ends every child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interrupted;

impl Interrupt {
    /// Watches SIGINT, SIGTERM and SIGHUP from now on, but for those that whoever
    /// started this process has had ignored: `nohup` the hang-up, a script Ctrl-C for
    /// what it puts into the background.
    ///
    /// The second signal ends the process on the spot: the runners' parent-death
    /// signal ends them then.
    ///
    /// # Errors
    ///
    /// If a handler cannot be installed.
    pub(crate) fn watch() -> io::Result<Self> {
        let interrupt = Self::default();
        let ignored = ignored();
        let is_heard = |signal: &i32| ignored >> (signal - 1) & 1 == 0;
        for signal in [SIGINT, SIGTERM, SIGHUP].into_iter().filter(is_heard) {
            // The order matters: the shutdown looks at the flag that the
            // handler registered after it sets.
            let code = End::Interrupted.code().into();
            flag::register_conditional_shutdown(signal, code, Arc::clone(&interrupt.0))?;
            flag::register(signal, Arc::clone(&interrupt.0))?;
        }
        Ok(interrupt)
    }

    /// # Errors
    ///
    /// [`Interrupted`] from the first signal on.
    pub(crate) fn check(&self) -> Result<(), Interrupted> {
        // Only the flag itself matters; nothing is published through it.
        if self.0.load(Ordering::Relaxed) { Err(Interrupted) } else { Ok(()) }
    }
}

/// The signals that this process ignores, the first in the lowest bit. `sigaction`
/// would tell as well, but asks for unsafe code. None where `/proc` has less to say than
/// Linux's: to end on Ctrl-C is worth more there than to outlive a hang-up.
fn ignored() -> u64 {
    let status = procfs::process::Process::myself().and_then(|me| me.status());
    status.map_or(0, |status| status.sigign)
}
