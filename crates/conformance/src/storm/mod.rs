//! The kill storm: workers are killed all the time, at random, while a pool
//! runs maps whose results are known.

mod killer;
mod report;
mod rounds;

use std::{
    num::NonZeroUsize,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use multiproc::{
    Result, StartMethod,
    pool::{Bulk, Pool},
};

pub use self::report::Report;
use self::{
    killer::Killer,
    report::{Memory, Pace, Total},
    rounds::{Rounds, Tally},
};
use crate::{
    census::{Census, own_memory},
    isolation::start_fork_server,
    options,
};

/// Kills workers of a pool at random while it runs maps whose results are known
///
/// Phases of storm alternate with undisturbed ones, a fifth of the time, to
/// which throughput is compared. Fails if a result is wrong or lost, anything
/// is left, the parent's memory grows, or throughput is halved.
#[derive(Clone, Debug, Parser)]
pub struct Storm {
    /// How long all of it takes, in seconds
    #[arg(long, default_value = "60", value_parser = options::positive)]
    pub seconds: f64,
    /// Workers of the pool
    #[arg(long, default_value = "4")]
    pub workers: NonZeroUsize,
    /// Workers killed in every second of the storm
    #[arg(long, default_value = "25", value_parser = options::positive)]
    pub kills_per_second: f64,
    /// How workers are started: spawn, fork or forkserver; otherwise all
    /// three, one after the other
    #[arg(long)]
    pub start_method: Option<StartMethod>,
    /// Of the random numbers that say who is killed and when
    #[arg(long, default_value = "1")]
    pub seed: u64,
}

/// The share of the time in which nobody is killed.
const CALM: f64 = 0.2;

/// Long enough for some rounds of maps in each phase.
const LONGEST_PERIOD: Duration = Duration::from_secs(10);

/// The example: a storm as the command line says.
#[must_use]
pub fn main<T: Bulk>() -> ExitCode {
    let storm = Storm::parse();
    let (mut total, mut has_failed) = (Total::default(), false);
    let methods = options::methods(storm.start_method);
    for &method in &methods {
        let seconds = storm.seconds / methods.len() as f64;
        let storm = Storm { seconds, ..storm.clone() };
        let report = match storm.rage::<T>(method) {
            Ok(report) => report,
            Err(error) => {
                eprintln!("{method}: {error}");
                return ExitCode::FAILURE;
            }
        };
        println!("{report}");
        let mut failures = report.failures();
        failures.extend(report.slowness());
        failures.iter().for_each(|failure| eprintln!("{method}: {failure}"));
        has_failed |= !failures.is_empty();
        total.add(&report);
    }
    println!("{total}");
    if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

impl Storm {
    /// Rages, with one start method.
    ///
    /// # Errors
    ///
    /// If the pool cannot be built.
    pub fn rage<T: Bulk>(&self, method: StartMethod) -> Result<Report> {
        start_fork_server();
        let before = Census::take();
        let workers = self.workers.get();
        let pool = Pool::<T>::builder().workers(workers).start_method(method).build()?;
        let mut work = Work { rounds: Rounds::new(&pool)?, pool: &pool, tally: Tally::default() };
        // The first ones learn how long the tasks take.
        work.go();
        let (mut calm, mut storm, mut memory) =
            (Pace::default(), Pace::default(), Memory::default());
        let mut killer = Killer::new(self.seed, self.kills_per_second);
        let all = Duration::from_secs_f64(self.seconds);
        let period = LONGEST_PERIOD.min(all / 4);
        let until = Instant::now() + all;
        while Instant::now() < until && work.tally.lost == 0 {
            calm.add(work.go_on_for(period.mul_f64(CALM), || ()));
            let goes_on = AtomicBool::new(true);
            storm.add(thread::scope(|scope| {
                scope.spawn(|| killer.rage(&pool, &goes_on));
                let time = period.mul_f64(1.0 - CALM);
                let pace = work.go_on_for(time, || memory.note(own_memory()));
                goes_on.store(false, Relaxed);
                pace
            }));
        }
        // Whoever was killed last is noticed before the pool is told to end.
        work.go();
        let tally = work.tally;
        let healed = pool.statistics().workers_healed;
        drop(work);
        let end = pool.shutdown().err();
        let (kills, left) = (killer.kills, before.left());
        let wanted = self.kills_per_second;
        Ok(Report { method, kills, wanted, healed, tally, calm, storm, memory, end, left })
    }
}

/// What the pool is kept busy with.
struct Work<'p, T: Bulk> {
    pool: &'p Pool<T>,
    rounds: Rounds<T>,
    tally: Tally,
}

impl<T: Bulk> Work<'_, T> {
    fn go(&mut self) {
        self.tally.add(self.rounds.go(self.pool));
    }

    /// Whole rounds until `time` is over, or one has lost something, as all that
    /// follow would. After each of them `then` is called.
    fn go_on_for(&mut self, time: Duration, mut then: impl FnMut()) -> Pace {
        let begun = Instant::now();
        let mut rounds = 0;
        while begun.elapsed() < time && self.tally.lost == 0 {
            self.go();
            then();
            rounds += 1;
        }
        Pace { rounds, time: begun.elapsed() }
    }
}
