//! What is counted.

use std::num::NonZeroUsize;

use harness::{Configuration, Job, Placement, StartMethod, Strategy, Workload};
use serde::{Deserialize, Serialize};

use crate::backends;

/// Does it once.
pub(crate) type Execute = Box<dyn FnMut() -> Result<(), String>>;

/// Something that is done a number of times.
pub(crate) struct Path {
    pub(crate) facts: Facts<&'static str>,
    prepare: fn(u64) -> Result<Execute, String>,
}

/// What one has to know of a path to count it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts<S = String> {
    pub(crate) name: S,
    /// What its instructions are given for each of.
    pub(crate) unit: S,
    /// So many of them are done at once.
    pub(crate) units: u64,
    /// How often it is done in the shorter of two counts. Some million
    /// instructions, so that valgrind takes a second, which it takes to start.
    pub(crate) times: u64,
}

/// What a build says of itself when it is asked for its paths.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Inventory {
    /// That of the kernels, where they were asked: outside of valgrind.
    pub(crate) instruction_set: String,
    pub(crate) paths: Vec<Facts>,
}

/// Elements of a task that is long enough to show the kernel alone.
const LONG: usize = 10_000;

/// Elements of a task that is short enough to show the loop around it.
const SHORT: usize = 8;

const ELEMENT: &str = "element";
const TASK: &str = "task";

/// Every path, in the order in which tables show them.
pub(crate) const ALL: &[Path] = &[
    path("kernel/sum-of-squares", ELEMENT, 4 * LONG as u64, 50, |_| {
        serial(Workload::SumOfSquares, 4, LONG)
    }),
    path("kernel/square", ELEMENT, 4 * LONG as u64, 50, |_| serial(Workload::Square, 4, LONG)),
    path("kernel/cube", ELEMENT, 4 * LONG as u64, 50, |_| serial(Workload::Cube, 4, LONG)),
    path("serial/sum-of-squares", TASK, 1_000, 20, |tasks| {
        serial(Workload::SumOfSquares, tasks as usize, SHORT)
    }),
    path("serial/square", TASK, 1_000, 20, |tasks| serial(Workload::Square, tasks as usize, SHORT)),
    path("serial/cube", TASK, 1_000, 20, |tasks| serial(Workload::Cube, tasks as usize, SHORT)),
    path("pipe-pool/frames-of-numbers", TASK, 1_000, 20, |tasks| {
        let mut rehearsal = pipe_pool::Rehearsal::new().map_err(told)?;
        Ok(numbers(tasks, move |arguments| rehearsal.map(cube, arguments)))
    }),
    path("pipe-pool/frames-of-texts", TASK, 1_000, 20, |tasks| {
        let mut rehearsal = pipe_pool::Rehearsal::new().map_err(told)?;
        Ok(texts(tasks, move |arguments| rehearsal.map(twice, arguments)))
    }),
    path("shm-pool/frames-of-numbers", TASK, 1_000, 20, |tasks| {
        let mut rehearsal = shm_pool::Rehearsal::new().map_err(told)?;
        Ok(numbers(tasks, move |arguments| rehearsal.map(cube, arguments)))
    }),
    path("shm-pool/frames-of-texts", TASK, 1_000, 20, |tasks| {
        let mut rehearsal = shm_pool::Rehearsal::new().map_err(told)?;
        Ok(texts(tasks, move |arguments| rehearsal.map(twice, arguments)))
    }),
    path("pipe-pool/run", TASK, 1_000, 20, |tasks| {
        run("pipe-pool", Workload::Square, tasks as usize, SHORT)
    }),
    path("shm-pool/run", TASK, 1_000, 20, |tasks| {
        run("shm-pool", Workload::Square, tasks as usize, SHORT)
    }),
];

const fn path(
    name: &'static str,
    unit: &'static str,
    units: u64,
    times: u64,
    prepare: fn(u64) -> Result<Execute, String>,
) -> Path {
    Path { facts: Facts { name, unit, units, times }, prepare }
}

/// The path called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Path> {
    ALL.iter().find(|path| path.facts.name == name)
}

