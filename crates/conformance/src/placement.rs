//! Where workers run.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use harness::{Job, Placement, Running, Strategy, Workload};
use nix::{
    sched::{CpuSet, sched_getaffinity},
    unistd::{Pid, getpgrp},
};
use serde::{Deserialize, Serialize};

use crate::{Constructor, answers::check, configuration, isolation::isolated};

/// What the thread does that asks for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Caller {
    /// It sleeps until the workers have done it.
    Waits,
    /// It is one of the workers: the last.
    Works,
}

/// Long enough for threads to be seen that live only for a run.
const LONG: Job = Job { workload: Workload::SumOfSquares, tasks: 100, task_size: 1_000_000 };

const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Until workers are seen where they should be; by then something is wrong.
const SEEN_WITHIN: Duration = Duration::from_secs(30);

/// Workers that are to be pinned stay each on the core that is its own, those beyond
/// the cores in turn on the same ones; workers that are not stay free; and the thread
/// that asked is afterwards as free as it was.
///
/// # Panics
///
/// If that is not so.
pub fn keeps_workers_in_their_seats(
    backend: impl Constructor,
    strategy: &Strategy,
    caller: Caller,
) {
    let counts = if strategy.is_serial() { &[1][..] } else { &[1, 2, 5] };
    let placements = [Placement::Free, Placement::Pinned];
    for (workers, placement) in counts.iter().flat_map(|count| placements.map(|p| (count, p))) {
        let case = (strategy, workers, placement, caller);
        let payload = serde_json::to_vec(&case).expect("a case is plain data");
        isolated(TIME_LIMIT, payload, move |payload| {
            let (strategy, workers, placement, caller): (Strategy, usize, Placement, Caller) =
                serde_json::from_slice(&payload).expect("it was written above");
            check_placement(backend, &strategy, workers, placement, caller);
        })
        .passes();
    }
}

fn check_placement(
    backend: impl Constructor,
    strategy: &Strategy,
    workers: usize,
    placement: Placement,
    caller: Caller,
) {
    let cores = allowed(THIS_THREAD).expect("this thread lives");
    let configuration = configuration(strategy, workers);
    let told = format!("{configuration}, {placement:?}");
    let backend = backend(&configuration).unwrap_or_else(|error| panic!("{told}: {error}"));
    let mut running = backend.start(placement).unwrap_or_else(|error| panic!("{told}: {error}"));
    let seat = |worker: usize| cores[worker % cores.len()];
    let mut wanted = Taken::new();
    if placement.is_pinned() {
        (0..workers).for_each(|worker| *wanted.entry(seat(worker)).or_default() += 1);
    }
    let here = allowed(THIS_THREAD).expect("this thread lives");
    match (placement, caller) {
        (Placement::Pinned, Caller::Works) => assert_eq!(here, [seat(workers - 1)], "{told}"),
        _ => assert_eq!(here, cores, "{told}"),
    }
    // On a machine with one core everybody is on it, wanted or not.
    if placement.is_pinned() || cores.len() > 1 {
        watch(&mut *running, &wanted).unwrap_or_else(|taken| {
            panic!("{told}: threads on a single core {taken:?}, wanted {wanted:?}")
        });
    }
    running.stop().unwrap_or_else(|error| panic!("{told}, stop: {error}"));
    assert_eq!(allowed(THIS_THREAD), Some(cores), "{told}: after its end");
}

/// How many threads may run on this core alone, by core.
type Taken = BTreeMap<usize, usize>;

const THIS_THREAD: Pid = Pid::from_raw(0);

/// Runs jobs until as many threads as are wanted are seen on each core, and none on
/// others; otherwise what was seen last.
fn watch(running: &mut dyn Running, wanted: &Taken) -> Result<(), Taken> {
    running.load(LONG).expect("a job can be loaded");
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let until = Instant::now() + SEEN_WITHIN;
            loop {
                let taken = taken();
                let is_full = |(core, count)| taken.get(core).is_some_and(|seen| seen >= count);
                if wanted.iter().all(is_full) && taken.keys().all(|core| wanted.contains_key(core))
                {
                    return Ok(());
                }
                if Instant::now() > until {
                    return Err(taken);
                }
            }
        });
        // One run in any case, so that free workers are seen at work too.
        for nonce in 1.. {
            check(running, LONG, nonce).expect("the answer is right");
            if watcher.is_finished() {
                break;
            }
        }
        watcher.join().expect("nothing panics there")
    })
}

/// All threads of this process group that may run on one core only.
fn taken() -> Taken {
    let group = getpgrp().as_raw();
    let all = procfs::process::all_processes().expect("/proc can be read");
    let ours = all.flatten().filter(|process| process.stat().is_ok_and(|stat| stat.pgrp == group));
    let threads = ours.filter_map(|process| process.tasks().ok()).flatten().flatten();
    let mut taken = Taken::new();
    for thread in threads {
        if let Some(&[core]) = allowed(Pid::from_raw(thread.tid)).as_deref() {
            *taken.entry(core).or_default() += 1;
        }
    }
    taken
}

/// The cores that a thread may run on; `None` if it is gone.
fn allowed(thread: Pid) -> Option<Vec<usize>> {
    let set = sched_getaffinity(thread).ok()?;
    Some((0..CpuSet::count()).filter(|&core| set.is_set(core).unwrap_or(false)).collect())
}
