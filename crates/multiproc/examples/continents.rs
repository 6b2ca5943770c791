//! A process that relies on a default, and three that bring their own values.
//!
//! Python writes the default into the signature and leaves the argument out:
//!
//! ```python
//! def print_continent(continent='Asia'): ...
//! Process(target=print_continent)
//! Process(target=print_continent, args=('America',))
//! ```
//!
//! In Rust the argument is an `Option`, and `None` stands for the default.

use std::io::{Write, stdout};

use multiproc::Process;

fn print_continent(continent: Option<String>) {
    let continent = continent.as_deref().unwrap_or("Asia");
    let _ = writeln!(stdout(), "The name of continent is: {continent}");
}

fn main() -> multiproc::Result<()> {
    multiproc::init();
    let continents = [None, Some("America"), Some("Europe"), Some("Africa")];
    let mut processes = continents.map(|continent| {
        // What a process is given must be its own: a `String`, not a `&str`.
        Process::new(print_continent, continent.map(str::to_owned))
    });
    for process in &mut processes {
        process.start()?;
    }
    for process in &mut processes {
        process.join()?;
    }
    Ok(())
}
