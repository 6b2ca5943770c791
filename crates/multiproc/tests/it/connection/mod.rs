//! Connections between processes.

mod faults;
mod handles;
mod messages;
mod ported;

use crate::processes::{ends_well, started};

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
