//! `driver load`: somebody else's work, that comes and goes.

use std::{
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::tether;
use crate::{cli::LoadArgs, error::Error, outcome::End};

/// Works for a while and sleeps for a while, some tenths of a second to two
/// seconds each, until the driver ends.
///
/// # Errors
///
/// If it cannot be tied to the driver's life.
pub(super) fn execute(arguments: &LoadArgs) -> Result<End, Error> {
    tether::tie_to(arguments.parent, Signal::SIGKILL).map_err(|cause| Error::System {
        what: "cannot tie the load to the driver".to_owned(),
        cause,
        help: "this command is for the driver's own use",
    })?;
    let mut rng = Pcg64Mcg::seed_from_u64(arguments.seed);
    let mut a_while = || Duration::from_millis(rng.random_range(200..2_000));
    loop {
        let until = Instant::now() + a_while();
        while Instant::now() < until {
            std::hint::black_box(a_moments_work());
        }
        thread::sleep(a_while());
    }
}

/// Some microseconds of arithmetic.
fn a_moments_work() -> u64 {
    (0..10_000u64).fold(1, |x, i| (x ^ i).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}
