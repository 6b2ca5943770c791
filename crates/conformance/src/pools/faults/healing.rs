//! Workers are replaced, however and however often they die.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::{sync::OnceLock, time::Duration};

use multiproc::{
    EntryPoint, Error, Inheritance, RawValue, StartMethod, current_process,
    pool::{Bulk, Pool},
};
use nix::sys::signal::Signal;

use super::{KILLED, assert_died, builder, check_is_well, die, send, square, stop, until};
use crate::pools::door::{Door, visit};

pub fn workers_killed_while_idle_cost_nothing<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).at_most_once(true).build().unwrap();
    // First with nobody who waits for the pool, then with somebody.
    for round in 0..20 {
        let dead: Vec<i32> = pool.pids().take(1 + round % 2).collect();
        dead.iter().for_each(|&pid| send(Signal::SIGKILL, pid));
        // Nobody may have to do with them for a while.
        until(|| {
            check_is_well(&pool);
            pool.pids().all(|pid| !dead.contains(&pid))
        });
        if round == 10 {
            pool.apply_async(square, 3).get().unwrap();
        }
    }
    let statistics = pool.statistics();
    assert_eq!((statistics.workers_healed, statistics.tasks_failed), (30, 0), "{statistics:?}");
    pool.shutdown().unwrap();
}

/// Nobody asks the pool for anything meanwhile.
pub fn idle_workers_that_die_again_and_again_are_replaced_again_and_again<T: Bulk>(
    method: StartMethod,
) {
    let pool: Pool<T> = builder(method).build().unwrap();
    pool.apply_async(square, 3).get().unwrap();
    for deaths in 1..=20 {
        let workers = pool.statistics().workers;
        send(Signal::SIGKILL, workers[deaths as usize % 2].pid);
        until(|| pool.statistics().workers_healed == deaths && pool.pids().len() == 2);
    }
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

pub fn workers_that_all_die_at_once_are_all_replaced<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).workers(4).build().unwrap();
    let mut door = Door::new();
    for round in 1..=10 {
        let visits = pool.map_async(visit, vec![door.way_in(); 4]);
        let others = pool.map_async(square, 0..50);
        door.await_knocks(4);
        pool.pids().for_each(|pid| send(Signal::SIGKILL, pid));
        assert_died(&visits.get().unwrap_err(), 0, &[KILLED]);
        assert_eq!(others.get().unwrap(), (0..50).map(square).collect::<Vec<_>>());
        assert_eq!(pool.statistics().tasks_failed, 4 * round);
    }
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

/// The fork server, and the copy of this process that forks the workers, if there
/// are any. What they have just forked goes by their names for a moment.
fn starters() -> Vec<i32> {
    let me = std::process::id() as i32;
    let named = |comm: &str| -> Vec<i32> {
        let all = procfs::process::all_processes().unwrap().flatten();
        let stats = all.filter_map(|process| process.stat().ok());
        stats.filter(|stat| stat.ppid == me && stat.comm == comm).map(|stat| stat.pid).collect()
    };
    let one_at_most = |comm| {
        let mut found = Vec::new();
        until(|| {
            found = named(comm);
            found.len() <= 1
        });
        found
    };
    ["forkserver", "nursery"].into_iter().flat_map(one_at_most).collect()
}

pub fn a_pool_heals_though_what_starts_its_workers_was_stopped<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).build().unwrap();
    // From now on this process has another thread and cannot be copied again.
    pool.apply_async(square, 3).get().unwrap();
    let starters = starters();
    assert!(method == StartMethod::Spawn || !starters.is_empty());
    for _ in 0..3 {
        starters.iter().for_each(|&pid| stop(pid));
        let dead = pool.pids().next().unwrap();
        send(Signal::SIGKILL, dead);
        // Neither hangs for ever.
        let _ = pool.apply_async(square, 3).get_timeout(Duration::from_millis(1));
        let _ = pool.statistics();
        until(|| {
            check_is_well(&pool);
            pool.pids().all(|pid| pid != dead)
        });
    }
    pool.shutdown().unwrap();
}

