//! Workers that die in the middle of a bulk job.

use std::time::{Duration, Instant};

use multiproc::{Error, StartMethod};
use nix::{
    sys::signal::{Signal, kill, raise},
    unistd::Pid,
};

use super::{Pool, increment, pool};
use crate::{dice::Dice, in_a_process_of_its_own, with_every_start_method};

/// How long a storm of kills lasts, with each start method.
const STORM: Duration = Duration::from_millis(1_500);

/// Adds 1 to every element of a chunk whose first element is not 0, and dies
/// before, in between or after, as that element says.
fn die_in_between((): (), chunk: &mut [u64]) {
    let step = chunk[0] - 1;
    for (place, x) in chunk.iter_mut().enumerate() {
        if step == place as u64 {
            raise(Signal::SIGKILL).unwrap();
        }
        *x += 1;
    }
}

/// Of 100 chunks the one at 55 dies at `step`, each time that it is begun: the
/// error, and what is in that chunk then.
fn one_chunk_dies(pool: &Pool, step: u64, retries: u32) -> (Error, [u64; 10]) {
    let mut array = pool.array::<u64>(1_000).unwrap();
    // 10 is more than a chunk has: nobody dies there.
    array.fill(11);
    array[550] = 1 + step;
    let call = pool.call().retries(retries);
    let error = call.for_each_chunk(&mut array, 10, (), die_in_between).unwrap_err();
    let others = array[..550].iter().chain(&array[560..]);
    assert!(others.copied().all(|x| x == 12), "all others are done, once");
    (error, array[550..560].try_into().unwrap())
}

#[test]
fn a_worker_that_dies_costs_the_chunk_that_it_executed_and_no_other() {
    with_every_start_method(|method| {
        let pool = pool(2, method);
        for step in [0, 1, 9] {
            let pids: Vec<i32> = pool.pids().collect();
            let (error, _) = one_chunk_dies(&pool, step, 0);
            let Error::WorkerDied { pid, status, task: Some(55), .. } = &error else {
                panic!("{error}")
            };
            assert!(status.code == -9 && pids.contains(pid), "{error}");
        }
        assert_eq!(pool.workers(), 2);
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_chunk_that_may_be_retried_is_as_it_was_before_it_is_begun_again() {
    with_every_start_method(|method| {
        let pool = pool(2, method);
        for step in [0, 1, 9] {
            let (error, chunk) = one_chunk_dies(&pool, step, 2);
            assert!(matches!(error, Error::WorkerDied { task: Some(55), .. }), "{error}");
            assert_eq!(chunk[0], 1 + step);
            assert_eq!(chunk[1..], [11; 9]);
        }
        assert_eq!(pool.statistics().tasks_retried, 6);
        pool.shutdown().unwrap();
    });
}

#[test]
fn of_several_chunks_that_fail_in_different_ways_the_first_is_told() {
    in_a_process_of_its_own(|| {
        let pool = pool(3, StartMethod::ForkServer);
        let mut array = pool.array::<u64>(300).unwrap();
        array.iter_mut().zip(0..).for_each(|(x, i)| *x = i);
        let fail = |first: u64, chunk: &mut [u64]| match chunk[0] {
            x if x == first => panic!("at {x}"),
            200 => std::process::exit(3),
            250 => std::process::abort(),
            x => chunk[0] = x + 1_000,
        };
        let error = pool.for_each_chunk(&mut array, 1, 100, fail).unwrap_err();
        assert!(matches!(error, Error::TaskPanicked { task: 100, .. }), "{error}");
        assert_eq!(array.iter().filter(|&&x| x >= 1_000).count(), 297);

        array.iter_mut().zip(0..).for_each(|(x, i)| *x = i);
        let error = pool.for_each_chunk(&mut array, 1, 270, fail).unwrap_err();
        let Error::WorkerDied { task: Some(200), status, .. } = &error else { panic!("{error}") };
        assert_eq!(status.code, 3);
        assert_eq!(array.iter().filter(|&&x| x >= 1_000).count(), 297);
        pool.shutdown().unwrap();
    });
}

#[test]
fn every_worker_dies_and_all_chunks_that_killed_nobody_are_done() {
    with_every_start_method(|method| {
        let pool = pool(2, method);
        let mut array = pool.array::<u64>(1_000).unwrap();
        array.iter_mut().zip(0..).for_each(|(x, i)| *x = i);
        let fail = |(): (), chunk: &mut [u64]| match chunk[0] {
            x if x % 100 == 50 => std::process::abort(),
            x => chunk[0] = x + 10_000,
        };
        let error = pool.for_each_chunk(&mut array, 1, (), fail).unwrap_err();
        assert!(matches!(error, Error::WorkerDied { task: Some(50), .. }), "{error}");
        assert_eq!(array.iter().filter(|&&x| x >= 10_000).count(), 990);
        pool.shutdown().unwrap();
    });
}

/// Kills workers of `pool` at random while `job` is done again and again.
pub(super) fn storm(pool: &Pool, mut job: impl FnMut()) -> u64 {
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let (mut dice, mut kills) = (Dice::new(0x5EED), 0);
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                // No handshake: kills are to come at any moment.
                std::thread::sleep(Duration::from_micros(2_000 + dice.below(20_000)));
                let pids: Vec<i32> = pool.pids().collect();
                let Some(&pid) = pids.get(dice.below(pids.len().max(1) as u64) as usize) else {
                    continue;
                };
                // It may have ended a moment ago.
                kills += u64::from(kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok());
            }
            kills
        });
        let start = Instant::now();
        while start.elapsed() < STORM {
            job();
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        killer.join().unwrap()
    })
}

