//! `driver exec`: a warden between the driver and a command from a config.
//!
//! A foreign runner knows nothing of the driver's rule that no process
//! outlives it, and neither do the processes that it starts. The warden does:
//! it leads their process group, and when the driver ends it kills the group,
//! itself included.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    process::{Command, ExitCode, ExitStatus},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::{dup2_stdout, getpgrp},
};
use signal_hook::{
    consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use super::tether;
use crate::{cli::ExecArgs, error::Error};

/// What shells return for a command that cannot be started.
const NOT_STARTED: u8 = 127;

/// Runs the command to its end and passes its exit code on.
///
/// # Errors
///
/// If signals cannot be watched.
pub(super) fn execute(arguments: &ExecArgs) -> Result<ExitCode, Error> {
    watch(arguments).map_err(|cause| Error::System {
        what: "cannot watch over the command".to_owned(),
        cause,
        help: "this command is for the driver's own use",
    })
}

fn watch(arguments: &ExecArgs) -> io::Result<ExitCode> {
    // Before the command is started, so that no end of it is missed.
    let mut signals = Signals::new([SIGCHLD, SIGTERM, SIGINT, SIGHUP])?;
    tether::tie_to(arguments.parent, Signal::SIGTERM)?;
    let (program, rest) = arguments.command.split_first().expect("clap requires one");
    let mut child = match Command::new(program).args(rest).spawn() {
        Ok(child) => child,
        Err(cause) => {
            eprintln!("cannot start `{}`: {cause}", program.display());
            return Ok(ExitCode::from(NOT_STARTED));
        }
    };
    // The driver is to see where the command's output ends, even if it lives on.
    dup2_stdout(io::stderr())?;
    for signal in signals.forever() {
        if signal != SIGCHLD {
            killpg(getpgrp(), Signal::SIGKILL)?;
        } else if let Some(status) = child.try_wait()? {
            return Ok(exit_code(status));
        }
    }
    Ok(ExitCode::FAILURE)
}

/// The command's own, or 128 + the signal that ended it, as shells have it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
