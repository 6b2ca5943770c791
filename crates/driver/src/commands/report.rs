//! `driver report DIR`: redraws a report from its records.

use super::{drawing, limits};
use crate::{
    cli::ReportArgs, config::Config, error::Error, outcome::End, printing, storage::Folder,
};

/// Draws everything again, measuring nothing, and prints the tables.
///
/// # Errors
///
/// If the folder is not a sweep's, or cannot be written.
pub(super) fn execute(arguments: &ReportArgs) -> Result<End, Error> {
    let folder = Folder::existing(&arguments.folder);
    let config = Config::kept_in(&folder)?;
    if config.limits.is_some() {
        return limits::redraw(&folder);
    }
    let environment = folder.environment()?;
    let config_toml = folder.config_text()?;
    let records = folder.records()?;
    let end = drawing::end_of(&records);
    let data = drawing::sweep_data(environment, &config, config_toml, records);
    drawing::draw(&folder, &data)?;
    printing::note(&drawing::where_it_is(&folder));
    Ok(end)
}
