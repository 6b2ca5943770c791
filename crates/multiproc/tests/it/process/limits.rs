//! Many processes, and too few resources for them.

use std::{fs::File, time::Duration};

use multiproc::{
    AcquireError, Error, Process, Semaphore, Sender, StartMethod, active_children, one_way_pipe,
    parent_process,
};
use nix::{
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::{Signal, kill},
    },
    unistd::{Uid, setuid},
};

use super::{children, fork_server, sleep_for_ever, started};
use crate::{in_a_process_of_its_own, isolation::open_descriptors, with_every_start_method};

/// All that this process may open.
fn take_all_descriptors() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

#[test]
fn ten_thousand_processes_one_after_the_other_and_two_hundred_at_once_leave_nothing() {
    in_a_process_of_its_own(|| {
        let one_of_each = || {
            for method in StartMethod::ALL {
                assert_eq!(started(method, |x: u64| x + 1, 1).result().unwrap(), 2);
            }
        };
        // Allocators and caches have grown to their size.
        (0..100).for_each(|_| one_of_each());
        let before = (children(), open_descriptors(), mappings());
        for i in 0..10_000 {
            let method = StartMethod::ALL[i % StartMethod::ALL.len()];
            let mut process = started(method, |()| (), ());
            process.join().unwrap();
            assert_eq!(process.exit_code(), Some(0));
        }
        for end in [Process::kill, Process::terminate] {
            let at_once: Vec<Process> =
                (0..200).map(|i| started(StartMethod::ALL[i % 3], sleep_for_ever, ())).collect();
            assert_eq!(active_children().len(), 200);
            at_once.iter().for_each(end);
            at_once.into_iter().for_each(|mut process| process.join().unwrap());
        }
        assert!(active_children().is_empty());
        let after = (children(), open_descriptors(), mappings());
        assert_eq!((&after.0, &after.1), (&before.0, &before.1));
        // The heap may have become another mapping or two; thousands would be a leak.
        assert!(after.2 <= before.2 + 4, "{} mappings, {} before", after.2, before.2);
    });
}

#[test]
fn every_number_of_descriptors_that_is_too_small_is_an_error_that_says_what_to_do() {
    in_a_process_of_its_own(|| {
        for method in StartMethod::ALL {
            let mut taken = take_all_descriptors();
            // From none that is left to enough.
            let mut refused = 0;
            let enough = loop {
                let mut process = Process::new(sleep_for_ever, ()).start_method(method);
                match process.start() {
                    Ok(()) => break process,
                    Err(error) => {
                        assert!(
                            error.to_string().contains("help: raise the limit of open files"),
                            "{error}"
                        );
                        assert!(matches!(error, Error::Start { .. }), "{error}");
                        refused += 1;
                    }
                }
                taken.pop().unwrap();
            };
            assert!((2..8).contains(&refused), "{method}: {refused}");
            drop(taken);
            enough.kill();
            drop(enough);
            active_children().iter().for_each(|child| child.join().unwrap());
            assert_eq!(children().len(), 1, "{method}: only the fork server is left");
        }
    });
}

#[test]
fn a_refused_process_is_an_error_that_says_what_to_do() {
    in_a_process_of_its_own(|| {
        // The limit is not for root.
        if Uid::effective().is_root() {
            setuid(Uid::from_raw(65_534)).unwrap();
        }
        let (_, most) = getrlimit(Resource::RLIMIT_NPROC).unwrap();
        setrlimit(Resource::RLIMIT_NPROC, 0, most).unwrap();
        let before = (children(), open_descriptors());
        for method in [StartMethod::Spawn, StartMethod::Fork] {
            let mut process = Process::new(|()| (), ()).start_method(method);
            let error = process.start().unwrap_err();
            assert!(matches!(error, Error::Start { .. }), "{error}");
            assert!(error.to_string().contains("help: raise the limit of processes"), "{error}");
        }
        assert!(active_children().is_empty());
        assert_eq!((children(), open_descriptors()), before);
        // The process that could not be started can be, once there is room.
        setrlimit(Resource::RLIMIT_NPROC, most, most).unwrap();
        assert_eq!(started(StartMethod::Fork, |x: u64| x, 7).result().unwrap(), 7);
    });
}

#[test]
fn refused_memory_is_an_error_and_leaves_nothing() {
    in_a_process_of_its_own(|| {
        let before = (children().len(), open_descriptors().len());
        let (_, most) = getrlimit(Resource::RLIMIT_AS).unwrap();
        // What the fork server forks has the limits that the server was launched with.
        kill(fork_server(), Signal::SIGKILL).unwrap();
        for method in StartMethod::ALL {
            // Less than it has: whatever it asks for is refused.
            setrlimit(Resource::RLIMIT_AS, 1 << 20, most).unwrap();
            let mut process = Process::new(|()| vec![1u8; 100_000_000], ()).start_method(method);
            let ended = process.start().and_then(|()| process.result().map(drop));
            setrlimit(Resource::RLIMIT_AS, most, most).unwrap();
            let error = ended.unwrap_err();
            assert!(
                matches!(
                    error,
                    Error::Start { .. } | Error::ProcessDied { .. } | Error::ProcessPanicked { .. }
                ),
                "{method}: {error}"
            );
            assert!(active_children().is_empty());
        }
        // Once there is memory, it can be had by all.
        for method in StartMethod::ALL {
            assert_eq!(started(method, |x: u64| x, 7).result().unwrap(), 7);
        }
        assert_eq!((children().len(), open_descriptors().len()), before);
    });
}

#[test]
fn a_parent_that_cannot_be_looked_at_is_alive() {
    with_every_start_method(|method| {
        let look = |()| {
            let parent = parent_process().unwrap();
            let taken = take_all_descriptors();
            let is_alive = parent.is_alive();
            drop(taken);
            (is_alive, parent.is_alive())
        };
        assert_eq!(started(method, look, ()).result().unwrap(), (true, true));
    });
}

#[test]
fn a_holder_that_cannot_be_looked_at_keeps_its_permit() {
    in_a_process_of_its_own(|| {
        let semaphore = Semaphore::new(1).unwrap();
        let (receiver, sender) = one_way_pipe().unwrap();
        let hold = |(semaphore, sender): (Semaphore, Sender)| {
            // Even if the holder could not ask when it was started itself.
            let taken = take_all_descriptors();
            let permit = semaphore.acquire().unwrap();
            drop(taken);
            sender.send(&()).unwrap();
            sleep_for_ever(());
            drop(permit);
        };
        let mut process = started(StartMethod::Fork, hold, (semaphore.clone(), sender));
        receiver.recv::<()>().unwrap();
        let patience = Duration::from_millis(300);
        let taken = take_all_descriptors();
        let without = semaphore.acquire_timeout(patience).map(drop);
        drop(taken);
        let with = semaphore.acquire_timeout(patience).map(drop);
        for refused in [without, with] {
            assert!(matches!(refused, Err(AcquireError::TimedOut)));
        }
        process.kill();
        process.join().unwrap();
        assert!(matches!(semaphore.acquire(), Err(AcquireError::OwnerDied(_))));
    });
}

#[test]
fn a_value_that_there_is_no_descriptor_for_is_an_error_that_says_what_to_do() {
    with_every_start_method(|method| {
        let mut process = started(method, |()| vec![1u8; 1_000_000], ());
        let taken = take_all_descriptors();
        let error = process.result().unwrap_err();
        drop(taken);
        assert!(matches!(error, Error::System { .. }), "{error}");
        assert!(error.to_string().contains("help: raise the limit of open files"), "{error}");
    });
}
