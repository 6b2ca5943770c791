//! The methods of a pool give what they must.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use multiproc::{
    Error, Queue, StartMethod,
    pool::{Bulk, Pool},
};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::two;

pub(super) fn square(x: u64) -> u64 {
    x * x
}

pub fn test_apply<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    assert_eq!(pool.apply(square, 5).unwrap(), 25);
    assert_eq!(pool.apply(|x: u64| x as f64 / 2.0, 5).unwrap(), 2.5);
    assert_eq!(
        pool.apply(|words: Vec<String>| words.concat(), vec!["a".into(), "b".into()]).unwrap(),
        "ab"
    );
    pool.apply(|_: ()| (), ()).unwrap();
    pool.shutdown().unwrap();
}

pub fn test_map<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    for count in [0, 1, 2, 10, 5_000] {
        let squares: Vec<u64> = (0..count).map(square).collect();
        assert_eq!(pool.map(square, 0..count).unwrap(), squares);
    }
    pool.shutdown().unwrap();
}

pub fn test_starmap<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let pairs = (0..100u64).map(|x| (x, 2 * x));
    let products: Vec<u64> = pairs.clone().map(|(x, y)| x * y).collect();
    assert_eq!(pool.starmap(|x: u64, y: u64| x * y, pairs.clone()).unwrap(), products);
    assert_eq!(pool.starmap_async(|x: u64, y: u64| x * y, pairs).get().unwrap(), products);
    let joined =
        pool.starmap(|a: u8, b: char, c: String| format!("{a}{b}{c}"), [(1, 'b', "c".to_owned())]);
    assert_eq!(joined.unwrap(), ["1bc"]);
    pool.shutdown().unwrap();
}

pub fn test_async<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let result = pool.apply_async(square, 7);
    assert_eq!(result.get().unwrap(), 49);
    pool.shutdown().unwrap();
}

pub fn test_map_async<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let squares = pool.map_async(square, 0..1_000);
    let nothing = pool.map_async(|_: u64| (), 0..1_000);
    assert_eq!(nothing.get().unwrap().len(), 1_000);
    assert_eq!(squares.get().unwrap(), (0..1_000).map(square).collect::<Vec<_>>());
    pool.shutdown().unwrap();
}

pub fn test_map_chunksize<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let squares: Vec<u64> = (0..100).map(square).collect();
    for chunk_len in [1, 7, 100, 1_000_000] {
        let chunked = pool.call().chunk_len(chunk_len);
        assert_eq!(chunked.map(square, 0..100).unwrap(), squares);
        assert_eq!(chunked.map_async(square, 0..100).get().unwrap(), squares);
        assert!(chunked.map(square, []).unwrap().is_empty());
        let streamed: Vec<u64> = chunked.imap(square, 0..100).map(Result::unwrap).collect();
        assert_eq!(streamed, squares);
    }
    // Whoever is given a chunk does all of it.
    let pids = pool.call().chunk_len(50).map(|_: u64| std::process::id(), 0..100).unwrap();
    assert!(pids[..50].iter().all(|&pid| pid == pids[0]));
    assert!(pids[50..].iter().all(|&pid| pid == pids[50]));
    pool.shutdown().unwrap();
}

/// Cannot be written, or not be read, as its number says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stubborn {
    Fine,
    NotWritten,
    NotRead,
    /// Its reader panics.
    Panics,
}

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::NotWritten => Err(ser::Error::custom("it does not want to be written")),
            other => serializer.serialize_u8(*other as u8),
        }
    }
}

impl<'de> Deserialize<'de> for Stubborn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            0 => Ok(Self::Fine),
            2 => Err(de::Error::custom("it does not want to be read")),
            _ => panic!("it panics"),
        }
    }
}

