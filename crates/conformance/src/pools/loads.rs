//! Many calls at once, large ones, and each on its own.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use multiproc::{
    Error, StartMethod,
    pool::{AsyncResult, Bulk, Pool},
};

use super::{methods::square, two};

pub fn a_panic_is_the_error_of_its_own_result_and_of_nothing_else<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let picky = |x: u64| if x == 13 { panic!("no {x}") } else { x };
    let calls: Vec<AsyncResult<u64>> = (0..40).map(|x| pool.apply_async(picky, x)).collect();
    let map = pool.map_async(picky, 10..20);
    for (x, call) in (0..).zip(calls) {
        match call.get() {
            Err(Error::TaskPanicked { task: 0, message, .. }) if x == 13 => {
                assert!(message.contains("loads.rs"), "{message}");
                assert!(message.contains("no 13"), "{message}");
            }
            other => assert_eq!(other.unwrap(), x),
        }
    }
    assert!(matches!(map.get(), Err(Error::TaskPanicked { task: 3, .. })));
    assert_eq!(pool.apply(picky, 1).unwrap(), 1);
    pool.shutdown().unwrap();
}

/// Around what fits into the shortest way, and far beyond.
pub fn a_call_returns_results_of_every_size_and_runs_once<T: Bulk>(method: StartMethod) {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let pool: Pool<T> = Pool::builder().workers(1).start_method(method).build().unwrap();
    let numbers = |len: u32| -> Vec<u32> {
        RUNS.fetch_add(1, Relaxed);
        (0..len / 4).collect()
    };
    let text = |len: u32| {
        RUNS.fetch_add(1, Relaxed);
        "abcd".repeat(len as usize / 4 + 1)[..len as usize].to_owned()
    };
    let mut calls = 0;
    for len in [0, 992, 996, 1000, 1004, 1008, 1012, 1020, 1024, 1028, 40_000, 100_000, 8 << 20] {
        let result = pool.apply(numbers, len).unwrap();
        assert!(result.len() == len as usize / 4 && (0..).zip(result).all(|(i, x)| x == i));
        for len in [len.saturating_sub(1), len, len + 1] {
            let result = pool.apply(text, len).unwrap();
            assert_eq!(result.len(), len as usize);
            assert!(result.bytes().zip("abcd".bytes().cycle()).all(|(x, y)| x == y), "{len}");
        }
        calls += 4;
    }
    assert_eq!(pool.apply(|()| RUNS.load(Relaxed), ()).unwrap(), calls);
    let failure = pool.apply(|()| -> u8 { panic!("{}", "long ".repeat(1_000)) }, ()).unwrap_err();
    assert!(failure.to_string().contains(&"long ".repeat(1_000)), "{failure}");
    pool.shutdown().unwrap();
}

pub fn large_payloads_of_several_jobs_flow_past_each_other<T: Bulk>(method: StartMethod) {
    // 600 KB: more than is gathered, and than a stream holds by default.
    let large = |x: u32| vec![x; 150_000];
    let pool = two::<T>(method);
    let double = |large: Vec<u32>| -> Vec<u32> { large.iter().map(|x| x * 2).collect() };
    let first = pool.map_async(double, (0..20).map(large));
    let small: Vec<_> = (0..100).map(|x| pool.apply_async(square, x)).collect();
    let mut array = pool.array_from(&[1u64; 500_000]).unwrap();
    let add = |n: u64, chunk: &mut [u64]| chunk.iter_mut().for_each(|x| *x += n);
    pool.for_each_chunk(&mut array, 70_000, 5, add).unwrap();
    let second = pool.map_async(double, (20..40).map(large));
    assert!(array.iter().all(|&x| x == 6));
    let all = first.get().unwrap().into_iter().chain(second.get().unwrap());
    for (x, large) in (0..).zip(all) {
        assert!(large.len() == 150_000 && large.iter().all(|&y| y == 2 * x));
    }
    for (x, result) in (0..).zip(small) {
        assert_eq!(result.get().unwrap(), square(x));
    }
    let mut halves = pool.array::<u32>(500_000).unwrap();
    let halve = |_: (), from: &[u64], to: &mut [u32]| {
        from.iter().zip(to).for_each(|(x, y)| *y = (x / 2) as u32);
    };
    pool.map_chunks(&array, &mut halves, 70_001, (), halve).unwrap();
    assert!(halves.iter().all(|&x| x == 3));
    pool.shutdown().unwrap();
}

pub fn thousands_of_results_can_be_outstanding<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let results: Vec<_> = (0..5_000).map(|x| pool.apply_async(square, x)).collect();
    for (x, result) in (0..5_000u32).zip(results).rev() {
        assert_eq!(result.get().unwrap(), square(x.into()));
    }
    pool.shutdown().unwrap();
}

pub fn threads_share_a_pool<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let pool = &pool;
            scope.spawn(move || {
                for x in 0..50 {
                    let later = pool.apply_async(square, x);
                    assert_eq!(pool.map(square, [thread, x]).unwrap(), [thread * thread, x * x]);
                    assert!(later.wait(None));
                    assert_eq!(later.get().unwrap(), x * x);
                }
            });
        }
    });
    pool.shutdown().unwrap();
}

/// A task of a pool's worker builds a pool of its own.
pub fn pools_can_be_nested<T: Bulk>(method: StartMethod) {
    fn sum_of_squares<T: Bulk>(up_to: u64) -> u64 {
        let pool = two::<T>(StartMethod::ALL[up_to as usize % 3]);
        let squares = pool.map(square, 0..up_to).unwrap();
        pool.shutdown().unwrap();
        squares.iter().sum()
    }
    let pool = two::<T>(method);
    let sums = pool.map(sum_of_squares::<T>, 3..9).unwrap();
    let expected: Vec<u64> = (3..9).map(|up_to| (0..up_to).map(square).sum()).collect();
    assert_eq!(sums, expected);
    pool.shutdown().unwrap();
}
