//! Processes from the outside.
//!
//! The test harness is threaded, so what needs `fork` runs in a process that
//! was spawned for it.

mod bulk;
mod connection;
mod contexts;
mod dice;
mod examples;
mod isolation;
mod manager;
mod memory;
mod process;
mod processes;
mod processors;
mod queue;
mod ring;
mod sync;

use isolation::{WATCHDOG, in_a_process_of_its_own, with_every_start_method};
use multiproc::{Child, EntryPoint, ExitStatus, Inheritance, StartMethod};

fn start(method: StartMethod, entry: EntryPoint, inheritance: Inheritance) -> Child {
    multiproc::start(method, "test", entry, inheritance).unwrap_or_else(|error| panic!("{error}"))
}

fn end_of(child: &mut Child) -> ExitStatus {
    let status = child.wait(Some(WATCHDOG)).unwrap_or_else(|error| panic!("{error}"));
    status.unwrap_or_else(|| panic!("process {} hangs", child.pid()))
}