#[test]
fn kills_at_any_moment_lose_no_chunk_and_do_none_twice() {
    with_every_start_method(|method| {
        let pool = pool(3, method);
        // Most of the time goes into claims and thefts.
        let mut tiny = pool.array::<u64>(60_000).unwrap();
        // And into copies, here.
        let mut large = pool.array::<u64>(200_000).unwrap();
        let mut jobs = 0;
        let kills = storm(&pool, || {
            jobs += 1;
            let call = pool.call().retries(1_000);
            call.for_each_chunk(&mut tiny, 1, (), increment).unwrap();
            assert!(tiny.iter().all(|&x| x == jobs), "job {jobs}");
            call.for_each_chunk(&mut large, 5_000, (), increment).unwrap();
            assert!(large.iter().all(|&x| x == jobs), "job {jobs}");
        });
        eprintln!("{kills} kills in {jobs} jobs");
        assert!(kills > 0 && jobs > 0);
    });
}

#[test]
fn without_retries_a_kill_costs_one_chunk_at_most() {
    with_every_start_method(|method| {
        let pool = pool(3, method);
        let mut array = pool.array::<u64>(60_000).unwrap();
        let (mut jobs, mut failures) = (0, 0);
        let kills = storm(&pool, || {
            jobs += 1;
            array.fill(0);
            let outcome = pool.for_each_chunk(&mut array, 1, (), increment);
            let undone = array.iter().filter(|&&x| x == 0).count();
            assert!(array.iter().all(|&x| x <= 1), "none is done twice");
            match outcome {
                Ok(()) => assert_eq!(undone, 0),
                Err(Error::WorkerDied { task: Some(_), .. }) => failures += undone as u64,
                Err(error) => panic!("{error}"),
            }
        });
        eprintln!("{kills} kills in {jobs} jobs, {failures} chunks not done");
        assert!(failures <= kills, "{failures} chunks are lost by {kills} kills");
    });
}

