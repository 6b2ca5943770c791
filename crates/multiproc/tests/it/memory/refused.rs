//! Memory and descriptors that cannot be had.

use std::fs::File;

use multiproc::{
    Barrier, Condition, Error, Event, Lock, Process, Queue, RawArray, RawValue, Semaphore,
    ShareableList, SharedArray, SharedMemory, SharedValue, pipe,
};
use nix::sys::{
    resource::{Resource, setrlimit},
    signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
};

use crate::{in_a_process_of_its_own, with_every_start_method};

/// Every way to make something of `len` times 8 bytes.
fn attempts(len: usize) -> [Result<(), Error>; 4] {
    [
        SharedMemory::new(len.saturating_mul(8)).map(drop),
        SharedArray::<u64>::new(len).map(drop),
        RawArray::<u64>::new(len).map(drop),
        ShareableList::with_room([1], len.saturating_mul(4)).map(drop),
    ]
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

#[test]
fn more_memory_than_there_is_is_refused_before_anything_is_taken() {
    in_a_process_of_its_own(|| {
        let before = mappings();
        for len in [1 << 43, usize::MAX / 8, usize::MAX] {
            for (index, attempt) in attempts(len).into_iter().enumerate() {
                let error = attempt.unwrap_err();
                assert!(matches!(error, Error::Memory { .. }), "{index} of {len}: {error}");
                assert!(error.to_string().contains("help:"), "{error}");
            }
        }
        assert_eq!(mappings(), before);
    });
}

#[test]
fn memory_beyond_a_limit_of_address_space_is_an_error_and_leaves_nothing() {
    in_a_process_of_its_own(|| {
        let before = mappings();
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
        let limit = pages * 4096 + (8 << 20);
        setrlimit(Resource::RLIMIT_AS, limit, limit).unwrap();
        for attempt in attempts(4 << 20) {
            let error = attempt.unwrap_err();
            assert!(matches!(error, Error::Memory { .. }), "{error}");
        }
        // A little can still be had.
        SharedValue::new(1u64).unwrap();
        assert_eq!(mappings(), before);
    });
}

#[test]
fn descriptors_that_have_run_out_are_an_error_that_says_so() {
    in_a_process_of_its_own(|| {
        let spare = File::open("/dev/null").unwrap();
        let mut taken = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            taken.push(file);
        }
        let errors = attempts(1).map(Result::unwrap_err);
        let errors = errors
            .into_iter()
            .chain([SharedValue::new(1u8).unwrap_err(), RawValue::new(1u8).unwrap_err()]);
        for error in errors {
            assert!(error.to_string().contains("ulimit -n"), "{error}");
        }
        drop(spare);
        SharedValue::new(1u8).unwrap();
    });
}

#[test]
fn a_limit_of_file_sizes_is_an_error_that_names_it_and_not_a_signal() {
    in_a_process_of_its_own(|| {
        let limit = 512 << 10;
        setrlimit(Resource::RLIMIT_FSIZE, limit, limit).unwrap();
        let attempts = [
            SharedMemory::new(2 << 20).map(drop),
            SharedArray::<u64>::new(1 << 20).map(drop),
            Semaphore::new(1).map(drop),
            Condition::new().map(drop),
            Barrier::new(2).map(drop),
        ];
        for (index, attempt) in attempts.into_iter().enumerate() {
            let error = attempt.unwrap_err();
            assert!(matches!(error, Error::Memory { .. }), "{index}: {error}");
            assert!(error.to_string().contains("ulimit -f"), "{index}: {error}");
        }
        // What is smaller can be had.
        SharedMemory::new(limit as usize).unwrap();
        Lock::new().unwrap();
        Event::new().unwrap();
        let queue = Queue::new().unwrap();
        queue.put(&1).unwrap();
        assert_eq!(queue.get().unwrap(), 1);
        let error = Queue::new().unwrap().put(&vec![0u8; 2 << 20]).unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. } | Error::Memory { .. }), "{error}");
        let (one, _other) = pipe().unwrap();
        let error = one.send(&vec![0u8; 2 << 20]).unwrap_err();
        assert!(error.to_string().contains("ulimit -f"), "{error}");
    });
}

#[test]
fn a_result_beyond_a_limit_of_file_sizes_is_an_error_of_its_process() {
    with_every_start_method(|method| {
        let target = |()| {
            setrlimit(Resource::RLIMIT_FSIZE, 1 << 20, 1 << 20).unwrap();
            vec![0u8; 2 << 20]
        };
        let mut process = Process::new(target, ()).start_method(method);
        process.start().unwrap();
        let error = process.result().unwrap_err();
        assert!(error.to_string().contains("File too large"), "{error}");
    });
}

#[test]
fn memory_is_had_although_signals_arrive_all_the_time() {
    extern "C" fn nothing(_: libc::c_int) {}
    in_a_process_of_its_own(|| {
        let action =
            SigAction::new(SigHandler::Handler(nothing), SaFlags::SA_RESTART, SigSet::empty());
        // SAFETY: the handler does nothing.
        unsafe { sigaction(Signal::SIGALRM, &action).unwrap() };
        let every = |microseconds| {
            let time = libc::timeval { tv_sec: 0, tv_usec: microseconds };
            let timer = libc::itimerval { it_interval: time, it_value: time };
            // SAFETY: the timer is read; what it was before nobody wants.
            let set = unsafe {
                libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut())
            };
            assert_eq!(set, 0);
        };
        every(2_000);
        let memory = SharedMemory::new(256 << 20);
        every(0);
        assert_eq!(memory.unwrap().len(), 256 << 20);
    });
}
