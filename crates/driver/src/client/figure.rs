//! The process that measures one figure of the limits.

use std::time::{Duration, Instant};

use limits::{Figure, Line, Terms};

use super::{
    INTERRUPT_INTERVAL, QUIT_GRACE,
    events::{Event, Silence},
    launch::{self, Process},
    next_event, shortened,
};
use crate::interrupt::{Interrupt, Interrupted};

/// What it said, and why it did not come to its end, if it did not.
type Said = (Vec<Line>, Option<String>);

/// Has `figure` measured, by a process that is killed if it is silent for
/// longer than `deadline`.
///
/// # Errors
///
/// If the user interrupts.
pub(crate) fn measure(
    figure: &Figure,
    terms: &Terms,
    deadline: Duration,
    interrupt: &Interrupt,
) -> Result<Said, Interrupted> {
    let mut process = match launch::launch_figure(figure.name, terms) {
        Ok(process) => process,
        Err(cause) => return Ok((Vec::new(), Some(format!("it cannot be started: {cause}")))),
    };
    let mut lines = Vec::new();
    loop {
        match next(&mut process, deadline, interrupt)? {
            Ok(line) => {
                let is_last = matches!(line, Line::Done | Line::NotMeasured { .. });
                lines.push(line);
                if is_last {
                    process.wait(QUIT_GRACE);
                    return Ok((lines, None));
                }
            }
            Err(failure) => return Ok((lines, Some(failure))),
        }
    }
}

/// The next line, or why there is none.
fn next(
    process: &mut Process,
    deadline: Duration,
    interrupt: &Interrupt,
) -> Result<Result<Line, String>, Interrupted> {
    let until = Instant::now() + deadline;
    loop {
        interrupt.check()?;
        let left = until.saturating_duration_since(Instant::now());
        match next_event(process, left.min(INTERRUPT_INTERVAL)) {
            Ok(Event::Line { text, .. }) => {
                let rubbish = |_| format!("its process said `{}`", shortened(&text));
                return Ok(serde_json::from_str(&text).map_err(rubbish));
            }
            // Whatever a peer prints is none of its lines.
            Ok(Event::Noise(_)) => {}
            Err(Silence::End) => return Ok(Err(end_of(process))),
            Err(Silence::StillNothing) if left.is_zero() => {
                let deadline = humantime::format_duration(deadline);
                let words = process.last_words();
                return Ok(Err(format!("its process was silent for {deadline}{words}")));
            }
            Err(Silence::StillNothing) => {}
        }
    }
}

fn end_of(process: &Process) -> String {
    let end = process.wait(QUIT_GRACE);
    let end = end.unwrap_or_else(|| "closed its output without ending".to_owned());
    format!("its process {end}{}", process.last_words())
}