#[test]
fn a_killed_parent_takes_workers_along_that_are_in_the_middle() {
    with_every_start_method(|method| {
        let has_begun = multiproc::Event::new().unwrap();
        let parent = |(method, has_begun): (u8, multiproc::Event)| {
            let pool = pool(2, StartMethod::ALL[method as usize]);
            let mut array = pool.array::<u64>(100_000).unwrap();
            pool.for_each_chunk(&mut array, 1, (), increment).unwrap();
            has_begun.set();
            loop {
                pool.for_each_chunk(&mut array, 1, (), increment).unwrap();
            }
        };
        let mut parent =
            crate::processes::started(method, parent, (method as u8, has_begun.clone()));
        has_begun.wait();
        parent.kill();
        parent.join().unwrap();
        // Whoever ends this test looks for processes that are left.
    });
}

#[test]
fn a_pool_that_is_terminated_by_another_thread_ends_the_job() {
    in_a_process_of_its_own(|| {
        let pool = pool(2, StartMethod::ForkServer);
        let mut array = pool.array::<u64>(1_000).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(50));
                pool.terminate();
            });
            let slow = |(): (), _: &mut [u64]| std::thread::sleep(Duration::from_millis(20));
            let error = pool.for_each_chunk(&mut array, 1, (), slow).unwrap_err();
            assert!(matches!(error, Error::PoolDropped), "{error}");
        });
    });
}

#[test]
fn deadlines_are_those_of_chunks_and_not_of_the_whole() {
    with_every_start_method(|method| {
        let pool = pool(2, method);
        let mut array = pool.array::<u64>(60).unwrap();
        array[37] = 1;
        let work = |(): (), chunk: &mut [u64]| {
            let ms = if chunk[0] == 1 { 60_000 } else { 10 };
            std::thread::sleep(Duration::from_millis(ms));
            chunk[0] = 2;
        };
        let limit = Duration::from_millis(150);
        let call = pool.call().hard_deadline(limit);
        let error = call.for_each_chunk(&mut array, 1, (), work).unwrap_err();
        let Error::DeadlineExceeded { task: 37, limit: told, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(told, limit);
        assert_eq!(array.iter().filter(|&&x| x == 2).count(), 59);
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_chunk_that_is_asked_to_stop_can_and_the_next_is_not() {
    in_a_process_of_its_own(|| {
        let pool = pool(1, StartMethod::ForkServer);
        let mut array = pool.array::<u64>(9).unwrap();
        let work = |(): (), chunk: &mut [u64]| {
            assert!(!multiproc::pool::is_asked_to_stop(), "it has just begun");
            while chunk[0] < 1 << 60 && !multiproc::pool::is_asked_to_stop() {
                chunk[0] += 1;
            }
        };
        let call = pool.call().soft_deadline(Duration::from_millis(20));
        call.for_each_chunk(&mut array, 1, (), work).unwrap();
        assert!(array.iter().all(|&x| x > 0));
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_storm_of_deadlines_hits_none_but_the_slow() {
    in_a_process_of_its_own(|| {
        let pool = pool(3, StartMethod::ForkServer);
        let mut array = pool.array::<u64>(400).unwrap();
        // About as long as allowed, so that some kills come too late.
        array.iter_mut().zip(0..).for_each(|(x, i)| *x = 1_500 + i % 40 * 25);
        let work = |(): (), chunk: &mut [u64]| {
            std::thread::sleep(Duration::from_micros(chunk[0]));
            assert!(chunk[0] < 10_000, "done twice");
            chunk[0] += 10_000;
        };
        let call = pool.call().hard_deadline(Duration::from_millis(2));
        let error = call.for_each_chunk(&mut array, 1, (), work).unwrap_err();
        assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error}");
        let quick = array.iter().filter(|&&x| x >= 10_000).count();
        eprintln!("{quick} of 400 in time");
        // What was killed has not come to its end; all others are done.
        let healed = pool.statistics().workers_healed as usize;
        assert!(400 - quick <= healed, "{healed} workers were killed, {quick} chunks done");
        pool.shutdown().unwrap();
    });
}
