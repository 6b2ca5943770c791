//! One turn of one runner: prepared, run, checked, and not believed blindly.

use std::time::Duration;

use harness::{FailureKind, Job, protocol::Phase, record::Outcome};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::client::{Claim, Runner, Trouble};

/// The smallest job there is: what the first task of a fresh pool computes.
const fn first_job(job: Job) -> Job {
    Job { workload: job.workload, tasks: 1, task_size: 1 }
}

/// Names of inputs, no two alike for a runner.
///
/// They stay below 2⁵³, so that a runner in a language whose numbers are
/// doubles reads them exactly.
#[derive(Debug)]
pub(crate) struct Nonces(u64);

impl Nonces {
    /// A sequence that depends on `seed` and on `who` asks.
    pub(crate) fn new(seed: u64, who: [u64; 3]) -> Self {
        let mut state = seed;
        for part in who {
            state = Pcg64Mcg::seed_from_u64(state ^ part).random();
        }
        Self(state >> 12)
    }

    fn next(&mut self) -> u64 {
        self.0 = (self.0 + 1) % (1 << 53);
        self.0
    }
}

/// The first task of a fresh pool; nanoseconds.
pub(crate) fn first_task(
    runner: &mut Runner,
    job: Job,
    nonces: &mut Nonces,
) -> Result<u64, Trouble> {
    let first = first_job(job);
    runner.load(first)?;
    checked_run(runner, first, nonces).map_err(Trouble::in_first_task)
}

/// A whole cycle from starting the pool to ending it. `before_end` is called
/// while the pool is still there, outside every clock.
pub(super) fn cold(
    runner: &mut Runner,
    job: Job,
    nonces: &mut Nonces,
    before_end: impl FnOnce(),
) -> Result<Outcome, Trouble> {
    let start_up_ns = runner.start()?;
    let first_task_ns = first_task(runner, job, nonces)?;
    runner.load(job)?;
    let wall_ns = checked_run(runner, job, nonces)?;
    before_end();
    let shutdown_ns = runner.stop()?;
    Ok(Outcome::Cold { start_up_ns, first_task_ns, wall_ns, shutdown_ns })
}

/// Has `runner` run the loaded `job` on a new input and checks the answer and
/// the time; nanoseconds.
///
/// A claim that looks too low is tried again: the driver itself may have been
/// displaced between the reply and its clock. A runner that times something
/// else than the work claims too little every time.
pub(crate) fn checked_run(
    runner: &mut Runner,
    job: Job,
    nonces: &mut Nonces,
) -> Result<u64, Trouble> {
    let mut tries = 0;
    loop {
        let nonce = nonces.next();
        runner.prepare(nonce)?;
        let claim = runner.run()?;
        let answer = runner.check()?;
        tries += 1;
        let expected = job.expected_checksum(nonce);
        if answer != expected {
            let problem = format!(
                "{job}: the checksum is {answer} and should be {expected}\nhelp: `driver verify` tells which jobs give wrong answers"
            );
            return Err(Trouble::failed(FailureKind::WrongAnswer, Phase::Check, problem));
        }
        match judge(claim) {
            Judgement::Plausible => return Ok(claim.ns),
            Judgement::TooLow if tries < TRIES => {}
            Judgement::TooLow | Judgement::TooHigh => return Err(implausible(claim)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    Plausible,
    TooLow,
    TooHigh,
}

/// Runs whose claims look too low before one is not believed: on a machine so
/// busy that the driver is displaced half of the time, one in thirty.
const TRIES: u32 = 5;

/// What may lie between the driver's request and the runner's clock on a busy
/// machine: two pipes, two wake-ups, a time slice lost to somebody else.
const OVERHEAD: Duration = Duration::from_millis(5);

/// Holds the claimed time against what passed outside.
///
/// The run lies within the request, so the claim cannot exceed it. It may be
/// shorter by the overhead of the pipes, but below half of what is left the
/// runner has timed something else than the work.
fn judge(claim: Claim) -> Judgement {
    if claim.is_too_long() {
        Judgement::TooHigh
    } else if claim.time() + OVERHEAD < claim.outside / 2 {
        Judgement::TooLow
    } else {
        Judgement::Plausible
    }
}

fn implausible(claim: Claim) -> Trouble {
    let problem = format!(
        "the runner claims {:?} for a run that took {:?} from outside\nhelp: time everything from the request to the point where every result can be read",
        claim.time(),
        claim.outside,
    );
    Trouble::failed(FailureKind::ImplausibleTime, Phase::Run, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(claimed_ms: u64, outside_ms: u64) -> Judgement {
        let outside = Duration::from_millis(outside_ms);
        judge(Claim { ns: claimed_ms * 1_000_000, outside })
    }

    #[test]
    fn a_claim_within_the_request_is_believed() {
        assert_eq!(judged(99, 100), Judgement::Plausible);
        assert_eq!(judged(60, 100), Judgement::Plausible);
        assert_eq!(judged(0, 9), Judgement::Plausible, "below the driver's resolution");
    }

    #[test]
    fn a_claim_outside_the_request_is_not_believed() {
        assert_eq!(judged(101, 100), Judgement::TooHigh);
        assert_eq!(judged(44, 100), Judgement::TooLow);
    }

    #[test]
    fn nonces_fit_a_double_and_differ_between_runners() {
        let mut a = Nonces::new(7, [1, 2, 3]);
        let mut b = Nonces::new(7, [1, 2, 4]);
        let (first, second) = (a.next(), a.next());
        assert!(first < 1 << 53 && first != second && b.next() != first);
    }
}
