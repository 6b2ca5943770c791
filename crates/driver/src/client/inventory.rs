//! What a program, which may be no driver, says of the paths that it has.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    QUIT_GRACE,
    events::{Event, Silence},
    launch::{self, Process},
    shortened,
};
use crate::instructions::paths::Inventory;

/// A driver takes some milliseconds; a machine may be busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks `program` for its paths. Its first line decides; what does not end is killed.
///
/// # Errors
///
/// What it did in place of listing them.
pub(crate) fn ask(program: &Path) -> Result<Inventory, String> {
    let started = launch::launch_inventory(program);
    let mut process = started.map_err(|cause| format!("cannot be started: {cause}"))?;
    process.close_input();
    let rubbish = |said: &str| {
        format!("knows no paths to count: it said `{}`; is it a driver?", shortened(said))
    };
    match first(&mut process) {
        Ok(Event::Line { text, .. }) => {
            process.wait(QUIT_GRACE);
            serde_json::from_str(&text).map_err(|_| rubbish(&text))
        }
        Ok(Event::Noise(said)) => Err(rubbish(&said)),
        Err(Silence::End) => Err(end_of(&process)),
        Err(Silence::StillNothing) => {
            let patience = humantime::format_duration(PATIENCE);
            Err(format!("did not list its paths within {patience}; is it a driver?"))
        }
    }
}

fn first(process: &mut Process) -> Result<Event, Silence> {
    let until = Instant::now() + PATIENCE;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match process.output().next(left) {
            // A signal, perhaps.
            Err(Silence::StillNothing) if !left.is_zero() => {}
            told => return told,
        }
    }
}

fn end_of(process: &Process) -> String {
    let end = process.wait(QUIT_GRACE);
    let end = end.unwrap_or_else(|| "closed its output".to_owned());
    let words = process.last_words();
    format!(
        "knows no paths to count: it {end}{words}; is it older than this command, or no driver?"
    )
}
