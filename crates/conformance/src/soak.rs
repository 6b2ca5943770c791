//! The soak: a great many small tasks, and a great many pools, after which
//! this process has no more than before.

use std::{fmt, num::NonZeroUsize, process::ExitCode};

use clap::Parser;
use multiproc::{
    Result, StartMethod,
    pool::{Bulk, Pool},
};

use crate::{
    census::{Census, has_grown, own_memory, private_memory},
    isolation::start_fork_server,
    options,
};

/// Executes small tasks, then builds pools and ends them
///
/// Memory, descriptors and mappings of this process are printed at intervals,
/// and the memory of the workers that do the tasks. Fails if one of them grows, or a result is wrong.
#[derive(Clone, Debug, Parser)]
pub struct Soak {
    /// Small tasks
    #[arg(long, default_value = "10000000")]
    pub tasks: u64,
    /// Pools to build and to end
    #[arg(long, default_value = "10000")]
    pub pools: u64,
    /// Workers of a pool
    #[arg(long, default_value = "2")]
    pub workers: NonZeroUsize,
    /// How workers are started: spawn, fork or forkserver; otherwise a third
    /// of all in each way
    #[arg(long)]
    pub start_method: Option<StartMethod>,
}

/// Measurements of the tasks, and as many of the pools.
const INTERVALS: u64 = 10;

/// Tasks of one map.
const MAP_LEN: u64 = 50_000;

