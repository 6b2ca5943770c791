//! The copy of a process that forks the workers of its pool.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use multiproc::{SharedMemoryRings, StartMethod, pool::Pool};
use nix::{
    sys::signal::{Signal, kill, raise},
    unistd::Pid,
};

use super::children;
use crate::{in_a_process_of_its_own, isolation::open_descriptors, with_every_start_method};

/// How often this process, or that of which it is a copy, was about to fork.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Which of the copies stops itself before it runs anything else.
const STOPS: u32 = 3;

extern "C" fn count_a_fork() {
    FORKS.fetch_add(1, Relaxed);
}

extern "C" fn stop_if_it_is_to() {
    if FORKS.load(Relaxed) == STOPS {
        raise(Signal::SIGSTOP).unwrap();
    }
}

fn is_stopped(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.starts_with('T')
}

#[test]
fn a_nursery_that_was_stopped_before_it_said_anything_goes_on_when_it_is_needed() {
    in_a_process_of_its_own(|| {
        // SAFETY: both may run wherever somebody forks: they touch an atomic word,
        // and call what a signal handler may call.
        let added =
            unsafe { libc::pthread_atfork(Some(count_a_fork), None, Some(stop_if_it_is_to)) };
        assert_eq!(added, 0);
        let builder = Pool::<SharedMemoryRings>::builder().workers(STOPS as usize - 1);
        let pool = builder.start_method(StartMethod::Fork).build().unwrap();
        let workers: Vec<i32> = pool.pids().collect();
        // The pool is ready before it is.
        let nursery = loop {
            if let Some(pid) = children().into_iter().find(|&pid| is_stopped(pid)) {
                break pid;
            }
        };
        assert!(!workers.contains(&nursery), "{nursery} of {workers:?}");
        // From now on this process has another thread and cannot be copied again.
        assert_eq!(pool.apply_async(|x: u64| x + 1, 1).get().unwrap(), 2);
        kill(Pid::from_raw(workers[0]), Signal::SIGKILL).unwrap();
        while pool.statistics().workers_healed == 0 || pool.pids().len() < workers.len() {
            assert_eq!(pool.map(|x: u64| x + 1, 0..3).unwrap(), [1, 2, 3]);
        }
        assert!(!is_stopped(nursery));
        pool.shutdown().unwrap();
    });
}

/// The largest piece of shared memory that this process has.
fn largest_memory() -> File {
    let files = open_descriptors().into_iter().filter(|file| file.contains("memfd:multiproc"));
    let files = files.map(|file| {
        let (number, _) = file.split_once(' ').unwrap();
        File::open(format!("/proc/self/fd/{number}")).unwrap()
    });
    files.max_by_key(|file| file.metadata().unwrap().len()).unwrap()
}

#[test]
fn the_memory_of_a_worker_that_was_replaced_is_given_back_whoever_has_inherited_it() {
    with_every_start_method(|method| {
        let builder = Pool::<SharedMemoryRings>::builder().workers(1);
        let pool = builder.start_method(method).build().unwrap();
        let ring = largest_memory();
        let blocks = || ring.metadata().unwrap().blocks();
        assert!(blocks() > 0);
        kill(Pid::from_raw(pool.pids().next().unwrap()), Signal::SIGKILL).unwrap();
        while pool.statistics().workers_healed == 0 {
            assert_eq!(pool.map(|x: u64| x + 1, 0..3).unwrap(), [1, 2, 3]);
        }
        assert_eq!(blocks(), 0);
        pool.shutdown().unwrap();
    });
}
