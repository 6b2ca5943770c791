//! Descriptors, memory and processes run out; nothing is left behind.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::collections::BTreeSet;

use multiproc::{
    Error, StartMethod,
    pool::{Bulk, Pool},
};
use nix::sys::{
    resource::{Resource, getrlimit, setrlimit},
    signal::Signal,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeTuple};

use super::{KILLED, assert_died, builder, check_is_well, send, square, until};
use crate::pools::door::{Door, visit};

pub fn fork_is_refused_in_a_process_with_threads<T: Bulk>(method: StartMethod) {
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || ended.recv());
    match builder::<T>(method).build() {
        Err(Error::ForkWithThreads { threads: 2.. }) if method == StartMethod::Fork => {}
        Ok(pool) if method != StartMethod::Fork => pool.shutdown().unwrap(),
        other => panic!("{other:?}"),
    }
    drop(end);
    let _ = thread.join().unwrap();
}

/// A pool that has threads since it was built still heals.
pub fn a_pool_that_was_forked_heals_in_a_process_with_threads<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).build().unwrap();
    std::thread::scope(|scope| {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || ended.recv());
        pool.pids().for_each(|pid| send(Signal::SIGKILL, pid));
        check_is_well(&pool);
        drop(end);
    });
    pool.shutdown().unwrap();
}

/// 200 kB are enough to stop CPython.
pub fn a_pool_is_joined_before_anybody_has_seen_its_results<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = builder(method).build().unwrap();
    let repeat = |(x, bytes): (u8, usize)| vec![x; bytes];
    let results: Vec<_> = [200_000, 10, 8 << 20, 200_000, 1 << 20]
        .into_iter()
        .map(|bytes| (bytes, pool.map_async(repeat, (0..4).map(|x| (x, bytes)))))
        .collect();
    pool.close();
    pool.join().unwrap();
    for (bytes, result) in results {
        let result = result.get().unwrap();
        assert!((0..4).zip(result).all(|(x, result)| result == repeat((x, bytes))));
    }
}

/// What a process that is not to grow any more may still have.
fn cap_memory(more: u64) {
    let status = procfs::process::Process::myself().unwrap().status().unwrap();
    let cap = status.vmdata.unwrap() * 1024 + more;
    setrlimit(Resource::RLIMIT_DATA, cap, getrlimit(Resource::RLIMIT_DATA).unwrap().1).unwrap();
}

/// 5 GiB when it is written, and nothing before.
struct Huge;

const HUGE: u64 = 5 << 30;
const PIECE: usize = 16 << 20;

impl Serialize for Huge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pieces = (HUGE / PIECE as u64) as usize;
        let piece = " ".repeat(PIECE);
        let mut all = serializer.serialize_tuple(pieces)?;
        (0..pieces).try_for_each(|_| all.serialize_element(&piece))?;
        all.end()
    }
}

impl<'de> Deserialize<'de> for Huge {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        unreachable!("nobody has so much memory here")
    }
}

