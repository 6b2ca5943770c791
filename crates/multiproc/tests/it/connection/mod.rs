//! Connections between processes.

mod faults;
mod handles;
mod messages;
mod ported;

use multiproc::{Process, StartMethod};
use serde::{Serialize, de::DeserializeOwned};

/// A process that runs `target`.
fn started<A, F>(method: StartMethod, target: F, arguments: A) -> Process
where
    A: Serialize + DeserializeOwned + Send + 'static,
    F: Fn(A) + Copy + Send + 'static,
{
    let mut process = Process::new(target, arguments).start_method(method);
    process.start().unwrap();
    process
}

/// Waits for the process, which must have ended well.
fn succeeds(mut process: Process) {
    process.join().unwrap();
    assert_eq!(process.exit_code(), Some(0), "its message is above");
}

/// Waits until the process sleeps.
fn asleep(pid: i32) {
    let state = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.starts_with('S')
    };
    while !state() {
        std::thread::yield_now();
    }
}