/// The example: a soak as the command line says.
#[must_use]
pub fn main<T: Bulk>() -> ExitCode {
    let soak = Soak::parse();
    let methods = options::methods(soak.start_method);
    let share = |of: u64| of.div_ceil(methods.len() as u64);
    let (tasks, pools) = (share(soak.tasks), share(soak.pools));
    let mut has_failed = false;
    for &method in &methods {
        let soak = Soak { tasks, pools, ..soak.clone() };
        let failures = soak.run::<T>(method, |line| println!("{method:<10} {line}"));
        let failures = failures.unwrap_or_else(|error| vec![error.to_string()]);
        failures.iter().for_each(|failure| eprintln!("{method}: {failure}"));
        has_failed |= !failures.is_empty();
    }
    let verdict = if has_failed { "failed" } else { "flat" };
    let all = |of: u64| of * methods.len() as u64;
    println!("tasks {}, pools {}, {verdict}", all(tasks), all(pools));
    if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

impl Soak {
    /// All of it with one start method; tells each measurement, and returns
    /// what has grown or is left.
    ///
    /// # Errors
    ///
    /// If a pool cannot be built, does not end in order, or fails a task.
    ///
    /// # Panics
    ///
    /// If a result is wrong.
    pub fn run<T: Bulk>(
        &self,
        method: StartMethod,
        mut tell: impl FnMut(String),
    ) -> Result<Vec<String>> {
        start_fork_server();
        let before = Census::take();
        let builder = || Pool::<T>::builder().workers(self.workers.get()).start_method(method);
        let pool = builder().build()?;
        let after_tasks = at_intervals("tasks", self.tasks, &mut tell, |tasks| {
            calculate(&pool, tasks)?;
            Ok(Measured::now(pool.pids()))
        })?;
        pool.shutdown()?;
        let mut built = 0;
        let after_pools = at_intervals("pools", self.pools, &mut tell, |pools| {
            for _ in 0..pools {
                built += 1;
                use_and_end(builder().build()?, built)?;
            }
            Ok(Measured::now(std::iter::empty()))
        })?;
        let mut failures = growth("tasks", &after_tasks);
        failures.extend(growth("pools", &after_pools));
        failures.extend(before.left());
        Ok(failures)
    }
}

fn calculate<T: Bulk>(pool: &Pool<T>, tasks: u64) -> Result<()> {
    for first in (0..tasks).step_by(MAP_LEN as usize) {
        let numbers = first..tasks.min(first + MAP_LEN);
        let results = pool.map(|x: u64| 3 * x, numbers.clone())?;
        assert!(results.into_iter().eq(numbers.map(|x| 3 * x)), "results are right");
    }
    Ok(())
}

/// Pools end in all ways in turn.
fn use_and_end<T: Bulk>(pool: Pool<T>, number: u64) -> Result<()> {
    let results = pool.map(|x: u64| 3 * x, 0..10)?;
    assert!(results.into_iter().eq((0..10).map(|x| 3 * x)), "results are right");
    match number % 3 {
        0 => pool.shutdown(),
        1 => {
            drop(pool);
            Ok(())
        }
        _ => {
            // With a thread that waits for the pool, and work under way.
            let results = pool.map_async(|x: u64| 3 * x, 0..1_000);
            drop(pool);
            drop(results);
            Ok(())
        }
    }
}

/// What this process has at one time.
struct Measured {
    memory: u64,
    /// Private memory of the workers that live on, all together.
    workers: u64,
    /// Descriptors, shared mappings, processes.
    counts: [usize; 3],
}

impl Measured {
    fn now(workers: impl Iterator<Item = i32>) -> Self {
        let counts = Census::take().counts();
        Self { memory: own_memory(), workers: private_memory(workers), counts }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [descriptors, mappings, processes] = self.counts;
        let [memory, workers] = [self.memory, self.workers].map(|bytes| bytes as f64 / 1e6);
        write!(
            f,
            "memory {memory:.2} MB, the workers' {workers:.2} MB, descriptors {descriptors}, mappings {mappings}, \
             processes {processes}"
        )
    }
}

/// Does `all` of something in intervals, after each of which is measured.
fn at_intervals(
    what: &str,
    all: u64,
    tell: &mut impl FnMut(String),
    mut act: impl FnMut(u64) -> Result<Measured>,
) -> Result<Vec<Measured>> {
    let mut measured = Vec::new();
    for interval in 0..INTERVALS {
        let done = |intervals: u64| all * intervals / INTERVALS;
        let now = act(done(interval + 1) - done(interval))?;
        tell(format!("{what} {:>9}: {now}", done(interval + 1)));
        measured.push(now);
    }
    Ok(measured)
}

/// What was more in the second half than it ever was in the first.
fn growth(what: &str, measured: &[Measured]) -> Vec<String> {
    let (first, second) = measured.split_at(measured.len() / 2);
    let most = |of: &dyn Fn(&Measured) -> u64| {
        let most = |half: &[Measured]| half.iter().map(of).max().unwrap_or_default();
        (most(first), most(second))
    };
    let mut failures = Vec::new();
    let memory = most(&|measured| measured.memory);
    let workers = most(&|measured| measured.workers);
    for ((before, now), whose) in [(memory, "memory"), (workers, "the workers' memory")] {
        if has_grown(before, now) {
            failures.push(format!("{what}: {whose} has grown from {before} to {now} bytes"));
        }
    }
    for (place, name) in ["descriptors", "mappings", "processes"].into_iter().enumerate() {
        let (before, now) = most(&|measured| measured.counts[place] as u64);
        if now > before {
            failures.push(format!("{what}: {name} have grown from {before} to {now}"));
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_is_told_and_what_comes_and_goes_is_not() {
        let at = |memory, descriptors| Measured { memory, workers: 7, counts: [descriptors, 1, 1] };
        assert_eq!(growth("t", &[at(1, 5), at(9, 9), at(8, 9), at(7, 5)]), [""; 0]);
        let grown = growth("t", &[at(1, 5), at(1, 6), at(1, 7), at(100 << 20, 8)]);
        assert_eq!(grown.len(), 2, "{grown:?}");
        let busy = |workers| Measured { workers, ..at(1, 1) };
        let grown = growth("t", &[busy(1), busy(100 << 20)]);
        assert!(grown.len() == 1 && grown[0].contains("workers"), "{grown:?}");
    }
}
