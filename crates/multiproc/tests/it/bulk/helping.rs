//! Bulk jobs that the caller helps with.

use std::{process, time::Duration};

use multiproc::{Error, StartMethod, pool::Waiting};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{Pool, deaths::storm, increment};
use crate::{in_a_process_of_its_own, with_every_start_method};

fn helped(workers: usize, method: StartMethod) -> Pool {
    let builder = Pool::builder().workers(workers).start_method(method).caller_helps(true);
    builder.build().unwrap_or_else(|error| panic!("{error}"))
}

fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// Writes who has executed the chunk, after a while.
fn sign((): (), chunk: &mut [u64]) {
    std::thread::sleep(Duration::from_millis(1));
    chunk[0] = process::id().into();
}

#[test]
fn the_caller_works_in_the_place_of_one_worker() {
    with_every_start_method(|method| {
        let pool = helped(3, method);
        let mut array = pool.array::<u64>(200).unwrap();
        pool.for_each_chunk(&mut array, 1, (), sign).unwrap();
        let mut by = array.to_vec();
        by.sort_unstable();
        by.dedup();
        let workers: Vec<u64> = pool.pids().map(|pid| pid as u64).collect();
        assert!(by.contains(&process::id().into()) && by.len() == 3, "{by:?}");
        assert!(by.contains(&workers[0]) && by.contains(&workers[1]), "{by:?} of {workers:?}");
        pool.shutdown().unwrap();
    });
}

