//! `driver doctor`: whether this machine is fit for measuring.

use crate::{cli::DoctorArgs, doctor::Diagnosis, error::Error, outcome::End, printing};

/// Examines the machine and prints what was found.
///
/// # Errors
///
/// If standard output cannot be written.
pub(super) fn execute(arguments: DoctorArgs) -> Result<End, Error> {
    let diagnosis = Diagnosis::make();
    let text = match arguments.json {
        true => diagnosis.json(),
        false => diagnosis.page(printing::width()),
    };
    printing::print(&text).map_err(Error::output)?;
    Ok(if diagnosis.is_fit() { End::Complete } else { End::Warned })
}
