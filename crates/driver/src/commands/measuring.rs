//! What `sweep` and `table` share: measuring a config into a journal.

use std::{io, num::NonZeroUsize, time::Instant};

use crate::{
    config::Config,
    error::Error,
    interrupt::Interrupt,
    measure::{self, Bench, Stop, validity::Observer},
    plan,
    progress::Progress,
    storage::Journal,
};

/// How the measuring ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Every block is complete.
    Complete,
    /// The user asked to stop; the journal has what was measured.
    Interrupted,
}

/// Measures what `config` asks for and the journal does not have yet. The
/// time budget runs from `begun` on.
///
/// # Errors
///
/// If the journal cannot be written or signals cannot be watched.
pub(super) fn measure(
    config: &Config,
    cores: NonZeroUsize,
    journal: &mut Journal,
    progress: &mut Progress,
    begun: Instant,
) -> Result<Outcome, Error> {
    let interrupt = watch_signals()?;
    let plan = plan::blocks(config, cores);
    let observer = Observer::begin(config.validity);
    let mut bench = Bench { config, interrupt: &interrupt, journal, progress, observer };
    match measure::sweep(&mut bench, &plan, begun) {
        Ok(()) => Ok(Outcome::Complete),
        Err(Stop::Interrupted) => {
            journal.sync()?;
            Ok(Outcome::Interrupted)
        }
        Err(Stop::Storage(error)) => Err(error.into()),
    }
}

/// # Errors
///
/// If signal handlers cannot be installed.
pub(super) fn watch_signals() -> Result<Interrupt, Error> {
    Interrupt::watch().map_err(|cause: io::Error| Error::System {
        what: "cannot watch for Ctrl-C".to_owned(),
        cause,
        help: "run the driver outside the sandbox that forbids signal handlers",
    })
}
