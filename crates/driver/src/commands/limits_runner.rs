//! `driver limits-runner`: measures one figure for a driver.

use std::time::Duration;

use limits::Terms;
use nix::sys::signal::Signal;

use super::tether;
use crate::{cli::LimitsRunnerArgs, config::suggest, error::Error, outcome::End};

/// Measures, and says what it finds in lines of JSON.
///
/// # Errors
///
/// If there is no such figure, or the driver hangs up.
pub(super) fn execute(arguments: LimitsRunnerArgs) -> Result<End, Error> {
    let broken = |cause| Error::System {
        what: "the pipe to the driver broke".to_owned(),
        cause,
        help: "this command is for the driver's own use",
    };
    tether::tie_to(arguments.parent, Signal::SIGKILL).map_err(broken)?;
    let Some(figure) = limits::find(&arguments.figure) else {
        let known = limits::FIGURES.iter().map(|figure| figure.name);
        let help = suggest::among(&arguments.figure, known);
        return Err(Error::Argument(format!("unknown figure\nhelp: {help}")));
    };
    let time = Duration::from_secs_f64(arguments.seconds.max(0.0));
    let terms = Terms { time, python_script: arguments.python_script };
    limits::perform(figure, &terms, std::io::stdout()).map_err(broken)?;
    Ok(End::Complete)
}