/// What this build says of itself.
pub(crate) fn inventory() -> Inventory {
    let paths = ALL.iter().map(|path| {
        let Facts { name, unit, units, times } = path.facts;
        Facts { name: name.to_owned(), unit: unit.to_owned(), units, times }
    });
    Inventory { instruction_set: harness::workloads::instruction_set(), paths: paths.collect() }
}

impl Path {
    /// Does it so many times, and once before, for what only the first time costs.
    ///
    /// # Errors
    ///
    /// If it cannot be done here, or the answer is wrong.
    pub(crate) fn execute(&self, times: u64) -> Result<(), String> {
        let mut execute = (self.prepare)(self.facts.units)?;
        (0..=times).try_for_each(|_| execute())
    }
}

fn serial(workload: Workload, tasks: usize, task_size: usize) -> Result<Execute, String> {
    run(Strategy::SERIAL, workload, tasks, task_size)
}

/// Runs of a job by a backend with one worker, as a runner does them.
///
/// Process pools start theirs by fork: valgrind lends its own file to whoever
/// executes `/proc/self/exe`, which is how the other methods start.
fn run(
    backend: &str,
    workload: Workload,
    tasks: usize,
    task_size: usize,
) -> Result<Execute, String> {
    const NONCE: u64 = 1;
    let entry = backends::find(backend).expect("one of this binary's own");
    let can_fork = entry.start_methods.contains(&StartMethod::Fork);
    let start_method = can_fork.then_some(StartMethod::Fork);
    let strategy = Strategy { start_method, ..Strategy::named(backend) };
    let configuration = Configuration { strategy, workers: NonZeroUsize::MIN };
    let job = Job { workload, tasks, task_size };
    let backend = (entry.construct)(&configuration).map_err(told)?;
    let mut running = backend.start(Placement::Free).map_err(told)?;
    running.load(job).map_err(told)?;
    running.visit_buffer(&mut |first, part| workload.fill(part, first, NONCE));
    running.run().map_err(told)?;
    let mut sum = 0u64;
    running.visit_buffer(&mut |first, part| {
        sum = sum.wrapping_add(harness::workloads::checksum(part, first));
    });
    right(sum == job.expected_checksum(NONCE))?;
    // On its own results, which costs as much as on any other numbers.
    Ok(Box::new(move || running.run().map_err(told)))
}

fn cube(x: u64) -> u64 {
    x.wrapping_pow(3)
}

/// A map over plain numbers, which travel side by side.
fn numbers(
    tasks: u64,
    mut map: impl FnMut(Vec<u64>) -> pipe_pool::Result<Vec<u64>> + 'static,
) -> Execute {
    Box::new(move || {
        let cubes = map((0..tasks).collect()).map_err(told)?;
        right(cubes.last().copied() == tasks.checked_sub(1).map(cube))
    })
}

fn twice(text: String) -> String {
    format!("{text}{text}")
}

/// A map over values that are encoded one by one.
fn texts(
    tasks: u64,
    mut map: impl FnMut(Vec<String>) -> pipe_pool::Result<Vec<String>> + 'static,
) -> Execute {
    Box::new(move || {
        let doubled = map((0..tasks).map(|x| x.to_string()).collect()).map_err(told)?;
        right(doubled.last().cloned() == tasks.checked_sub(1).map(|x| format!("{x}{x}")))
    })
}

fn right(is_right: bool) -> Result<(), String> {
    is_right.then_some(()).ok_or_else(|| "the answer is wrong".to_owned())
}

fn told(error: impl ToString) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_path_has_a_name_of_its_own_that_fits_its_column() {
        let names: BTreeSet<&str> = ALL.iter().map(|path| path.facts.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(names.iter().all(|name| name.len() <= super::super::telling::NAME_COLUMNS));
    }

    #[test]
    fn every_path_that_needs_no_process_can_be_gone() {
        for path in ALL.iter().filter(|path| !path.facts.name.ends_with("/run")) {
            assert_eq!(path.execute(2), Ok(()), "{}", path.facts.name);
        }
    }
}
