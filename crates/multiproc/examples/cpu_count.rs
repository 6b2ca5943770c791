//! The number of CPUs: those that this process may use, and all that the
//! machine has.
//!
//! They differ under `taskset` and in a container with a quota. To start as
//! many workers as the machine has CPUs is then too many:
//!
//! ```python
//! multiprocessing.cpu_count()  # all of the machine
//! ```

use std::io::{Write, stdout};

fn main() -> multiproc::Result<()> {
    multiproc::init();
    let mut out = stdout();
    let _ = writeln!(out, "CPUs that this process may use: {}", multiproc::cpu_count());
    let _ = writeln!(out, "CPUs of this machine: {}", multiproc::host_cpu_count());
    Ok(())
}
