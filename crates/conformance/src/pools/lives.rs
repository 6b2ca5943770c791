//! Workers retire, others take their seats, and all leave in the end.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::time::{Duration, Instant};

use multiproc::{
    Error, Result, StartMethod,
    pool::{Builder, Bulk, Pool},
};
use nix::sys::{
    resource::{UsageWho, getrusage},
    signal::Signal,
    time::TimeValLike,
};

use super::{
    door::{Door, visit},
    faults::{send, square, stop, until},
    methods::Stubborn,
};

/// A pool of one worker in the making.
fn one<T: Bulk>(method: StartMethod) -> Builder<T> {
    Pool::builder().workers(1).start_method(method)
}

pub fn the_successor_of_a_worker_that_retires_begins_meanwhile<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = one(method).max_tasks_per_worker(1).build().unwrap();
    let mut door = Door::new();
    let last = pool.apply_async(visit, door.way_in());
    door.await_knocks(1);
    // Nobody but the pool itself sees to it that this one begins.
    let first = pool.apply_async(visit, door.way_past());
    door.await_knocks(1);
    assert!(!last.is_ready());
    door.open(1);
    assert_ne!(last.get().unwrap(), first.get().unwrap());
    pool.shutdown().unwrap();
}

pub fn a_seat_has_two_workers_at_most<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = one(method).max_tasks_per_worker(1).build().unwrap();
    let mut door = Door::new();
    let visits: Vec<_> = (0..5).map(|_| pool.apply_async(visit, door.way_in())).collect();
    door.await_knocks(2);
    for _ in 2..5 {
        // A third would have been started by now, and been given its task.
        assert_eq!((pool.pids().len(), pool.statistics().in_flight), (2, 2));
        door.open(1);
        door.await_knocks(1);
    }
    door.open(2);
    visits.into_iter().for_each(|visit| _ = visit.get().unwrap());
    pool.shutdown().unwrap();
}

pub fn a_task_that_cannot_be_given_costs_no_worker_one_of_its_tasks<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = one(method).max_tasks_per_worker(2).build().unwrap();
    let worker = pool.pids().next().unwrap();
    for _ in 0..5 {
        pool.apply(|_: Stubborn| (), Stubborn::NotWritten).unwrap_err();
    }
    assert_eq!(pool.apply(|()| std::process::id(), ()).unwrap() as i32, worker);
    assert_eq!(pool.pids().collect::<Vec<_>>(), [worker]);
    pool.shutdown().unwrap();
}

pub fn a_worker_is_busy_as_long_as_its_task_takes<T: Bulk>(method: StartMethod) {
    const A_WHILE: Duration = Duration::from_millis(30);
    let pool: Pool<T> = one(method).build().unwrap();
    let worker = || pool.statistics().workers.remove(0);
    assert_eq!(worker().busy, Duration::ZERO);
    let mut door = Door::new();
    let begun = Instant::now();
    let visits = pool.apply_async(visit, door.way_in());
    door.await_knocks(1);
    until(|| worker().busy >= A_WHILE);
    assert!(begun.elapsed() >= A_WHILE);
    door.open(1);
    visits.get().unwrap();
    let taken = begun.elapsed();
    // What it tells, behind its answer, takes the place of what was seen.
    until(|| worker().busy >= A_WHILE);
    let told = worker();
    assert!(told.busy <= taken, "{told:?} of {taken:?}");
    until(|| worker().idle > told.idle);
    assert_eq!(worker().busy, told.busy);
    pool.shutdown().unwrap();
}

/// Processor time that this process has used.
fn used() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    [usage.user_time(), usage.system_time()]
        .map(|time| Duration::from_micros(time.num_microseconds() as u64))
        .iter()
        .sum()
}

pub fn a_pool_that_ends_while_a_seat_is_vacant_sleeps_until_it_has_ended<T: Bulk>(
    method: StartMethod,
) {
    const HOOK: Duration = Duration::from_millis(400);
    let hook = || std::thread::sleep(HOOK);
    let pool: Pool<T> = one(method).workers(2).exit_hook(hook).build().unwrap();
    pool.apply(square, 3).unwrap();
    // One that dies idle and never answered is not replaced at once.
    let idle = pool.statistics().workers.into_iter().find(|worker| worker.tasks == 0).unwrap();
    send(Signal::SIGKILL, idle.pid);
    until(|| {
        pool.apply(square, 3).unwrap();
        pool.statistics().workers_healed == 1
    });
    let before = used();
    pool.shutdown().unwrap();
    assert!(used() - before < HOOK / 2);
}

/// Workers whose exit hook does not return.
fn lingering<T: Bulk>(method: StartMethod) -> Builder<T> {
    let hook = || std::thread::sleep(Duration::from_secs(3600));
    one(method).exit_hook(hook).exit_timeout(Duration::from_millis(50))
}

/// The error is that of a worker that was killed when it should have ended.
#[track_caller]
fn assert_lingered(shutdown: Result<()>) {
    match shutdown {
        Err(Error::WorkerDied { task: None, status, .. }) => {
            assert_eq!(status.code, -(Signal::SIGKILL as i32));
        }
        other => panic!("{other:?}"),
    }
}

pub fn a_worker_that_retires_and_does_not_end_is_killed<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = lingering(method).max_tasks_per_worker(1).build().unwrap();
    for x in 0..6 {
        assert_eq!(pool.apply(square, x).unwrap(), x * x);
        assert!(pool.pids().len() <= 2);
    }
    assert!(pool.statistics().workers_healed >= 4, "{:?}", pool.statistics());
    assert_lingered(pool.shutdown());
}

pub fn a_worker_that_retires_has_as_long_as_it_takes_for_its_last_task<T: Bulk>(
    method: StartMethod,
) {
    let builder = one(method).exit_timeout(Duration::from_millis(1));
    let pool: Pool<T> = builder.max_tasks_per_worker(1).build().unwrap();
    let mut door = Door::new();
    let last = pool.apply_async(visit, door.way_in());
    door.await_knocks(1);
    // It goes on through all this.
    for x in 0..20 {
        assert_eq!(pool.apply(square, x).unwrap(), x * x);
    }
    assert!(!last.is_ready());
    door.open(1);
    last.get().unwrap();
    pool.terminate();
}

pub fn a_worker_that_does_not_end_at_a_shutdown_is_killed_and_told<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = lingering(method).workers(2).build().unwrap();
    pool.apply(square, 3).unwrap();
    assert_lingered(pool.shutdown());
    // With somebody else who waits for it, and stopped altogether.
    let pool: Pool<T> = lingering(method).build().unwrap();
    pool.apply_async(square, 3).get().unwrap();
    stop(pool.pids().next().unwrap());
    assert_lingered(pool.shutdown());
}
