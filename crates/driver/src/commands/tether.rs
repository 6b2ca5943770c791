//! Ties a child of the driver to the driver's life.

use std::io;

use nix::{
    sys::{prctl, signal::Signal},
    unistd::getppid,
};

/// Has the kernel send `signal` to this process when its parent ends, and
/// ends it at once if that has happened already.
///
/// The check comes after arming: a parent that ends in between is noticed by
/// one or the other.
///
/// # Errors
///
/// If the kernel refuses.
pub(super) fn tie_to(parent: u32, signal: Signal) -> io::Result<()> {
    prctl::set_pdeathsig(signal)?;
    if getppid().as_raw().cast_unsigned() != parent {
        std::process::exit(0);
    }
    Ok(())
}
