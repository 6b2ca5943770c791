//! The three start methods side by side: how long it takes to start a process
//! that does nothing, and to join it.
//!
//! Python chooses one for all, or a context for some:
//!
//! ```python
//! multiprocessing.set_start_method('spawn')
//! multiprocessing.get_context('forkserver').Process(target=nothing)
//! ```

use std::{
    io::{Write, stdout},
    time::{Duration, Instant},
};

use multiproc::{Process, Result, StartMethod};

/// Odd, so that there is one in the middle.
const ROUNDS: usize = 21;

fn nothing((): ()) {}

fn start_and_join(method: StartMethod) -> Result<Duration> {
    let begin = Instant::now();
    let mut process = Process::new(nothing, ()).start_method(method);
    process.start()?;
    process.join()?;
    Ok(begin.elapsed())
}

fn main() -> Result<()> {
    multiproc::init();
    let mut out = stdout();
    let _ = writeln!(out, "{:<12}{:>10}{:>10}", "method", "first", "median");
    for method in StartMethod::ALL {
        // The first one pays for what is needed once: the fork server itself.
        let first = start_and_join(method)?;
        let mut times: Vec<_> =
            (0..ROUNDS).map(|_| start_and_join(method)).collect::<Result<_>>()?;
        times.sort();
        let [first, median] = [first, times[ROUNDS / 2]].map(|time| time.as_secs_f64() * 1e3);
        let _ = writeln!(out, "{method:<12}{first:>7.3} ms{median:>7.3} ms");
    }
    Ok(())
}
