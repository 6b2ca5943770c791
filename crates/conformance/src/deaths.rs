//! What happens when somebody dies.

use std::time::Duration;

use harness::{Job, Placement, Running, Strategy, Workload};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{Constructor, answers::check, configuration, isolation::isolated};

/// Long enough to be killed in the middle of.
const LONG: Job = Job { workload: Workload::SumOfSquares, tasks: 4_000, task_size: 100_000 };

const SHORT: Job = Job { workload: Workload::Square, tasks: 10, task_size: 10 };

/// In the name of every pool's workers.
const WORKER: &str = "-pool-";

const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A process pool whose workers are killed heals: the runs that follow give
/// right answers, and the one that it happened to says so or does too.
///
/// # Panics
///
/// If it does not.
pub fn survives_dead_workers(backend: impl Constructor, strategy: &Strategy) {
    let strategy = serde_json::to_vec(strategy).expect("a strategy is plain data");
    isolated(TIME_LIMIT, strategy, move |strategy| {
        let strategy: Strategy = serde_json::from_slice(&strategy).expect("it was written above");
        kill_idle_workers(&mut *started(backend, &strategy));
        kill_in_the_middle(&mut *started(backend, &strategy));
    })
    .passes();
}

fn kill_idle_workers(running: &mut dyn Running) {
    running.load(SHORT).expect("a job can be loaded");
    check(running, SHORT, 1).expect("the pool is well");
    for nonce in [2, 3] {
        workers().into_iter().for_each(kill_now);
        check(running, SHORT, nonce).expect("the pool heals");
    }
}

fn kill_in_the_middle(running: &mut dyn Running) {
    running.load(LONG).expect("a job can be loaded");
    for round in 0..3 {
        // One that has replaced another may have no name yet.
        let victim = std::iter::repeat_with(workers).find_map(|workers| workers.first().copied());
        let victim = victim.expect("it repeats until there is one");
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(5));
            kill_now(victim);
        });
        // The job may be over before the kill; then the next one notices.
        if let Err(why) = check(running, LONG, 2 * round) {
            assert!(why.contains("SIGKILL"), "{why}");
        }
        killer.join().expect("a kill cannot fail");
        check(running, LONG, 2 * round + 1).expect("the pool heals");
    }
}

/// A process pool is gone within a second when its parent is killed, at rest
/// or at work.
///
/// # Panics
///
/// If it is not.
pub fn dies_with_its_parent(backend: impl Constructor, strategy: &Strategy) {
    for delay_ms in [0, 3, 20] {
        let strategy = serde_json::to_vec(strategy).expect("a strategy is plain data");
        let mut test = isolated(TIME_LIMIT, strategy, move |strategy| {
            let strategy: Strategy =
                serde_json::from_slice(&strategy).expect("it was written above");
            let mut running = started(backend, &strategy);
            running.load(LONG).expect("a job can be loaded");
            loop {
                check(&mut *running, LONG, 1).expect("the pool is well");
            }
        });
        while test.members().iter().filter(|member| member.contains(WORKER)).count() < 2 {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(delay_ms));
        test.kill();
        test.leaves_nothing();
    }
}

fn started(backend: impl Constructor, strategy: &Strategy) -> Box<dyn Running> {
    let backend = backend(&configuration(strategy, 2)).unwrap_or_else(|error| panic!("{error}"));
    backend.start(Placement::Free).unwrap_or_else(|error| panic!("{error}"))
}

fn kill_now(worker: Pid) {
    kill(worker, Signal::SIGKILL).expect("a worker can be killed");
}

/// The workers of this process's only pool, by their names.
fn workers() -> Vec<Pid> {
    let group = nix::unistd::getpgrp().as_raw();
    let all = procfs::process::all_processes().expect("/proc can be read");
    all.flatten()
        .filter_map(|process| process.stat().ok())
        .filter(|stat| stat.pgrp == group && stat.comm.contains(WORKER) && stat.state != 'Z')
        .map(|stat| Pid::from_raw(stat.pid))
        .collect()
}