/// Runs `test` in one more process, with whose fork server it may do as it
/// likes.
fn with_a_fork_server_of_its_own<F>(method: StartMethod, test: F)
where
    F: Fn(StartMethod) + Copy + Send + 'static,
{
    let entry = EntryPoint::new(move |inheritance: Inheritance| {
        test(StartMethod::ALL[usize::from(inheritance.payload[0])]);
    });
    let inheritance = Inheritance { payload: vec![method as u8], descriptors: Vec::new() };
    let mut process = multiproc::start(StartMethod::Spawn, "test", entry, inheritance).unwrap();
    assert!(process.wait(None).unwrap().unwrap().success(), "its message is above");
}

pub fn a_pool_heals_though_what_starts_its_workers_was_killed<T: Bulk>(method: StartMethod) {
    with_a_fork_server_of_its_own(method, heals_though_what_starts_its_workers_was_killed::<T>);
}

fn heals_though_what_starts_its_workers_was_killed<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).build().unwrap();
    for round in 1..=3 {
        starters().into_iter().for_each(|pid| send(Signal::SIGKILL, pid));
        // The workers that it has started live on.
        check_is_well(&pool);
        let dead = pool.pids().next().unwrap();
        send(Signal::SIGKILL, dead);
        // Only who waits in a thread of its own would keep this process from
        // being copied again.
        check_is_well(&pool);
        while pool.pids().any(|pid| pid == dead) {
            check_is_well(&pool);
        }
        assert_eq!(pool.statistics().workers_healed, round);
        assert!(method == StartMethod::Spawn || !starters().is_empty(), "there is another");
    }
    pool.shutdown().unwrap();
}

pub fn a_pool_that_cannot_start_workers_any_more_says_so<T: Bulk>(method: StartMethod) {
    with_a_fork_server_of_its_own(method, cannot_start_workers_any_more::<T>);
}

fn cannot_start_workers_any_more<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).build().unwrap();
    // From now on this process has another thread and cannot be copied again.
    pool.apply_async(square, 3).get().unwrap();
    starters().into_iter().for_each(|pid| send(Signal::SIGKILL, pid));
    pool.pids().for_each(|pid| send(Signal::SIGKILL, pid));
    let outcome = pool.map_async(square, 0..50).get();
    if method == StartMethod::Fork {
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::WorkersKeepDying { .. }), "{error:?}");
        assert!(error.to_string().contains("\nhelp: "), "{error}");
    } else {
        assert_eq!(outcome.unwrap(), (0..50).map(square).collect::<Vec<_>>());
    }
}

/// Births of workers, counted by their initialisers.
static BIRTHS: OnceLock<RawValue<u64>> = OnceLock::new();

/// The pool's initialiser lets so many workers live, then ends as many as it is
/// told to, and lets all that follow live.
fn lets_live<T: Bulk>(method: StartMethod, live: u64, then_die: u64) -> Pool<T> {
    let births = RawValue::new(0u64).unwrap();
    let initialiser = |(births, live, then_die): (RawValue<u64>, u64, u64)| {
        let birth = births.fetch_add(1);
        if (live..live.saturating_add(then_die)).contains(&birth) {
            die();
        }
        BIRTHS.set(births).map_err(drop).expect("a worker is born once");
    };
    let builder = builder(method).initialiser(initialiser, (births, live, then_die));
    builder.build().unwrap()
}

pub fn replacements_that_die_a_few_times_are_replaced_themselves<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = lets_live(method, 2, 5);
    let mut door = Door::new();
    let visits = pool.map_async(visit, [door.way_in(), door.way_in()]);
    let others = pool.map_async(square, 0..50);
    door.await_knocks(2);
    pool.pids().for_each(|pid| send(Signal::SIGKILL, pid));
    assert_died(&visits.get().unwrap_err(), 0, &[KILLED]);
    assert_eq!(others.get().unwrap(), (0..50).map(square).collect::<Vec<_>>());
    let births = pool.apply(|()| BIRTHS.get().unwrap().load(), ()).unwrap();
    assert!(births >= 8, "{births}");
    // Not `shutdown`, which tells of workers that do not end in order: one that
    // is to die may be about to.
    pool.terminate();
}

