//! `driver load`: somebody else's work, that comes and goes.

use std::{
    thread,
    time::{Duration, Instant},
};

use procfs::process::Process;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::{cli::LoadArgs, error::Error, outcome::End};

/// Between two looks at whether the other process is still there.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Works for a while and sleeps for a while, some tenths of a second to two
/// seconds each, until the process ends that the load is to end with.
///
/// # Errors
///
/// If there is no such process.
pub(super) fn execute(arguments: &LoadArgs) -> Result<End, Error> {
    let other = alive(arguments.parent)?;
    let mut rng = Pcg64Mcg::seed_from_u64(arguments.seed);
    let mut a_while = || Instant::now() + Duration::from_millis(rng.random_range(200..2_000));
    while other.is_alive() {
        spend(a_while(), &other, work);
        spend(a_while(), &other, thread::sleep);
    }
    Ok(End::Complete)
}

/// The process, known by its folder in `/proc`, which no successor with the same number
/// takes over.
fn alive(pid: u32) -> Result<Process, Error> {
    let process = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok());
    process.filter(Process::is_alive).ok_or_else(|| {
        let help = "name a process for whose life there is to be a load";
        Error::Argument(format!("`--parent {pid}`: there is no such process\nhelp: {help}"))
    })
}

/// Does `act` until the end of the time or of the other process.
fn spend(until: Instant, other: &Process, act: impl Fn(Duration)) {
    while other.is_alive() {
        match until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => return,
            left => act(left.min(BETWEEN_LOOKS)),
        }
    }
}

fn work(time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        std::hint::black_box(a_moments_work());
    }
}

/// Some microseconds of arithmetic.
fn a_moments_work() -> u64 {
    (0..10_000u64).fold(1, |x, i| (x ^ i).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}