/// The argument of one task cannot be encoded: that is its error, and nobody
/// else's.
pub fn test_map_unplicklable<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    for bad in [Stubborn::NotWritten, Stubborn::NotRead, Stubborn::Panics] {
        let arguments = [Stubborn::Fine, bad, Stubborn::Fine];
        let outcomes = pool.map_outcomes(|_: Stubborn| 1, arguments).unwrap();
        assert!(matches!(outcomes[..], [Ok(1), Err(_), Ok(1)]), "{outcomes:?}");
        let error = pool.map(|_: Stubborn| 1, arguments).unwrap_err();
        assert!(
            matches!(error, Error::TaskValue { task: 1, .. } | Error::TaskPanicked { task: 1, .. }),
            "{error:?}"
        );
    }
    pool.shutdown().unwrap();
}

/// The result of one task cannot be encoded, or not be decoded.
pub fn test_unpickleable_result<T: Bulk>(method: StartMethod) {
    fn result(x: u64) -> Stubborn {
        [Stubborn::Fine, Stubborn::NotWritten, Stubborn::NotRead, Stubborn::Panics][x as usize % 4]
    }
    let pool = two::<T>(method);
    let outcomes = pool.map_outcomes(result, 0..8).unwrap();
    for (x, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(Stubborn::Fine) if x % 4 == 0 => {}
            Err(Error::TaskValue { task, what: "result", why }) if x % 4 != 0 => {
                assert_eq!(task, x);
                let has_panicked = why.ends_with("panicked while it was decoded: it panics");
                assert_eq!(has_panicked, x % 4 == 3, "{why}");
            }
            other => panic!("{x}: {other:?}"),
        }
    }
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
    pool.shutdown().unwrap();
}

pub fn test_imap<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    for count in [0, 1, 10, 20_000] {
        let mut expected = 0..count;
        for result in pool.imap(square, 0..count) {
            assert_eq!(result.unwrap(), square(expected.next().unwrap()));
        }
        assert_eq!(expected.next(), None);
    }
    // An error is one item, and the others follow.
    let picky = |x: u64| if x == 3 { panic!("no 3") } else { x };
    let outcomes: Vec<_> = pool.imap(picky, 0..6).collect();
    for (x, outcome) in (0..).zip(outcomes) {
        match outcome {
            Err(Error::TaskPanicked { task: 3, .. }) if x == 3 => {}
            other => assert_eq!(other.unwrap(), x),
        }
    }
    pool.shutdown().unwrap();
}

pub fn test_imap_unordered<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    for count in [0, 1, 10, 20_000] {
        let mut results: Vec<u64> =
            pool.imap_unordered(square, 0..count).map(Result::unwrap).collect();
        results.sort_unstable();
        assert_eq!(results, (0..count).map(square).collect::<Vec<_>>());
    }
    // What is done first comes first.
    let sleep = |ms: u64| {
        std::thread::sleep(Duration::from_millis(ms));
        ms
    };
    let results: Vec<u64> = pool
        .call()
        .chunk_len(1)
        .imap_unordered(sleep, [300, 0, 1, 2])
        .map(Result::unwrap)
        .collect();
    assert_eq!(results, [0, 1, 2, 300]);
    pool.shutdown().unwrap();
}

pub fn test_empty_iterable<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let result = pool.map_async(square, []);
    assert!(result.is_ready());
    assert!(result.get().unwrap().is_empty());
    assert!(pool.map(square, []).unwrap().is_empty());
    assert_eq!(pool.imap(square, []).count(), 0);
    assert_eq!(pool.imap_unordered(square, []).count(), 0);
    pool.shutdown().unwrap();
}

