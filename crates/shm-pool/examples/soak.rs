//! Executes ten million small tasks, then builds ten thousand pools and ends
//! them: this process has no more memory, descriptors and mappings then than
//! it had after the first ones.
//!
//! `cargo run --release -p shm-pool --example soak`

use std::process::ExitCode;

fn main() -> ExitCode {
    shm_pool::init(); // child processes start here and never return
    conformance::soak::main::<shm_pool::SharedMemoryRings>()
}
