//! How memory comes to workers and is let go of.

use std::time::{Duration, Instant};

use multiproc::{Error, StartMethod};
use nix::sys::resource::{Resource, setrlimit};

use super::{Pool, increment, pool};
use crate::{
    WATCHDOG, in_a_process_of_its_own, isolation::open_descriptors, with_every_start_method,
};

/// The mappings of shared memory that a process has, and the bytes of them
/// that are present.
fn shared_mappings(pid: i32) -> (usize, u64) {
    let smaps = std::fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let (mut count, mut present, mut is_shared) = (0, 0, false);
    for line in smaps.lines() {
        if line.contains("memfd:multiproc") {
            count += 1;
            is_shared = true;
        } else if let Some(rest) = line.strip_prefix("Rss:").filter(|_| is_shared) {
            let kib: u64 = rest.trim().trim_end_matches(" kB").parse().unwrap();
            present += kib << 10;
            is_shared = false;
        }
    }
    (count, present)
}

#[test]
fn dropped_arrays_are_let_go_of_by_everybody() {
    with_every_start_method(|method| {
        let pool = pool(2, method);
        let mine = std::process::id() as i32;
        let pids: Vec<i32> = pool.pids().collect();
        let mut before = None;
        for round in 0..300 {
            let mut array = pool.array::<u64>(1_000).unwrap();
            pool.for_each_chunk(&mut array, 10, (), increment).unwrap();
            assert!(array.iter().all(|&x| x == 1));
            drop(array);
            if round == 20 {
                before = Some(shared_mappings(mine).0);
            }
        }
        assert_eq!(Some(shared_mappings(mine).0), before);
        for pid in pids {
            // Of its own: rings, status, board, the last array. Of a forked
            // worker: what its parent had, too.
            let (count, _) = shared_mappings(pid);
            assert!(count < 20, "{count} mappings");
            let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
            assert!(descriptors < 30, "{descriptors} descriptors");
        }
        pool.shutdown().unwrap();
    });
}

/// The memory files that this process has open, and its mappings of such.
fn held() -> [usize; 2] {
    let open = open_descriptors().iter().filter(|file| file.contains("memfd:multiproc")).count();
    [open, shared_mappings(std::process::id() as i32).0]
}

#[test]
fn of_a_dropped_array_nothing_stays_in_the_process_that_made_it() {
    with_every_start_method(|method| {
        for helps in [false, true] {
            let builder = Pool::builder().workers(2).start_method(method).caller_helps(helps);
            let (helped, other) = (builder.build().unwrap(), pool(2, method));
            let mut changed = helped.array::<u64>(100).unwrap();
            let (input, mut output) =
                (helped.array::<u64>(100).unwrap(), helped.array(100).unwrap());
            let copy = |(): (), from: &[u64], to: &mut [u64]| to.copy_from_slice(from);
            helped.map_chunks(&input, &mut output, 10, (), copy).unwrap();
            let [files, mappings] = held();
            drop(input);
            assert_eq!(held(), [files - 1, mappings - 1]);
            drop(output);
            assert_eq!(held(), [files - 2, mappings - 2]);
            // With undo rooms, which are kept.
            helped.call().retries(1).for_each_chunk(&mut changed, 10, (), increment).unwrap();
            other.for_each_chunk(&mut changed, 10, (), increment).unwrap();
            let [files, mappings] = held();
            drop(changed);
            assert_eq!(held(), [files - 1, mappings - 1]);
            helped.shutdown().unwrap();
            other.shutdown().unwrap();
        }
    });
}

#[test]
fn large_undo_rooms_go_with_their_job() {
    in_a_process_of_its_own(|| {
        const CHUNK: usize = 33 << 17;
        let pool = pool(2, StartMethod::ForkServer);
        let mut array = pool.array::<u64>(2 * CHUNK).unwrap();
        // So that there is a board.
        pool.for_each_chunk(&mut array, CHUNK, (), increment).unwrap();
        let before = held();
        pool.call().retries(1).for_each_chunk(&mut array, CHUNK, (), increment).unwrap();
        assert_eq!(held(), before);
        // Smaller ones are there for the next.
        pool.call().retries(1).for_each_chunk(&mut array, CHUNK / 2, (), increment).unwrap();
        assert_eq!(held(), before.map(|number| number + 1));
        assert!(array.iter().all(|&x| x == 3));
    });
}

#[test]
fn the_memory_of_a_dropped_array_is_given_back_although_the_pool_is_idle() {
    in_a_process_of_its_own(|| {
        const LEN: usize = 2 << 20;
        let pool = pool(1, StartMethod::ForkServer);
        let mut array = pool.array::<u64>(LEN).unwrap();
        pool.for_each_chunk(&mut array, 1 << 12, (), increment).unwrap();
        let pid = pool.pids().next().unwrap();
        let present = || shared_mappings(pid).1;
        assert!(present() >= 8 * LEN as u64, "{} bytes", present());
        drop(array);
        assert!(present() < LEN as u64, "{} bytes", present());
    });
}

