//! Kills workers of a pool all the time while it runs maps whose results are
//! known, and compares what it does with what it does undisturbed.
//!
//! `cargo run --release -p shm-pool --example kill_storm -- --seconds 600`

use std::process::ExitCode;

fn main() -> ExitCode {
    shm_pool::init(); // child processes start here and never return
    conformance::storm::main::<shm_pool::SharedMemoryRings>()
}