#[test]
fn every_chunk_is_done_exactly_once_however_small_the_jobs() {
    with_every_start_method(|method| {
        let pool = helped(2, method);
        for len in [1, 2, 3, 10, 1_000] {
            let mut array = pool.array::<u64>(len).unwrap();
            for job in 1..=300 {
                pool.for_each_chunk(&mut array, 1, (), increment).unwrap();
                assert!(array.iter().all(|&x| x == job), "job {job} of {len}");
            }
        }
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_worker_that_has_not_begun_is_not_waited_for() {
    with_every_start_method(|method| {
        let pool = helped(2, method);
        let mut array = pool.array::<u64>(100).unwrap();
        let pids: Vec<i32> = pool.pids().collect();
        pids.iter().for_each(|&pid| signal(pid, Signal::SIGSTOP));
        for job in 1..=20 {
            pool.for_each_chunk(&mut array, 1, (), increment).unwrap();
            assert!(array.iter().all(|&x| x == job), "job {job}");
        }
        pids.iter().for_each(|&pid| signal(pid, Signal::SIGCONT));
        pool.for_each_chunk(&mut array, 1, (), increment).unwrap();
        assert!(array.iter().all(|&x| x == 21));
        assert_eq!(pool.apply(|x: u64| x + 1, 1).unwrap(), 2);
        assert_eq!(pool.statistics().workers_healed, 0);
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_panic_in_the_caller_is_the_error_of_its_chunk_with_its_place() {
    in_a_process_of_its_own(|| {
        let pool = helped(2, StartMethod::ForkServer);
        let pids: Vec<i32> = pool.pids().collect();
        // So the caller does all of it.
        pids.iter().for_each(|&pid| signal(pid, Signal::SIGSTOP));
        let mut array = pool.array::<u64>(100).unwrap();
        array.iter_mut().zip(0..).for_each(|(x, i)| *x = i);
        let fail = |(): (), chunk: &mut [u64]| match chunk[0] {
            40 => panic!("not this one"),
            x => chunk[0] = x + 1_000,
        };
        let error = pool.for_each_chunk(&mut array, 1, (), fail).unwrap_err();
        let Error::TaskPanicked { task: 40, pid, message, .. } = &error else { panic!("{error}") };
        assert_eq!(*pid, process::id() as i32);
        assert!(message.contains("helping.rs") && message.contains("not this one"), "{message}");
        assert_eq!(array.iter().filter(|&&x| x >= 1_000).count(), 99);
        pids.iter().for_each(|&pid| signal(pid, Signal::SIGCONT));
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_worker_that_dies_beside_the_caller_costs_the_chunk_that_it_executed() {
    with_every_start_method(|method| {
        let pool = helped(2, method);
        let mut array = pool.array::<u64>(400).unwrap();
        let parent = u64::from(process::id());
        // The first chunk of each worker; the caller does all that are left.
        let fail = |parent: u64, chunk: &mut [u64]| {
            if u64::from(process::id()) != parent {
                process::abort();
            }
            std::thread::sleep(Duration::from_micros(200));
            chunk[0] += 1;
        };
        let error = pool.for_each_chunk(&mut array, 1, parent, fail).unwrap_err();
        let Error::WorkerDied { task: Some(lost), .. } = &error else { panic!("{error}") };
        assert_eq!(array[*lost], 0);
        assert_eq!(array.iter().filter(|&&x| x == 1).count(), 399);
        let statistics = pool.statistics();
        assert_eq!(statistics.workers_healed, 1, "{statistics:?}");

        // Until its successor takes part.
        let successor = pool.pids().next().unwrap() as u32;
        let by = |()| {
            std::thread::sleep(Duration::from_millis(2));
            process::id()
        };
        while !pool.map(by, [(), ()]).unwrap().contains(&successor) {}
        array.fill(0);
        pool.call().retries(1).for_each_chunk(&mut array, 1, parent, fail).unwrap();
        assert!(array.iter().all(|&x| x == 1), "the caller has done it");
        pool.shutdown().unwrap();
    });
}

#[test]
fn kills_at_any_moment_beside_the_caller_lose_no_chunk_and_do_none_twice() {
    with_every_start_method(|method| {
        let pool = helped(3, method);
        let mut tiny = pool.array::<u64>(60_000).unwrap();
        let mut large = pool.array::<u64>(200_000).unwrap();
        let (input, mut output) = (pool.array::<u64>(50_000).unwrap(), pool.array(50_000).unwrap());
        let (mut jobs, mut calls) = (0, 0);
        let kills = storm(&pool, || {
            jobs += 1;
            let call = pool.call().retries(1_000);
            call.for_each_chunk(&mut tiny, 1, (), increment).unwrap();
            assert!(tiny.iter().all(|&x| x == jobs), "job {jobs}");
            call.for_each_chunk(&mut large, 5_000, (), increment).unwrap();
            assert!(large.iter().all(|&x| x == jobs), "job {jobs}");
            // What is begun again begins with zeros.
            let count =
                |(): (), _: &[u64], output: &mut [u64]| output.iter_mut().for_each(|x| *x += 1);
            call.map_chunks(&input, &mut output, 100, (), count).unwrap();
            assert!(output.iter().all(|&x: &u64| x == 1), "job {jobs}");
            match pool.apply(|x: u64| x + 1, jobs) {
                Ok(y) => assert_eq!(y, jobs + 1),
                Err(Error::WorkerDied { .. }) => calls += 1,
                Err(error) => panic!("{error}"),
            }
        });
        eprintln!("{kills} kills in {jobs} jobs, {calls} calls");
        assert!(kills > 0 && jobs > 0 && calls <= kills);
    });
}

#[test]
fn a_pool_that_is_terminated_by_another_thread_ends_the_job_of_a_helping_caller() {
    in_a_process_of_its_own(|| {
        let pool = helped(2, StartMethod::ForkServer);
        let mut array = pool.array::<u64>(100_000).unwrap();
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

/// Seconds of processor time that a process has taken, in ticks.
fn ticks(pid: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let field =
        |index: usize| fields.split_whitespace().nth(index).unwrap().parse::<u64>().unwrap();
    field(11) + field(12)
}

/// Waits until a process works, or does not.
fn await_work(pid: i32, works: bool) {
    loop {
        let before = ticks(pid);
        std::thread::sleep(Duration::from_millis(60));
        if (ticks(pid) > before + 1) == works {
            return;
        }
    }
}

#[test]
fn workers_that_are_kept_hot_look_for_work_as_long_as_the_guard_lives() {
    with_every_start_method(|method| {
        let pool = helped(2, method);
        let pids: Vec<i32> = pool.pids().collect();
        await_work(pids[0], false);
        let guard = pool.hot();
        await_work(pids[0], true);
        // The caller does the work of the other one.
        await_work(pids[1], false);
        assert_eq!(pool.apply(|x: u64| x + 1, 1).unwrap(), 2);
        signal(pids[0], Signal::SIGKILL);
        // Its successor is as hot as it was.
        while pool.statistics().workers_healed == 0 {
            assert_eq!(pool.map(|x: u64| x, 0..3).unwrap(), [0, 1, 2]);
        }
        await_work(pool.pids().next().unwrap(), true);
        drop(guard);
        await_work(pool.pids().next().unwrap(), false);
        pool.shutdown().unwrap();
    });
}

#[test]
fn workers_wait_as_the_pool_was_built_to() {
    in_a_process_of_its_own(|| {
        for (waiting, works) in
            [(Waiting::Park, false), (Waiting::Adaptive, false), (Waiting::Hot, true)]
        {
            let pool = Pool::builder().workers(1).waiting(waiting).build().unwrap();
            let pid = pool.pids().next().unwrap();
            await_work(pid, works);
            assert_eq!(pool.map(|x: u64| x + 1, 0..3).unwrap(), [1, 2, 3]);
            assert_eq!(pool.apply(|x: u64| x + 1, 1).unwrap(), 2);
            await_work(pid, works);
            pool.shutdown().unwrap();
        }
    });
}

#[test]
fn an_answer_of_any_length_comes_back_and_any_argument_goes_there() {
    with_every_start_method(|method| {
        let pool = helped(2, method);
        for len in [0usize, 1, 900, 992, 1_000, 1_008, 1_009, 1_024, 1_025, 5_000, 3_000_000] {
            let made = pool.apply(|len: usize| (0..len).map(|i| i as u8).collect::<Vec<u8>>(), len);
            let made = made.unwrap();
            assert!(made.len() == len && made.iter().enumerate().all(|(i, &x)| x == i as u8));
            let text = "x".repeat(len);
            assert_eq!(pool.apply(|text: String| text.len(), text).unwrap(), len);
        }
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_call_that_was_not_begun_is_another_workers_if_its_own_dies() {
    with_every_start_method(|method| {
        let pool = helped(2, method);
        let pids: Vec<i32> = pool.pids().collect();
        pids.iter().for_each(|&pid| signal(pid, Signal::SIGSTOP));
        std::thread::scope(|scope| {
            let call = scope.spawn(|| pool.apply(|x: u64| x + 1, 1));
            std::thread::sleep(Duration::from_millis(20));
            pids.iter().for_each(|&pid| signal(pid, Signal::SIGKILL));
            assert_eq!(call.join().unwrap().unwrap(), 2);
        });
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_dead_worker_is_replaced_though_the_caller_waits_for_nobody() {
    with_every_start_method(|method| {
        let pool = helped(2, method);
        let mut numbers = pool.array::<u64>(10).unwrap();
        let dead: Vec<i32> = pool.pids().collect();
        dead.iter().for_each(|&pid| signal(pid, Signal::SIGKILL));
        // Each job is small, and nothing but jobs looks after the workers.
        while pool.statistics().workers_healed < 2 {
            pool.for_each_chunk(&mut numbers, 1, (), increment).unwrap();
        }
        pool.shutdown().unwrap();
    });
}