pub fn test_make_pool<T: Bulk>(method: StartMethod) {
    let none = Pool::<T>::builder().workers(0).start_method(method).build();
    assert!(matches!(none, Err(Error::NoWorkers)), "{none:?}");
    let three = Pool::<T>::builder().workers(3).start_method(method).build().unwrap();
    assert_eq!((three.workers(), three.pids().len()), (3, 3));
    three.shutdown().unwrap();
    let default = Pool::<T>::builder().start_method(method).build().unwrap();
    assert_eq!(default.workers(), multiproc::cpu_count().get());
    default.shutdown().unwrap();
    // Cores that this process may not use do not count. A quota of its cgroup is
    // to `cpu_count` what the affinity is, and tested there.
    let myself = Pid::from_raw(0);
    let all = sched_getaffinity(myself).unwrap();
    let mut one = CpuSet::new();
    one.set((0..CpuSet::count()).find(|&core| all.is_set(core).unwrap()).unwrap()).unwrap();
    sched_setaffinity(myself, &one).unwrap();
    let pinned = Pool::<T>::builder().start_method(method).build().unwrap();
    assert_eq!((pinned.workers(), pinned.pids().len()), (1, 1));
    pinned.shutdown().unwrap();
}

/// Prompt, with work queued and under way.
pub fn test_terminate<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let sleep = |_: u64| std::thread::sleep(Duration::from_secs(3600));
    let results = pool.map_async(sleep, 0..1_000);
    pool.terminate();
    assert!(matches!(results.get(), Err(Error::PoolDropped)));
    assert_eq!(pool.workers(), 0);
    pool.terminate();
}

/// A pool that goes out of scope ends its workers.
pub fn test_context<T: Bulk>(method: StartMethod) {
    let pids: Vec<i32> = {
        let pool = two::<T>(method);
        assert_eq!(pool.map(square, 0..3).unwrap(), [0, 1, 4]);
        pool.pids().collect()
    };
    for pid in pids {
        assert!(!std::fs::exists(format!("/proc/{pid}")).unwrap(), "{pid} lives on");
    }
}