/// Not in the parent, not in a worker, and nobody else is harmed.
pub fn five_gigabytes_without_the_memory_for_them_are_an_error_of_their_task<T: Bulk>(
    method: StartMethod,
) {
    let pool: Pool<T> = builder(method).worker_memory_cap(256 << 20).build().unwrap();
    let others = pool.map_async(square, 0..100);
    cap_memory(300 << 20);
    match pool.apply(|_: Huge| (), Huge) {
        Err(Error::TaskValue { task: 0, what: "argument", why }) => {
            assert!(why.contains("memory"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    match pool.apply(|()| Huge, ()) {
        Err(Error::TaskValue { task: 0, what: "result", why }) => {
            assert!(why.contains("memory"), "{why}");
        }
        other => panic!("{:?}", other.map(drop)),
    }
    assert_eq!(others.get().unwrap().len(), 100);
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

pub fn an_argument_that_is_more_than_a_worker_may_have_is_the_error_of_its_task<T: Bulk>(
    method: StartMethod,
) {
    let pool: Pool<T> = builder(method).worker_memory_cap(32 << 20).build().unwrap();
    // The second does not fit, of the third there is no room for both the bytes
    // and the value.
    let lens = [3, 40 << 20, 20 << 20, 5, 200_000];
    let texts = lens.map(|len| " ".repeat(len));
    let outcomes = pool.map_outcomes(|text: String| text.len(), texts).unwrap();
    for ((task, len), outcome) in lens.into_iter().enumerate().zip(outcomes) {
        match outcome {
            Err(Error::TaskValue { task: of, what: "argument", why }) => {
                assert!(of == task && len > 1 << 20, "{task}: {why}");
                assert!(why.contains("memory"), "{why}");
            }
            outcome => assert_eq!((outcome.unwrap(), len < 1 << 20), (len, true)),
        }
    }
    check_is_well(&pool);
    assert_eq!(pool.statistics().workers_healed, 0);
    pool.shutdown().unwrap();
}

/// A vector is read to where it is to lie; of a text the bytes fit, and the
/// value in addition does not.
pub fn a_result_that_the_parent_has_no_memory_for_is_the_error_of_its_task<T: Bulk>(
    method: StartMethod,
) {
    const LEN: usize = 10 << 20;
    let pool: Pool<T> = builder(method).build().unwrap();
    // The thread that answers them all takes memory of its own.
    let others = pool.map_async(square, 0..100);
    others.get().unwrap();
    cap_memory(15 << 20);
    let outcomes = [
        pool.apply(|()| vec![7u8; 2 * LEN], ()).map(drop),
        pool.apply(|()| " ".repeat(LEN), ()).map(drop),
    ];
    for outcome in outcomes {
        match outcome {
            Err(Error::TaskValue { task: 0, what: "result", why }) => {
                assert!(why.contains("memory"), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(pool.apply(|()| vec![7u8; LEN / 4], ()).unwrap().len(), LEN / 4);
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

pub fn what_large_values_took_is_given_back<T: Bulk>(method: StartMethod) {
    const LEN: usize = 40 << 20;
    let pool: Pool<T> = builder(method).workers(1).build().unwrap();
    pool.apply(square, 3).unwrap();
    let worker = pool.pids().next().unwrap();
    let own_memory = || {
        [std::process::id() as i32, worker].map(|pid| {
            let process = procfs::process::Process::new(pid).unwrap();
            process.status().unwrap().rssanon.unwrap() * 1024
        })
    };
    let before = own_memory();
    assert_eq!(pool.apply(|()| " ".repeat(LEN), ()).unwrap().len(), LEN);
    assert_eq!(pool.apply(|text: String| text.len(), " ".repeat(LEN)).unwrap(), LEN);
    let mut array = pool.array::<u8>(LEN).unwrap();
    pool.for_each_chunk(&mut array, LEN, (), |(), chunk: &mut [u8]| chunk.fill(7)).unwrap();
    drop(array);
    pool.apply(square, 3).unwrap();
    let after = own_memory();
    assert!(after.iter().zip(before).all(|(&after, before)| after < before + LEN as u64 / 2));
    assert_eq!(pool.pids().next().unwrap(), worker);
    pool.shutdown().unwrap();
}

/// More than a process of two workers waits for at once: `poll` takes no more
/// than it may have.
const ENOUGH: u64 = 16;

/// Lets this process have so many descriptors more than it has.
fn cap_descriptors(more: u64) {
    let most = getrlimit(Resource::RLIMIT_NOFILE).unwrap().1;
    let highest = descriptors().last().copied().unwrap_or_default();
    setrlimit(Resource::RLIMIT_NOFILE, (highest + 1 + more).min(most), most).unwrap();
}

fn uncap_descriptors() {
    let most = getrlimit(Resource::RLIMIT_NOFILE).unwrap().1;
    setrlimit(Resource::RLIMIT_NOFILE, most.min(1024), most).unwrap();
}

fn descriptors() -> BTreeSet<u64> {
    let fds = std::fs::read_dir("/proc/self/fd").unwrap();
    fds.flatten().filter_map(|fd| fd.file_name().to_str()?.parse().ok()).collect()
}

pub fn without_descriptors_a_pool_is_not_built_and_leaves_nothing<T: Bulk>(method: StartMethod) {
    let before = descriptors();
    for more in 0..40 {
        cap_descriptors(more);
        let built = builder::<T>(method).build();
        uncap_descriptors();
        match built {
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains("os error 24"), "{more} more: {message}");
                assert!(message.contains("help:"), "{more} more: {message}");
            }
            Ok(pool) => {
                check_is_well(&pool);
                pool.shutdown().unwrap();
            }
        }
        assert_eq!(descriptors(), before, "{more} more");
    }
    check_is_well(&builder::<T>(method).build().unwrap());
}

pub fn without_descriptors_nobody_is_replaced_until_there_are_some<T: Bulk>(method: StartMethod) {
    // What the pool has, and gives back for the dead, has higher numbers.
    let low: Vec<_> = (0..ENOUGH).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
    let pool: Pool<T> = builder(method).build().unwrap();
    let mut door = Door::new();
    let visits = pool.map_async(visit, [door.way_in(), door.way_in()]);
    door.await_knocks(2);
    let pids: Vec<i32> = pool.pids().collect();
    let most = getrlimit(Resource::RLIMIT_NOFILE).unwrap().1;
    setrlimit(Resource::RLIMIT_NOFILE, ENOUGH, most).unwrap();
    assert!(std::fs::File::open("/dev/null").is_err());
    send(Signal::SIGKILL, pids[0]);
    until(|| pool.statistics().tasks_failed == 1);
    door.open(1);
    assert_died(&visits.get().unwrap_err(), 0, &[KILLED]);
    // The other one does all the work.
    assert_eq!(pool.map(square, 0..500).unwrap().len(), 500);
    assert_eq!(pool.pids().collect::<Vec<_>>(), pids[1..]);
    uncap_descriptors();
    drop(low);
    until(|| pool.pids().len() == 2);
    check_is_well(&pool);
    pool.shutdown().unwrap();
}

pub fn of_many_short_pools_nothing_is_left<T: Bulk>(method: StartMethod) {
    let maps = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
    let run = |round: u64| {
        let pool: Pool<T> = builder(method).build().unwrap();
        let result = pool.apply_async(square, round);
        match round % 4 {
            0 => pool.terminate(),
            1 => pool.pids().for_each(|pid| send(Signal::SIGKILL, pid)),
            2 => assert_eq!(result.get().unwrap(), square(round)),
            _ => pool.shutdown().unwrap(),
        }
    };
    // What is made once, and kept, is made now.
    (0..8).for_each(run);
    let before = (descriptors(), maps());
    (0..200).for_each(run);
    let after = (descriptors(), maps());
    assert_eq!(before.0, after.0);
    // The allocator may take some more; a leak would be one a pool.
    assert!(after.1 < before.1 + 100, "{} mappings, then {}", before.1, after.1);
    let me = std::process::id() as i32;
    let all = procfs::process::all_processes().unwrap().flatten();
    let children = all.filter_map(|process| process.stat().ok()).filter(|stat| stat.ppid == me);
    // The fork server and what it reaps with are not a pool's.
    let left: Vec<_> =
        children.filter(|stat| stat.comm.contains("pool") || stat.state == 'Z').collect();
    assert!(left.is_empty(), "{left:?}");
}