pub fn if_no_replacement_lives_every_result_is_an_error_that_says_so<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = lets_live(method, 2, u64::MAX);
    let mut door = Door::new();
    let visits = pool.map_async(visit, [door.way_in(), door.way_in()]);
    let others = pool.map_async(square, 0..50);
    let calls: Vec<_> = (0..5).map(|x| pool.apply_async(square, x)).collect();
    door.await_knocks(2);
    pool.pids().for_each(|pid| send(Signal::SIGKILL, pid));
    // These had their end before the pool had its.
    assert_died(&visits.get().unwrap_err(), 0, &[KILLED]);
    let is_over = |error: Error| {
        let Error::WorkersKeepDying { deaths, last } = &error else { panic!("{error:?}") };
        assert!(*deaths >= 8 && last.contains("SIGKILL"), "{error}");
    };
    is_over(others.get().unwrap_err());
    calls.into_iter().for_each(|call| is_over(call.get().unwrap_err()));
    is_over(pool.apply(square, 3).unwrap_err());
    is_over(pool.imap(square, 0..3).next().unwrap().unwrap_err());
    assert_eq!((pool.pids().len(), pool.workers()), (0, 0));
    is_over(pool.shutdown().unwrap_err());
}

pub fn who_lives_goes_on_while_others_cannot_be_replaced<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = lets_live(method, 2, u64::MAX);
    let mut door = Door::new();
    let visits = pool.map_async(visit, [door.way_in(), door.way_in()]);
    door.await_knocks(2);
    let first = pool.pids().next().unwrap();
    send(Signal::SIGKILL, first);
    // More deaths than a pool without workers survives.
    until(|| pool.statistics().workers_healed > 10);
    let others = pool.map_async(square, 0..500);
    door.open(1);
    assert_died(&visits.get().unwrap_err(), 0, &[KILLED]);
    assert_eq!(others.get().unwrap(), (0..500).map(square).collect::<Vec<_>>());
    assert_eq!(pool.statistics().tasks_done, 501);
    pool.terminate();
}

pub fn a_seat_that_cannot_be_filled_keeps_no_other_vacant<T: Bulk>(method: StartMethod) {
    let births = RawValue::new(0u64).unwrap();
    let initialiser = |births: RawValue<u64>| {
        if births.fetch_add(1) >= 3 && current_process().name().ends_with("-0") {
            die();
        }
    };
    let builder = builder(method).workers(3).initialiser(initialiser, births);
    let pool: Pool<T> = builder.build().unwrap();
    // Somebody is to replace them while this thread looks.
    pool.apply_async(square, 3).get().unwrap();
    send(Signal::SIGKILL, pool.pids().next().unwrap());
    // Until the breaks are long.
    until(|| pool.statistics().workers_healed > 10);
    until(|| {
        let of_seat = |seat: &str| {
            let workers = pool.statistics().workers;
            workers.into_iter().find(|worker| worker.name.ends_with(seat)).map(|worker| worker.pid)
        };
        let dead = of_seat("-1").unwrap();
        send(Signal::SIGKILL, dead);
        until(|| of_seat("-1").is_some_and(|pid| pid != dead));
        // Both are vacant in turn, most of the time this one.
        of_seat("-0").is_none()
    });
    pool.terminate();
}

/// Tasks that kill their workers, in workers that are to do a few tasks each.
pub fn nothing_is_stranded_when_workers_retire_and_die<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).max_tasks_per_worker(3).build().unwrap();
    let fatal = |x: u64| if x % 10 == 7 { die() } else { x };
    let later = pool.map_async(square, 0..20);
    let outcomes = pool.map_outcomes(fatal, 0..100).unwrap();
    for (task, outcome) in outcomes.into_iter().enumerate() {
        match task % 10 {
            7 => assert_died(&outcome.unwrap_err(), task, &[KILLED]),
            _ => assert_eq!(outcome.unwrap(), task as u64),
        }
    }
    assert_eq!(later.get().unwrap().len(), 20);
    let statistics = pool.statistics();
    assert_eq!(statistics.workers_healed, 10, "{statistics:?}");
    assert!(statistics.workers_retired >= 20, "{statistics:?}");
    check_is_well(&pool);
    pool.shutdown().unwrap();
}
