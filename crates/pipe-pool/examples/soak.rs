//! Executes ten million small tasks, then builds ten thousand pools and ends
//! them: this process has no more memory, descriptors and mappings then than
//! it had after the first ones.
//!
//! `cargo run --release -p pipe-pool --example soak`

use std::process::ExitCode;

fn main() -> ExitCode {
    pipe_pool::init(); // child processes start here and never return
    conformance::soak::main::<pipe_pool::Pipes>()
}
