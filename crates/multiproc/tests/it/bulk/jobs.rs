//! What bulk jobs do as long as nobody dies.

use bytemuck::{Pod, Zeroable};
use multiproc::{
    Error, SharedMemoryRings, StartMethod,
    pool::{Bulk, Chunks},
};

use super::{Pool, increment, pool};
use crate::{in_a_process_of_its_own, with_every_start_method};

#[test]
fn every_chunk_is_done_exactly_once_however_many_jobs() {
    with_every_start_method(|method| {
        let pool = pool(3, method);
        let mut array = pool.array::<u64>(10_007).unwrap();
        for job in 1..=50 {
            pool.for_each_chunk(&mut array, 1 + job % 9, (), increment).unwrap();
            assert!(array.iter().all(|&x| x == job as u64), "job {job}");
        }
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_chunk_becomes_a_chunk_of_another_array_of_another_type() {
    with_every_start_method(|method| {
        let pool = pool(2, method);
        let input: Vec<u32> = (0..1_000).collect();
        let input = pool.array_from(&input).unwrap();
        let mut output = pool.array::<f64>(1_000).unwrap();
        let halve = |factor: f64, input: &[u32], output: &mut [f64]| {
            for (x, y) in input.iter().zip(output) {
                *y = f64::from(*x) * factor;
            }
        };
        pool.map_chunks(&input, &mut output, 7, 0.5, halve).unwrap();
        assert!(output.iter().zip(&*input).all(|(&y, &x)| y == f64::from(x) / 2.0));
        pool.shutdown().unwrap();
    });
}

#[test]
fn chunks_behind_the_end_are_shorter_or_empty() {
    in_a_process_of_its_own(|| {
        let pool = pool(2, StartMethod::ForkServer);
        let mut array = pool.array::<u64>(10).unwrap();
        let lengths = |(): (), chunk: &mut [u64]| {
            let len = chunk.len() as u64;
            chunk.iter_mut().for_each(|x| *x += len);
        };
        let chunks = Chunks { len: 4, count: 7 };
        SharedMemoryRings::change_chunks(&pool.call(), &mut array, chunks, (), lengths).unwrap();
        assert_eq!(*array, [4, 4, 4, 4, 4, 4, 4, 4, 2, 2]);
        let mut nothing = pool.array::<u64>(0).unwrap();
        pool.for_each_chunk(&mut nothing, 4, (), increment).unwrap();
    });
}

#[test]
fn the_context_may_be_of_any_length() {
    #[derive(Clone, Copy, Pod, Zeroable)]
    #[repr(C)]
    struct Table([u64; 1_000]);

    in_a_process_of_its_own(|| {
        let pool = pool(2, StartMethod::ForkServer);
        let mut array = pool.array::<u64>(1_000).unwrap();
        array.iter_mut().zip(0..).for_each(|(x, i)| *x = i);
        let table = Table(std::array::from_fn(|i| i as u64 * 3));
        let look_up = |table: Table, chunk: &mut [u64]| {
            chunk.iter_mut().for_each(|x| *x = table.0[*x as usize]);
        };
        pool.for_each_chunk(&mut array, 10, table, look_up).unwrap();
        assert!(array.iter().zip(0..).all(|(&x, i)| x == i * 3));
    });
}

#[test]
fn a_panic_is_told_with_its_chunk_place_and_worker_and_spares_all_others() {
    with_every_start_method(|method| {
        let pool = pool(2, method);
        let pids: Vec<i32> = pool.pids().collect();
        let mut array = pool.array::<u64>(100).unwrap();
        array.iter_mut().zip(0..).for_each(|(x, i)| *x = i);
        let dislike = |(): (), chunk: &mut [u64]| match chunk[0] {
            37 | 61 | 99 => panic!("I do not like {}", chunk[0]),
            x => chunk[0] = x + 1_000,
        };
        let error = pool.for_each_chunk(&mut array, 1, (), dislike).unwrap_err();
        let Error::TaskPanicked { task: 37, pid, name, message, .. } = &error else {
            panic!("{error}")
        };
        assert!(pids.contains(pid) && name.starts_with("shm-pool-"), "{error}");
        let place_and_message = message.contains("jobs.rs:") && message.ends_with("like 37");
        assert!(place_and_message, "{message}");
        assert_eq!(array.iter().filter(|&&x| x >= 1_000).count(), 97);
        assert_eq!(pool.pids().collect::<Vec<_>>(), pids, "nobody died");
        pool.for_each_chunk(&mut array, 1, (), increment).unwrap();
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_panic_comes_with_the_calls_that_led_there_if_they_are_asked_for() {
    in_a_process_of_its_own(|| {
        let pool = Pool::builder().workers(1).backtraces(true).build().unwrap();
        let mut array = pool.array::<u64>(1).unwrap();
        let error = pool.for_each_chunk(&mut array, 1, (), |(): (), _: &mut [u64]| panic!("no"));
        let Err(Error::TaskPanicked { backtrace: Some(backtrace), .. }) = &error else {
            panic!("{error:?}")
        };
        assert!(backtrace.contains("jobs.rs"), "{backtrace}");
    });
}

#[test]
fn with_retries_a_chunk_that_panics_is_as_it_was() {
    in_a_process_of_its_own(|| {
        let pool = pool(2, StartMethod::ForkServer);
        let mut array = pool.array::<u64>(100).unwrap();
        let half = |(): (), chunk: &mut [u64]| {
            chunk[0] = 1;
            assert!(chunk.as_ptr() as usize % 4096 != 400, "in the middle");
            chunk[1..].fill(1);
        };
        let error = pool.call().retries(1).for_each_chunk(&mut array, 10, (), half).unwrap_err();
        assert!(matches!(error, Error::TaskPanicked { task: 5, .. }), "{error}");
        assert!(array.iter().zip(0..).all(|(&x, i)| x == u64::from(i / 10 != 5)), "{array:?}");
    });
}

#[test]
fn threads_share_the_workers() {
    in_a_process_of_its_own(|| {
        let pool = pool(2, StartMethod::ForkServer);
        std::thread::scope(|scope| {
            for thread in 1..=3 {
                let pool = &pool;
                scope.spawn(move || {
                    let mut array = pool.array::<u64>(5_000).unwrap();
                    for job in 1..=20 {
                        pool.for_each_chunk(&mut array, thread, (), increment).unwrap();
                        assert!(array.iter().all(|&x| x == job));
                        assert_eq!(pool.apply(|x: u64| x + 1, job).unwrap(), job + 1);
                    }
                });
            }
        });
        pool.shutdown().unwrap();
    });
}

#[test]
fn who_is_busy_with_something_else_is_not_waited_for() {
    in_a_process_of_its_own(|| {
        let pool = pool(2, StartMethod::ForkServer);
        let busy = pool.apply_async(|()| while !multiproc::pool::is_asked_to_stop() {}, ());
        let mut array = pool.array::<u64>(10_000).unwrap();
        for job in 1..=20 {
            pool.for_each_chunk(&mut array, 3, (), increment).unwrap();
            assert!(array.iter().all(|&x| x == job));
        }
        assert!(!busy.is_ready());
    });
}

#[test]
fn too_many_chunks_are_an_error() {
    in_a_process_of_its_own(|| {
        let pool = pool(1, StartMethod::ForkServer);
        let mut array = pool.array::<u64>(1).unwrap();
        let chunks = Chunks { len: 1, count: u32::MAX as usize };
        let error =
            SharedMemoryRings::change_chunks(&pool.call(), &mut array, chunks, (), increment);
        assert!(matches!(error, Err(Error::TooLarge { .. })), "{error:?}");
    });
}

#[test]
fn a_pool_that_has_ended_says_so() {
    in_a_process_of_its_own(|| {
        let pool = pool(2, StartMethod::ForkServer);
        let mut array = pool.array::<u64>(100).unwrap();
        pool.close();
        pool.join().unwrap();
        let error = pool.for_each_chunk(&mut array, 1, (), increment).unwrap_err();
        assert!(matches!(error, Error::PoolClosed), "{error}");
    });
}