#[test]
fn a_worker_that_was_busy_gets_all_arrays_that_it_has_missed() {
    in_a_process_of_its_own(|| {
        // More than the socket holds.
        const ARRAYS: usize = 700;
        let pool = pool(2, StartMethod::ForkServer);
        let busy = pool.apply_async(|ms| std::thread::sleep(Duration::from_millis(ms)), 2_000u64);
        let mut arrays: Vec<_> = (0..ARRAYS).map(|_| pool.array::<u64>(100).unwrap()).collect();
        for array in &mut arrays {
            pool.for_each_chunk(array, 1, (), increment).unwrap();
        }
        busy.get().unwrap();
        for array in &mut arrays {
            pool.for_each_chunk(array, 1, (), increment).unwrap();
            assert!(array.iter().all(|&x| x == 2));
        }
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_stopped_worker_keeps_nobody_from_asking_others() {
    in_a_process_of_its_own(|| {
        use nix::{
            sys::signal::{Signal, kill},
            unistd::Pid,
        };
        let pool = pool(2, StartMethod::ForkServer);
        let busy = pool.apply_async(|()| std::thread::sleep(Duration::MAX), ());
        let mut arrays: Vec<_> = (0..700).map(|_| pool.array::<u64>(10).unwrap()).collect();
        // Whichever it is that sleeps: it has no bulk job, so none waits for it.
        let stopped: Vec<i32> = pool.pids().filter(|&pid| is_asleep_for_long(pid)).collect();
        assert_eq!(stopped.len(), 1);
        kill(Pid::from_raw(stopped[0]), Signal::SIGSTOP).unwrap();
        for array in &mut arrays {
            pool.for_each_chunk(array, 1, (), increment).unwrap();
        }
        assert!(arrays.iter().all(|array| array.iter().all(|&x| x == 1)));
        assert!(!busy.is_ready());
    });
}

/// Whether it is in `clock_nanosleep`, which nothing but a task calls.
fn is_asleep_for_long(pid: i32) -> bool {
    let start = Instant::now();
    while start.elapsed() < WATCHDOG {
        let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
        match call.split(' ').next().and_then(|number| number.parse::<i64>().ok()) {
            Some(number) if number == nix::libc::SYS_clock_nanosleep => return true,
            // It waits for a request.
            Some(number) if number == nix::libc::SYS_futex => return false,
            _ => std::thread::yield_now(),
        }
    }
    panic!("process {pid} neither works nor waits");
}

fn leave((): ()) {
    std::process::exit(0);
}

#[test]
fn a_new_worker_gets_the_arrays_of_its_predecessor() {
    with_every_start_method(|method| {
        let pool = pool(2, method);
        let mut array = pool.array::<u64>(1_000).unwrap();
        for job in 1..=10 {
            pool.for_each_chunk(&mut array, 1, (), increment).unwrap();
            assert!(array.iter().all(|&x| x == job));
            pool.apply(leave, ()).unwrap_err();
        }
        pool.shutdown().unwrap();
    });
}

#[test]
fn every_pool_of_a_process_can_work_on_its_arrays() {
    in_a_process_of_its_own(|| {
        let mut array = pool(1, StartMethod::Spawn).array::<u64>(1_000).unwrap();
        let pools = [pool(1, StartMethod::ForkServer), pool(2, StartMethod::Spawn)];
        for pool in &pools {
            pool.for_each_chunk(&mut array, 10, (), increment).unwrap();
        }
        drop(pools);
        assert!(array.iter().all(|&x| x == 2));
    });
}

#[test]
fn a_worker_can_have_a_pool_with_arrays_of_its_own() {
    with_every_start_method(|method| {
        let outer = pool(2, method);
        let mut array = outer.array::<u64>(10).unwrap();
        outer.for_each_chunk(&mut array, 1, (), increment).unwrap();
        let inner = |method: u8| {
            let pool = pool(2, StartMethod::ALL[method as usize]);
            let mut array = pool.array::<u64>(1_000).unwrap();
            pool.for_each_chunk(&mut array, 7, (), increment).unwrap();
            array.iter().sum::<u64>()
        };
        let sums = outer.map(inner, [method as u8; 3]).unwrap();
        assert_eq!(sums, [1_000; 3]);
        outer.for_each_chunk(&mut array, 1, (), increment).unwrap();
        assert_eq!(*array, [2; 10]);
        outer.shutdown().unwrap();
    });
}

#[test]
fn a_worker_without_descriptors_says_so_and_does_other_tasks() {
    in_a_process_of_its_own(|| {
        let limit = |()| setrlimit(Resource::RLIMIT_NOFILE, 3, 3).unwrap();
        let pool = Pool::builder().workers(1).initialiser(limit, ()).build().unwrap();
        let mut array = pool.array::<u64>(10).unwrap();
        let error = pool.for_each_chunk(&mut array, 1, (), increment).unwrap_err();
        assert!(matches!(error, Error::System { .. }), "{error}");
        assert!(error.to_string().contains("open files"), "{error}");
        assert_eq!(pool.apply(|x: u64| x + 1, 1).unwrap(), 2);
    });
}

#[test]
fn an_array_for_which_there_is_no_memory_is_an_error() {
    in_a_process_of_its_own(|| {
        let pool = pool(1, StartMethod::ForkServer);
        let error = pool.array::<u64>(1 << 44).unwrap_err();
        assert!(matches!(error, Error::Memory { .. }), "{error}");
        let error = pool.array::<u64>(usize::MAX).unwrap_err();
        assert!(matches!(error, Error::Memory { .. }), "{error}");
        assert_eq!(pool.apply(|x: u64| x + 1, 1).unwrap(), 2);
    });
}
