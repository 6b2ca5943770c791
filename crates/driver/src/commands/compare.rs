//! `driver compare A B`: two saved sweeps, cell by cell.

use std::{fs, path::Path};

use harness::{environment::Environment, record::Record};
use report::comparison::{self, Side};

use crate::{cli::CompareArgs, error::Error, outcome::End, printing, storage::Folder};

/// A folder and what is read from it.
struct Sweep {
    name: String,
    environment: Option<Environment>,
    records: Vec<Record>,
}

/// Prints the comparison, which decides nothing: the end is complete, whatever
/// it says.
///
/// # Errors
///
/// If a folder cannot be read, or the Markdown file or standard output cannot
/// be written.
pub(super) fn execute(arguments: &CompareArgs) -> Result<End, Error> {
    let [a, b] = [Sweep::read(&arguments.a)?, Sweep::read(&arguments.b)?];
    let comparison = comparison::compare(&a.side(), &b.side());
    if let Some(path) = &arguments.markdown {
        fs::write(path, comparison.markdown()).map_err(|cause| Error::System {
            what: format!("cannot write `{}`", path.display()),
            cause,
            help: "name a file in a folder that exists and that you may write to",
        })?;
    }
    let text = match arguments.json {
        true => comparison.json(),
        false => comparison.terminal(printing::width(), printing::color()),
    };
    printing::print(&text).map_err(Error::output)?;
    Ok(End::Complete)
}

impl Sweep {
    fn read(path: &Path) -> Result<Self, Error> {
        let folder = Folder::existing(path);
        Ok(Self {
            name: path.display().to_string(),
            records: folder.records()?,
            environment: folder.environment_if_kept()?,
        })
    }

    fn side(&self) -> Side<'_> {
        Side { name: &self.name, environment: self.environment.as_ref(), records: &self.records }
    }
}