/// The error of a task that panicked says where, and if wanted by which calls.
pub fn test_traceback<T: Bulk>(method: StartMethod) {
    #[inline(never)]
    fn panics_with(what: u64) -> u64 {
        panic!("found {what}")
    }
    let plain = two::<T>(method);
    match plain.apply(panics_with, 42) {
        Err(Error::TaskPanicked { task: 0, pid, name, message, backtrace: None }) => {
            assert!(plain.pids().any(|worker| worker == pid));
            assert!(name.starts_with(T::NAME), "{name}");
            assert!(message.contains("methods.rs:"), "{message}");
            assert!(message.contains("found 42"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    plain.shutdown().unwrap();
    let traced =
        Pool::<T>::builder().workers(1).start_method(method).backtraces(true).build().unwrap();
    match traced.apply(panics_with, 42) {
        Err(Error::TaskPanicked { backtrace: Some(calls), .. }) => {
            assert!(calls.contains("panics_with"), "{calls}");
        }
        other => panic!("{other:?}"),
    }
    traced.shutdown().unwrap();
}

pub fn test_map_no_failfast<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let mut array = pool.array_from(&(0..100).collect::<Vec<u64>>()).unwrap();
    let outcome = pool.for_each_chunk(&mut array, 1, 0, |picky: u64, chunk: &mut [u64]| {
        assert_ne!(chunk[0], picky);
        chunk[0] = 7;
    });
    assert!(matches!(outcome, Err(Error::TaskPanicked { task: 0, .. })), "{outcome:?}");
    assert_eq!((array[0], &array[1..]), (0, &[7; 99][..]));

    // Not before all others are done.
    let done = Queue::<u64>::new().unwrap();
    let pool_with_queue = Pool::<T>::builder()
        .workers(2)
        .start_method(method)
        .initialiser(|queue: Queue<u64>| QUEUE.set(queue).map_err(drop).unwrap(), done.clone())
        .build()
        .unwrap();
    let outcome = pool_with_queue.map(
        |x: u64| {
            assert_ne!(x, 0);
            QUEUE.get().unwrap().put(&x).unwrap();
        },
        0..50,
    );
    assert!(matches!(outcome, Err(Error::TaskPanicked { task: 0, .. })), "{outcome:?}");
    assert_eq!(done.len(), 49);
    pool.shutdown().unwrap();
    pool_with_queue.shutdown().unwrap();
}

/// What the initialiser has given a worker.
static QUEUE: std::sync::OnceLock<Queue<u64>> = std::sync::OnceLock::new();

/// A closed pool is of no use any more, but finishes what it has.
pub fn test_enter<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let before = pool.map_async(square, 0..100);
    assert!(matches!(pool.join(), Err(Error::PoolOpen)));
    pool.close();
    assert!(matches!(pool.apply(square, 1), Err(Error::PoolClosed)));
    assert!(matches!(pool.map_async(square, [1]).get(), Err(Error::PoolClosed)));
    let streamed: Vec<_> = pool.imap(square, 0..3).collect();
    assert!(matches!(streamed[..], [Err(Error::PoolClosed)]), "{streamed:?}");
    pool.join().unwrap();
    assert_eq!(before.get().unwrap().len(), 100);
    assert!(matches!(pool.apply(square, 1), Err(Error::PoolClosed)));
}

pub fn test_async_error_callback<T: Bulk>(method: StartMethod) {
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let pool = two::<T>(method);
    let picky = |x: u64| if x == 13 { panic!("no {x}") } else { x };
    let good = pool
        .apply_async(picky, 5)
        .on_result(|&x| _ = SEEN.fetch_add(x, Relaxed))
        .on_error(|error| panic!("{error}"));
    assert_eq!(good.get().unwrap(), 5);
    let bad = pool.map_async(picky, [1, 13]).on_result(|results| panic!("{results:?}")).on_error(
        |error| {
            assert!(matches!(error, Error::TaskPanicked { task: 1, .. }), "{error}");
            SEEN.fetch_add(100, Relaxed);
        },
    );
    assert!(matches!(bad.get(), Err(Error::TaskPanicked { task: 1, .. })));
    // They are called before the result can be had.
    assert_eq!(SEEN.load(Relaxed), 105);
    // One that comes late is called too, one that panics harms nobody, and one
    // that uses the pool does not wait for itself.
    let late = pool.apply_async(picky, 7);
    late.wait(None);
    let (tell, told) = std::sync::mpsc::channel();
    let late =
        late.on_result(|_| panic!("this is printed")).on_result(move |&x| tell.send(x).unwrap());
    assert_eq!(told.recv().unwrap(), 7);
    assert_eq!(late.get().unwrap(), 7);
    pool.shutdown().unwrap();
}

/// A worker ends after so many tasks, in order, and another takes its seat.
pub fn test_pool_worker_lifetime<T: Bulk>(method: StartMethod) {
    let pool = Pool::<T>::builder()
        .workers(2)
        .start_method(method)
        .max_tasks_per_worker(10)
        .build()
        .unwrap();
    let pids = pool.map(|_: u64| std::process::id(), 0..100).unwrap();
    let mut by_worker = std::collections::HashMap::new();
    pids.iter().for_each(|pid| *by_worker.entry(pid).or_insert(0) += 1);
    assert!(by_worker.len() >= 10, "{by_worker:?}");
    assert!(by_worker.values().all(|&tasks| tasks <= 10), "{by_worker:?}");
    let statistics = pool.statistics();
    assert_eq!((statistics.tasks_done, statistics.workers_healed), (100, 0));
    pool.shutdown().unwrap();
}

/// Nothing of a pool is left once it is gone, its references neither.
pub fn test_release_unused_processes<T: Bulk>(method: StartMethod) {
    let weak = {
        let pool = two::<T>(method);
        let strong = std::sync::Arc::new(());
        let weak = std::sync::Arc::downgrade(&strong);
        let result = pool.apply_async(square, 3).on_result(move |_| drop(strong));
        assert_eq!(result.get().unwrap(), 9);
        weak
    };
    assert!(weak.upgrade().is_none());
}
