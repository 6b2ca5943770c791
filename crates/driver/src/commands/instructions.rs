//! `driver instructions`: a gate without noise.

use std::path::{Path, PathBuf};

use super::files::{Files, driver_at};
use crate::{
    cli::InstructionsArgs,
    error::Error,
    instructions::{self, Build, Counted, INSTALL, Valgrind, count, telling::Told},
    outcome::End,
    printing,
};

/// Counts this build, or another one, and compares it with base if there is one.
///
/// # Errors
///
/// If the arguments are not usable, or the folder cannot be written.
pub(super) fn execute(arguments: &InstructionsArgs) -> Result<End, Error> {
    let head = match &arguments.head {
        Some(path) => driver_at(path, "--head")?,
        None => this_build()?,
    };
    let base = arguments.base.as_deref().map(|path| driver_at(path, "--base")).transpose()?;
    let head = Build::ask(head).map_err(|why| {
        Error::Argument(format!("head {why}\nhelp: name a driver like this one with `--head`"))
    })?;
    let base = base.map(Build::ask);
    let of_base = base.as_ref().and_then(|base| base.as_ref().ok());
    check_names(&arguments.paths, [Some(&head), of_base])?;
    let valgrind = match Valgrind::find() {
        Ok(valgrind) => valgrind,
        Err(why) => {
            printing::note(&format!("nothing is counted: {why}\nhelp: {INSTALL}"));
            return Ok(End::Inconclusive);
        }
    };
    let is_wanted = |name: &str| is_wanted(&arguments.paths, name);
    let counted = count(&valgrind, &head, is_wanted);
    let base = base.map(|base| count_base(&valgrind, base, &counted, is_wanted));
    let margin = arguments.margin / 100.0;
    let judged = instructions::judge(counted, base.as_deref(), margin);
    let names = [&arguments.base, &arguments.head];
    let names = names.map(|name| name.as_ref().map(|path| path.display().to_string()));
    let told = Told {
        judged: &judged,
        margin,
        builds: (names[0].as_deref(), names[1].as_deref().unwrap_or("this build")),
        version: &valgrind.version,
        instruction_set: &head.inventory.instruction_set,
        outcome: instructions::outcome(&judged),
    };
    // If either cannot be done, the other has kept the verdicts.
    let written = arguments.out.as_ref().map_or(Ok(()), |folder| write(folder, &told));
    printing::print(&told.text()).map_err(Error::output)?;
    written?;
    Ok(told.outcome.end())
}

/// The paths of base that are wanted, whether head has them or not. A base that knows
/// of none is a reason in the table, not an error: it is what it is.
fn count_base(
    valgrind: &Valgrind,
    base: Result<Build, String>,
    head: &[Counted],
    is_wanted: impl Fn(&str) -> bool,
) -> Vec<Counted> {
    match base {
        Ok(base) => count(valgrind, &base, is_wanted),
        Err(why) => head
            .iter()
            .map(|one| Counted { facts: one.facts.clone(), count: Err(why.clone()) })
            .collect(),
    }
}

/// By its name, which valgrind needs: `/proc/self/exe` would be valgrind's own.
fn this_build() -> Result<PathBuf, Error> {
    let named = std::env::current_exe().and_then(|path| path.canonicalize());
    named.map_err(|cause| Error::System {
        what: "cannot find this program's file".to_owned(),
        cause,
        help: "name it with `--head`",
    })
}

fn is_wanted(wanted: &[String], name: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()))
}

/// Each of `wanted` must be in the name of a path of a build that is counted, which may
/// be older or newer than this one.
fn check_names(wanted: &[String], counted: [Option<&Build>; 2]) -> Result<(), Error> {
    let paths = counted.into_iter().flatten().flat_map(|build| &build.inventory.paths);
    let mut names: Vec<&str> = Vec::new();
    for name in paths.map(|facts| &*facts.name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let is_unknown = |part: &&String| !names.iter().any(|name| name.contains(part.as_str()));
    match wanted.iter().find(is_unknown) {
        None => Ok(()),
        Some(part) => Err(Error::Argument(format!(
            "`--paths {part}`: no path has that in its name\nhelp: choose among {}",
            names.join(", ")
        ))),
    }
}

fn write(folder: &Path, told: &Told<'_>) -> Result<(), Error> {
    let files = Files {
        json: ("instructions.json", told.json()),
        summary: told.markdown(),
        annotations: told.annotations(),
        figures: told.figures(),
    };
    files.write(folder)
}
