//! `apply`, `map` and their asynchronous forms give what they must.

use std::time::Duration;

use pipe_pool::{AsyncResult, Error, Pool};

use crate::with_pools_of_two;

fn square(x: u64) -> u64 {
    x * x
}

#[test]
fn test_apply() {
    with_pools_of_two(|pool| {
        assert_eq!(pool.apply(square, 5).unwrap(), 25);
        assert_eq!(pool.apply(|x: u64| x as f64 / 2.0, 5).unwrap(), 2.5);
        pool.apply(|_: ()| (), ()).unwrap();
        pool.shutdown().unwrap();
    });
}

#[test]
fn test_map() {
    with_pools_of_two(|pool| {
        for count in [0, 1, 2, 10, 5_000] {
            let squares: Vec<u64> = (0..count).map(square).collect();
            assert_eq!(pool.map(square, 0..count).unwrap(), squares);
        }
        pool.shutdown().unwrap();
    });
}

#[test]
fn test_async() {
    with_pools_of_two(|pool| {
        let result = pool.apply_async(square, 7);
        assert_eq!(result.get().unwrap(), 49);
        pool.shutdown().unwrap();
    });
}

#[test]
fn test_map_async() {
    with_pools_of_two(|pool| {
        let squares = pool.map_async(square, 0..1_000);
        let nothing = pool.map_async(|_: u64| (), 0..1_000);
        assert_eq!(nothing.get().unwrap().len(), 1_000);
        assert_eq!(squares.get().unwrap(), (0..1_000).map(square).collect::<Vec<_>>());
        pool.shutdown().unwrap();
    });
}

#[test]
fn test_empty_iterable() {
    with_pools_of_two(|pool| {
        let result = pool.map_async(square, []);
        assert!(result.is_ready());
        assert!(result.get().unwrap().is_empty());
        pool.shutdown().unwrap();
    });
}

#[test]
fn test_map_no_failfast() {
    with_pools_of_two(|pool| {
        let mut array: Vec<u64> = (0..100).collect();
        let outcome = pool.for_each_chunk(&mut array, 1, 0, |picky: u64, chunk: &mut [u64]| {
            assert_ne!(chunk[0], picky);
            chunk[0] = 7;
        });
        assert!(matches!(outcome, Err(Error::TaskPanicked { task: 0, .. })), "{outcome:?}");
        assert_eq!((array[0], &array[1..]), (0, &[7; 99][..]));
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_panic_is_the_error_of_its_own_result_and_of_nothing_else() {
    with_pools_of_two(|pool| {
        let picky = |x: u64| if x == 13 { panic!("no {x}") } else { x };
        let calls: Vec<AsyncResult<u64>> = (0..40).map(|x| pool.apply_async(picky, x)).collect();
        let map = pool.map_async(picky, 10..20);
        for (x, call) in (0..).zip(calls) {
            match call.get() {
                Err(Error::TaskPanicked { task: 0, message }) if x == 13 => {
                    assert!(message.contains("methods.rs"), "{message}");
                    assert!(message.contains("no 13"), "{message}");
                }
                other => assert_eq!(other.unwrap(), x),
            }
        }
        assert!(matches!(map.get(), Err(Error::TaskPanicked { task: 3, .. })));
        assert_eq!(pool.apply(picky, 1).unwrap(), 1);
        pool.shutdown().unwrap();
    });
}

/// 64 KiB: more than is gathered, and than a pipe holds by default.
type Large = [u64; 8192];

#[test]
fn large_payloads_of_several_jobs_flow_past_each_other() {
    with_pools_of_two(|pool| {
        let double = |large: Large| large.map(|x| x * 2);
        let first = pool.map_async(double, (0..40).map(|x| [x; 8192]));
        let small: Vec<_> = (0..100).map(|x| pool.apply_async(square, x)).collect();
        let mut array = vec![1u64; 500_000];
        let add = |n: u64, chunk: &mut [u64]| chunk.iter_mut().for_each(|x| *x += n);
        pool.for_each_chunk(&mut array, 70_000, 5, add).unwrap();
        let second = pool.map_async(double, (40..80).map(|x| [x; 8192]));
        assert!(array.iter().all(|&x| x == 6));
        let all = first.get().unwrap().into_iter().chain(second.get().unwrap());
        for (x, large) in (0..).zip(all) {
            assert!(large.iter().all(|&y| y == 2 * x));
        }
        for (x, result) in (0..).zip(small) {
            assert_eq!(result.get().unwrap(), square(x));
        }
        pool.shutdown().unwrap();
    });
}

#[test]
fn thousands_of_results_can_be_outstanding() {
    with_pools_of_two(|pool| {
        let results: Vec<_> = (0..5_000).map(|x| pool.apply_async(square, x)).collect();
        for (x, result) in (0..5_000u32).zip(results).rev() {
            assert_eq!(result.get().unwrap(), square(x.into()));
        }
        pool.shutdown().unwrap();
    });
}

#[test]
fn threads_share_a_pool() {
    with_pools_of_two(|pool: Pool| {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let pool = &pool;
                scope.spawn(move || {
                    for x in 0..50 {
                        let later = pool.apply_async(square, x);
                        assert_eq!(
                            pool.map(square, [thread, x]).unwrap(),
                            [thread * thread, x * x]
                        );
                        assert!(later.wait(None));
                        assert_eq!(later.get().unwrap(), x * x);
                    }
                });
            }
        });
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_result_can_be_asked_for_again() {
    with_pools_of_two(|pool| {
        let mut result = pool.apply_async(square, 3);
        for _ in 0..2 {
            assert_eq!(result.get_timeout(Duration::MAX).unwrap(), 9);
        }
        let mut error = pool.apply_async(|x: u64| -> u64 { panic!("{x}") }, 3);
        for _ in 0..2 {
            let outcome = error.get_timeout(Duration::MAX);
            assert!(matches!(outcome, Err(Error::TaskPanicked { .. })), "{outcome:?}");
        }
        pool.shutdown().unwrap();
    });
}
