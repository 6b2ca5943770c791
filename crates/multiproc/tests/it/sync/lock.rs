//! Locks, and what becomes of them when their owner dies.

use std::time::Instant;

use multiproc::{AcquireError, Error, Event, Lock, Process, StartMethod};
use nix::sys::signal::Signal;

use super::{SHORT, ends_well, event, killed, run, signal, sleep_for_ever, started};
use crate::{in_a_process_of_its_own, with_every_start_method};

#[test]
fn test_lock() {
    with_every_start_method(|method| {
        let lock = Lock::new().unwrap();
        let guard = lock.acquire().unwrap();
        // As seen from another process.
        let tries = |lock: Lock| {
            assert!(matches!(lock.try_acquire(), Err(AcquireError::WouldBlock)));
            let start = Instant::now();
            assert!(matches!(lock.acquire_timeout(SHORT), Err(AcquireError::TimedOut)));
            assert!(start.elapsed() >= SHORT);
        };
        run(method, tries, lock.clone());
        assert!(matches!(lock.try_acquire(), Err(AcquireError::WouldBlock)));
        drop(guard);
        run(method, |lock: Lock| drop(lock.try_acquire().unwrap()), lock.clone());
        drop(lock.acquire_timeout(SHORT).unwrap());
    });
}

#[test]
fn test_lock_context() {
    with_every_start_method(|method| {
        let lock = Lock::new().unwrap();
        {
            let _guard = lock.acquire().unwrap();
        }
        run(method, |lock: Lock| drop(lock.try_acquire().unwrap()), lock);
    });
}

#[test]
fn one_process_at_a_time_is_inside() {
    with_every_start_method(|method| {
        let (lock, inside) = (Lock::new().unwrap(), event());
        let enters = |(lock, inside): (Lock, Event)| {
            for _ in 0..2000 {
                let _guard = lock.acquire().unwrap();
                assert!(!inside.is_set(), "somebody else is inside");
                inside.set();
                std::hint::black_box([0; 64]);
                inside.clear();
            }
        };
        let processes = [(); 3].map(|()| started(method, enters, (lock.clone(), inside.clone())));
        processes.into_iter().for_each(ends_well);
    });
}

/// A process that has the lock and sleeps.
fn holder(method: StartMethod, lock: &Lock) -> Process {
    let taken = event();
    let holds = |(lock, taken): (Lock, Event)| {
        let _guard = lock.acquire();
        taken.set();
        sleep_for_ever();
    };
    let process = started(method, holds, (lock.clone(), taken.clone()));
    taken.wait();
    process
}

#[test]
fn the_next_taker_and_only_that_one_is_told_of_an_owner_that_was_killed() {
    with_every_start_method(|method| {
        let lock = Lock::new().unwrap();
        let pid = killed(holder(method, &lock));
        let died = lock.acquire().unwrap_err();
        assert_eq!(died.pid(), pid);
        assert!(died.to_string().contains(&format!("process {pid},")), "{died}");
        assert!(died.to_string().contains("help:"), "{died}");
        let guard = died.into_guard();
        run(method, |lock: Lock| assert!(lock.try_acquire().is_err()), lock.clone());
        drop(guard);
        drop(lock.acquire().unwrap());

        let pid = killed(holder(method, &lock));
        let Err(AcquireError::OwnerDied(died)) = lock.try_acquire() else { panic!("not told") };
        assert_eq!(died.pid(), pid);
        drop(died);
        drop(lock.try_acquire().unwrap());

        let pid = killed(holder(method, &lock));
        let told = |lock: &Lock| -> multiproc::Result<()> {
            let _guard = lock.acquire_timeout(SHORT)?;
            Ok(())
        };
        assert!(matches!(told(&lock), Err(Error::OwnerDied { pid: dead }) if dead == pid));
        told(&lock).unwrap();
    });
}

#[test]
fn a_process_that_sleeps_for_a_lock_is_woken_by_its_owners_death_and_told() {
    with_every_start_method(|method| {
        let lock = Lock::new().unwrap();
        let owner = holder(method, &lock);
        let ready = event();
        let waits = |(lock, ready, owner): (Lock, Event, i32)| {
            ready.set();
            assert_eq!(lock.acquire().unwrap_err().pid(), owner);
        };
        let pid = owner.pid().unwrap();
        let waiter = started(method, waits, (lock, ready.clone(), pid));
        ready.wait();
        // Asleep or not yet: it must not matter.
        std::thread::sleep(SHORT);
        killed(owner);
        ends_well(waiter);
    });
}

