//! A pool is as it was built to be.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use multiproc::{
    Error, RawValue, StartMethod,
    pool::{Bulk, Pinning, Pool, Statistics},
};
use nix::sys::signal::Signal;
use procfs::process::Process;

use super::{
    door::{Door, visit},
    faults::{builder, check_is_well, send, until},
};

/// Begins and ends of workers, which they count themselves.
static LIVES: OnceLock<[RawValue<u64>; 2]> = OnceLock::new();

fn begin(lives: [RawValue<u64>; 2]) {
    lives[0].fetch_add(1);
    LIVES.set(lives).map_err(drop).expect("a worker is born once");
}

fn end() {
    LIVES.get().expect("it was born")[1].fetch_add(1);
}

pub fn every_worker_that_ends_in_order_runs_the_exit_hook_once<T: Bulk>(method: StartMethod) {
    let lives = [RawValue::new(0u64).unwrap(), RawValue::new(0u64).unwrap()];
    let [begun, ended] = &lives;
    let builder = || builder::<T>(method).initialiser(begin, lives.clone()).exit_hook(end);
    let pool = builder().max_tasks_per_worker(5).build().unwrap();
    assert_eq!(pool.map(|x: u64| x, 0..20).unwrap().len(), 20);
    // Who has done all that it may do ends without being told: two may have done
    // less, four tasks each at most.
    until(|| ended.load() >= 3);
    pool.shutdown().unwrap();
    assert_eq!(ended.load(), begun.load());
    let before = ended.load();
    // In one that is killed nothing runs any more.
    let pool = builder().build().unwrap();
    assert_eq!(pool.map(|x: u64| x, 0..20).unwrap().len(), 20);
    pool.terminate();
    assert_eq!((begun.load(), ended.load()), (before + 2, before));
}

pub fn a_panic_of_the_exit_hook_is_told_by_shutdown<T: Bulk>(method: StartMethod) {
    let pool = builder::<T>(method).exit_hook(|| panic!("this is printed")).build().unwrap();
    let pids: Vec<i32> = pool.pids().collect();
    assert_eq!(pool.apply(|x: u64| x, 3).unwrap(), 3);
    match pool.shutdown() {
        Err(Error::WorkerDied { pid, status, task: None, .. }) => {
            assert!(pids.contains(&pid) && status.code == 1, "{pid} of {pids:?} {status}");
        }
        other => panic!("{other:?}"),
    }
}

/// The cores that a process may run on.
fn cores(process: io::Result<Process>) -> Vec<usize> {
    let status = process.map(|process| process.status());
    let ranges = status.unwrap().expect("it lives").cpus_allowed_list.expect("Linux tells");
    ranges.into_iter().flat_map(|(first, last)| first as usize..=last as usize).collect()
}

fn cores_by_seat<T: Bulk>(pool: &Pool<T>) -> Vec<Vec<usize>> {
    pool.pids().map(|pid| cores(Process::new(pid).map_err(io::Error::other))).collect()
}

pub fn workers_run_on_the_cores_that_they_were_given<T: Bulk>(method: StartMethod) {
    let all = cores(Process::myself().map_err(io::Error::other));
    let build = |pinning| builder::<T>(method).workers(3).pinning(pinning).build();

    let anywhere = build(Pinning::None).unwrap();
    assert_eq!(cores_by_seat(&anywhere), [&*all; 3]);
    anywhere.shutdown().unwrap();

    let spread = build(Pinning::Spread).unwrap();
    let one_each: Vec<_> = all.iter().cycle().take(3).map(|&core| vec![core]).collect();
    assert_eq!(cores_by_seat(&spread), one_each);
    // A replacement runs where its predecessor did.
    let first = spread.pids().next().unwrap();
    send(Signal::SIGKILL, first);
    until(|| {
        check_is_well(&spread);
        // It goes there a moment after its birth.
        spread.pids().all(|pid| pid != first) && cores_by_seat(&spread) == one_each
    });
    spread.shutdown().unwrap();

    let last = *all.last().unwrap();
    let together = build(Pinning::Cores(vec![last])).unwrap();
    assert_eq!(cores_by_seat(&together), [[last]; 3]);
    together.shutdown().unwrap();
}

