//! Connections between processes.

mod deaths;
mod exhaustion;
mod handles;
mod messages;
mod ported;
mod vandals;

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

/// A message that says what it should look like: its number, its writer, and
/// as many bytes as follow from the number.
fn message(writer: u8, number: u32) -> (u8, u32, String) {
    const LENGTHS: [usize; 8] = [0, 10, 5000, 65_000, 65_530, 66_000, 300_000, 2_000_000];
    let letter = char::from(b'a' + (number % 26) as u8);
    (writer, number, letter.to_string().repeat(LENGTHS[number as usize % LENGTHS.len()]))
}