#[test]
fn a_waiter_that_is_killed_harms_nobody() {
    with_every_start_method(|method| {
        let lock = Lock::new().unwrap();
        let guard = lock.acquire().unwrap();
        let ready = event();
        let waits = |(lock, ready): (Lock, Event)| {
            ready.set();
            let _guard = lock.acquire();
        };
        let waiter = started(method, waits, (lock.clone(), ready.clone()));
        ready.wait();
        std::thread::sleep(SHORT);
        killed(waiter);
        drop(guard);
        run(method, |lock: Lock| drop(lock.acquire().unwrap()), lock.clone());
        drop(lock.acquire().unwrap());
    });
}

#[test]
fn an_owner_that_exits_with_the_lock_is_told_like_one_that_was_killed() {
    with_every_start_method(|method| {
        let lock = Lock::new().unwrap();
        let exits = |lock: Lock| {
            let _guard = lock.acquire();
            std::process::exit(0);
        };
        let mut owner = started(method, exits, lock.clone());
        let pid = owner.pid().unwrap();
        owner.join().unwrap();
        assert_eq!(lock.acquire().unwrap_err().pid(), pid);
    });
}

#[test]
fn an_owner_that_panics_gives_the_lock_back() {
    with_every_start_method(|method| {
        let lock = Lock::new().unwrap();
        let panics = |lock: Lock| {
            let _guard = lock.acquire().unwrap();
            panic!("with the lock");
        };
        let mut owner = started(method, panics, lock.clone());
        owner.join().unwrap();
        assert_ne!(owner.exit_code(), Some(0));
        drop(lock.acquire().unwrap());
    });
}

#[test]
fn a_stopped_owner_delays_others_only_as_long_as_they_like() {
    with_every_start_method(|method| {
        let lock = Lock::new().unwrap();
        let owner = holder(method, &lock);
        signal(&owner, Signal::SIGSTOP);
        assert!(matches!(lock.acquire_timeout(SHORT), Err(AcquireError::TimedOut)));
        assert!(matches!(lock.try_acquire(), Err(AcquireError::WouldBlock)));
        signal(&owner, Signal::SIGCONT);
        let pid = killed(owner);
        assert_eq!(lock.acquire().unwrap_err().pid(), pid);
    });
}

#[test]
fn a_lock_reaches_siblings_and_grandchildren() {
    with_every_start_method(|method| {
        let lock = Lock::new().unwrap();
        let guard = lock.acquire().unwrap();
        let child = |(lock, method): (Lock, u8)| {
            let taken = |lock: Lock| assert!(lock.try_acquire().is_err());
            run(StartMethod::ALL[method as usize], taken, lock);
        };
        let siblings = [(); 2].map(|()| started(method, child, (lock.clone(), method as u8)));
        siblings.into_iter().for_each(ends_well);
        drop(guard);
    });
}

#[test]
fn a_thread_that_ends_with_the_lock_is_an_owner_that_died() {
    let lock = Lock::new().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| std::mem::forget(lock.acquire().unwrap()));
    });
    assert_eq!(lock.acquire().unwrap_err().pid(), std::process::id() as i32);
    drop(lock.acquire().unwrap());
}

#[test]
fn a_guard_that_is_forgotten_and_a_handle_that_is_dropped_stay_sound() {
    in_a_process_of_its_own(|| {
        let lock = Lock::new().unwrap();
        let other = lock.clone();
        run(
            StartMethod::Fork,
            |lock: Lock| {
                // The mutexes of a thread are linked: the forgotten one stays in the list.
                for _ in 0..100 {
                    std::mem::forget(Lock::new().unwrap().acquire());
                    let between = Lock::new().unwrap();
                    drop(between.acquire().unwrap());
                }
                std::mem::forget(lock.acquire());
                drop(lock);
            },
            other,
        );
        assert!(lock.acquire().is_err(), "told of the process that forgot it");
    });
}

#[test]
fn memory_of_locks_that_are_given_back_does_not_stay_mapped() {
    in_a_process_of_its_own(|| {
        let mappings = || {
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            maps.lines().filter(|line| line.contains("memfd:multiproc")).count()
        };
        let before = mappings();
        for _ in 0..100 {
            let lock = Lock::new().unwrap();
            drop(lock.acquire().unwrap());
        }
        assert_eq!(mappings(), before);
    });
}
