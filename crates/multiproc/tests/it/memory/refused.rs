//! Memory and descriptors that cannot be had.

use std::fs::File;

use multiproc::{Error, RawArray, RawValue, ShareableList, SharedArray, SharedMemory, SharedValue};
use nix::sys::resource::{Resource, setrlimit};

use crate::in_a_process_of_its_own;

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