pub fn a_core_that_is_not_there_fails_the_build<T: Bulk>(method: StartMethod) {
    // One that the machine does not have, and one that no machine has.
    let all = cores(Process::myself().map_err(io::Error::other));
    for core in [all.last().unwrap() + 1, 1_000_000] {
        match builder::<T>(method).pinning(Pinning::Cores(vec![core])).build() {
            Err(Error::InitialiserFailed { pid: 2.., message, .. }) => {
                assert!(message.contains(&format!("[{core}]")), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
    let none = builder::<T>(method).pinning(Pinning::Cores(Vec::new())).build();
    assert!(matches!(none, Err(Error::CoresNotAvailable { .. })), "{none:?}");
}

pub fn workers_and_their_replacements_have_the_names_of_their_seats<T: Bulk>(method: StartMethod) {
    let names = |pool: &Pool<T>| {
        let named = pool.statistics().workers.into_iter();
        let as_in_ps = |pid| Process::new(pid).and_then(|process| process.stat()).unwrap().comm;
        named.map(|worker| [worker.name, as_in_ps(worker.pid)]).collect::<Vec<_>>()
    };
    let pool = builder::<T>(method).build().unwrap();
    let by_default =
        [0, 1].map(|seat| format!("{}-{seat}", T::NAME)).map(|name| [name.clone(), name]);
    assert_eq!(names(&pool), by_default);
    pool.shutdown().unwrap();

    let pool = builder::<T>(method).name("hands").build().unwrap();
    let first = pool.pids().next().unwrap();
    send(Signal::SIGKILL, first);
    until(|| {
        check_is_well(&pool);
        // It has its name a moment after its birth.
        pool.pids().all(|pid| pid != first) && names(&pool) == [["hands-0"; 2], ["hands-1"; 2]]
    });
    pool.shutdown().unwrap();
}

/// That nothing is left, in particular the worker that was well, is seen to by
/// who runs this.
pub fn an_initialiser_that_panics_fails_the_build<T: Bulk>(method: StartMethod) {
    let births = RawValue::new(0u64).unwrap();
    let second_panics = |births: RawValue<u64>| assert_ne!(births.fetch_add(1), 1, "no second");
    match builder::<T>(method).initialiser(second_panics, births).build() {
        Err(Error::InitialiserFailed { pid, name, message }) => {
            assert!(pid > 1 && name.starts_with(T::NAME), "{pid} {name}");
            assert!(message.contains("no second"), "{message}");
            assert!(message.contains("building.rs:"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

pub fn progress_is_told_while_somebody_waits_and_a_panic_in_it_stops_nobody<T: Bulk>(
    method: StartMethod,
) {
    let (tell, told) = mpsc::channel::<Statistics>();
    let tell = move |statistics: &Statistics| {
        let _ = tell.send(statistics.clone());
        panic!("this is printed");
    };
    let pool = builder::<T>(method).on_progress(Duration::from_millis(5), tell).build().unwrap();
    let mut door = Door::new();
    let visit = pool.apply_async(visit, door.way_in());
    door.await_knocks(1);
    // However long nothing happens. What was told at first may be older.
    let is_under_way = |told: &Statistics| (told.tasks_done, told.in_flight) == (0, 1);
    assert_eq!(told.iter().filter(is_under_way).take(3).count(), 3);
    door.open(1);
    visit.get().unwrap();
    assert_eq!(pool.map(|x: u64| x, 0..100).unwrap().len(), 100);
    // Of two threads that wait, the later one may be the first to tell.
    assert_eq!(told.iter().map(|told| told.tasks_done).find(|&done| done >= 101), Some(101));
    pool.shutdown().unwrap();
}

pub fn progress_is_not_told_before_its_time<T: Bulk>(method: StartMethod) {
    let times = Arc::new(Mutex::new(0));
    let theirs = Arc::clone(&times);
    let tell = move |_: &Statistics| *theirs.lock().unwrap() += 1;
    let hour = Duration::from_secs(3600);
    let pool = builder::<T>(method).on_progress(hour, tell).build().unwrap();
    assert_eq!(pool.map(|x: u64| x, 0..100).unwrap().len(), 100);
    pool.shutdown().unwrap();
    assert_eq!(*times.lock().unwrap(), 0);
}

pub fn progress_is_never_told_by_two_threads_at_once<T: Bulk>(method: StartMethod) {
    let (told, together) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (theirs, inside) = (Arc::clone(&told), Arc::clone(&together));
    let tell = move |_: &Statistics| {
        let others = inside.fetch_add(1, Ordering::SeqCst);
        // Longer than until it is told again, while others lead.
        thread::sleep(Duration::from_millis(3));
        inside.fetch_sub(1, Ordering::SeqCst);
        theirs.fetch_max(1 + others, Ordering::SeqCst);
    };
    let pool = builder::<T>(method).on_progress(Duration::from_millis(1), tell).build().unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                (0..50).for_each(|_| _ = pool.call().chunk_len(1).map(|x: u64| x, 0..100).unwrap());
            });
        }
    });
    pool.shutdown().unwrap();
    assert_eq!(told.load(Ordering::SeqCst), 1, "threads at once");
}

pub fn statistics_tell_what_waits_what_runs_and_what_was_done<T: Bulk>(method: StartMethod) {
    let pool = builder::<T>(method).build().unwrap();
    let mut door = Door::new();
    let visits = pool.call().chunk_len(1).map_async(visit, vec![door.way_in(); 100]);
    door.await_knocks(2);
    let during = pool.statistics();
    // More than run may be with their workers already, but not all.
    assert!(during.in_flight >= 2 && during.queue_depth >= 50, "{during:?}");
    assert_eq!((during.in_flight + during.queue_depth, during.tasks_done), (100, 0), "{during:?}");
    door.open(100);
    let by: BTreeSet<i32> = visits.get().unwrap().into_iter().map(|pid| pid as i32).collect();
    assert_eq!(by, pool.pids().collect());
    let after = pool.statistics();
    assert_eq!((after.in_flight, after.queue_depth, after.tasks_done), (0, 0, 100), "{after:?}");
    let tasks: u64 = after.workers.iter().map(|worker| worker.tasks).sum();
    assert!(tasks == 100 && after.workers.iter().all(|worker| worker.tasks > 0), "{after:?}");
    pool.shutdown().unwrap();
}

pub fn statistics_tell_who_was_busy_and_who_was_idle<T: Bulk>(method: StartMethod) {
    const NAP: Duration = Duration::from_millis(50);
    let built = Instant::now();
    let pool = builder::<T>(method).build().unwrap();
    let nap = |(): ()| {
        std::thread::sleep(NAP);
        std::process::id() as i32
    };
    let napper = pool.apply_async(nap, ()).get().unwrap();
    let of = |is_wanted: &dyn Fn(i32) -> bool| {
        let workers = pool.statistics().workers;
        workers.into_iter().find(|worker| is_wanted(worker.pid)).expect("there are two")
    };
    // It tells a moment after the result.
    until(|| of(&|pid| pid == napper).busy >= NAP);
    let (busy, idle) = (of(&|pid| pid == napper), of(&|pid| pid != napper));
    assert_eq!((busy.tasks, idle.tasks, idle.busy), (1, 0, Duration::ZERO));
    assert!(idle.idle >= NAP, "{idle:?}");
    assert!(busy.busy + busy.idle <= built.elapsed(), "{busy:?}");
    pool.shutdown().unwrap();
}
