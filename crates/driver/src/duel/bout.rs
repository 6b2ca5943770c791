//! Two runners of one cell and how they take turns.

use std::time::Duration;

use harness::{Configuration, Job, Placement};

use super::{Build, Side};
use crate::{
    client::{Runner, Trouble, launch},
    interrupt::Interrupt,
    measure::sample::{self, Nonces},
};

/// One runner of one build.
struct Fighter {
    runner: Runner,
    nonces: Nonces,
}

/// The runners of both builds for one cell.
pub(super) struct Pair {
    job: Job,
    fighters: [Fighter; 2],
}

/// Why a pair cannot go on.
pub(super) enum Loss {
    Interrupted,
    Failed(Side, harness::record::Failure),
}

impl Pair {
    /// Starts both, the first of `order` first, and warms them up.
    pub(super) fn start(
        builds: [&Build; 2],
        (configuration, job, placement): (&Configuration, Job, Placement),
        order: [Side; 2],
        (deadline, interrupt): (Duration, &Interrupt),
        seed: u64,
    ) -> Result<Self, Loss> {
        let mut launched = [const { None }; 2];
        for side in order {
            let build = builds[side as usize];
            let (program, arguments) = (&build.program, &build.arguments);
            let process = launch::launch_build(program, arguments, configuration, placement)
                .map_err(|trouble| Loss::of(side, trouble))?;
            let interrupt = interrupt.clone();
            let runner = Runner::new(process, configuration, placement, deadline, interrupt);
            let nonces = Nonces::new(seed, [side as u64, 0, 0]);
            launched[side as usize] = Some(Fighter { runner, nonces });
        }
        let fighters = launched.map(|one| one.expect("an order has both sides"));
        let mut pair = Self { job, fighters };
        for side in order {
            pair.fighters[side as usize].warm_up(job).map_err(|trouble| Loss::of(side, trouble))?;
        }
        Ok(pair)
    }

    /// Both run twice, in the order A B B A, and `first` is A: the logarithm of
    /// head's time over base's, of geometric means.
    pub(super) fn bout(&mut self, first: Side) -> Result<f64, Loss> {
        let second = Side::BOTH[1 - first as usize];
        let mut log_times = [0.0; 2];
        for side in [first, second, second, first] {
            let fighter = &mut self.fighters[side as usize];
            let wall_ns = sample::checked_run(&mut fighter.runner, self.job, &mut fighter.nonces)
                .map_err(|trouble| Loss::of(side, trouble))?;
            log_times[side as usize] += (wall_ns.max(1) as f64).ln();
        }
        Ok((log_times[Side::Head as usize] - log_times[Side::Base as usize]) / 2.0)
    }

    pub(super) fn pids(&self) -> [u32; 2] {
        self.fighters.each_ref().map(|fighter| fighter.runner.pid())
    }

    /// Ends both in order.
    pub(super) fn end(mut self) {
        self.fighters.iter_mut().for_each(|fighter| fighter.runner.quit());
        self.fighters.into_iter().for_each(|fighter| fighter.runner.ended());
    }
}

impl Fighter {
    fn warm_up(&mut self, job: Job) -> Result<(), Trouble> {
        self.runner.greet()?;
        self.runner.start()?;
        self.runner.load(job)?;
        sample::checked_run(&mut self.runner, job, &mut self.nonces).map(drop)
    }
}

impl Loss {
    fn of(side: Side, trouble: Trouble) -> Self {
        match trouble {
            Trouble::Failed(failure) => Self::Failed(side, failure),
            Trouble::Interrupted => Self::Interrupted,
        }
    }
}
