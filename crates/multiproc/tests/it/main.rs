//! Processes and boards from the outside.
//!
//! The test harness is threaded, so what needs `fork` runs in a process that
//! was spawned for it.

mod board;
mod process;

use std::time::Duration;

use multiproc::{Child, EntryPoint, ExitStatus, Inheritance, StartMethod};

/// Longer than anything here takes on a machine that is not on fire.
const WATCHDOG: Duration = Duration::from_secs(30);

fn start(method: StartMethod, entry: EntryPoint, inheritance: Inheritance) -> Child {
    multiproc::start(method, "test", entry, inheritance).unwrap_or_else(|error| panic!("{error}"))
}

fn end_of(child: &mut Child) -> ExitStatus {
    let status = child.wait(Some(WATCHDOG)).unwrap_or_else(|error| panic!("{error}"));
    status.unwrap_or_else(|| panic!("process {} hangs", child.pid()))
}

/// Runs `test`, which may panic, in a spawned process.
fn in_a_process_of_its_own<F: Fn() + Copy + Send + 'static>(test: F) {
    let entry = EntryPoint::new(move |_| test());
    let status = end_of(&mut start(StartMethod::Spawn, entry, Inheritance::default()));
    assert!(status.success(), "it {status}; its message is above");
}
