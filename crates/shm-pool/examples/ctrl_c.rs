//! Presses Ctrl-C in a terminal where a program runs maps in a pool, and
//! measures how soon it is gone with all of its workers.
//!
//! `cargo run --release -p shm-pool --example ctrl_c`

use std::process::ExitCode;

fn main() -> ExitCode {
    shm_pool::init(); // child processes start here and never return
    conformance::pools::interrupts::main::<shm_pool::SharedMemoryRings>()
}
