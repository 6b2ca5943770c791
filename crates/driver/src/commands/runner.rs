//! `driver runner`: hosts one backend for a driver.

use harness::{Backend, BackendError, Configuration, Running, Strategy};
use nix::sys::signal::Signal;

use super::tether;
use crate::{backends, cli::RunnerArgs, config::suggest, error::Error, outcome::End};

/// Speaks the protocol until it is told to quit or the driver is gone.
///
/// # Errors
///
/// If there is no such backend, it does not know the configuration, or the
/// driver hangs up in the middle of a line.
pub(super) fn execute(arguments: RunnerArgs) -> Result<End, Error> {
    let broken = |cause| Error::System {
        what: "the pipe to the driver broke".to_owned(),
        cause,
        help: "requests are single lines of JSON; `crates/harness/src/protocol.rs` describes them",
    };
    if let Some(parent) = arguments.parent {
        tether::tie_to(parent, Signal::SIGKILL).map_err(broken)?;
    }
    let Some(entry) = backends::find(&arguments.backend) else {
        let help = suggest::among(&arguments.backend, backends::ALL.iter().map(|entry| entry.name));
        let problem = format!("`--backend {}`: unknown backend\nhelp: {help}", arguments.backend);
        return Err(Error::Argument(problem));
    };
    let strategy = Strategy { backend: arguments.backend, start_method: arguments.start_method };
    let configuration = Configuration { strategy, workers: arguments.workers };
    let backend =
        (entry.construct)(&configuration).unwrap_or_else(|error| Box::new(Refused(error)));
    harness::runner::serve(backend.as_ref()).map_err(broken)?;
    Ok(End::Complete)
}

/// A configuration that its backend does not know: the driver hears the
/// reason, typed, as the answer to its first request.
struct Refused(BackendError);

impl Backend for Refused {
    fn start(&self) -> Result<Box<dyn Running>, BackendError> {
        Err(self.0.clone())
    }
}
