//! Permits, and what becomes of them when who has them dies.

use std::time::{Duration, Instant};

use multiproc::{
    AcquireError, BoundedSemaphore, Error, Event, Permit, Process, Semaphore, StartMethod,
};
use nix::sys::signal::Signal;

use super::{SHORT, ends_well, event, killed, run, signal, sleep_for_ever, started};
use crate::with_every_start_method;

#[test]
fn test_semaphore() {
    with_every_start_method(|method| {
        let semaphore = Semaphore::new(2).unwrap();
        assert_eq!(semaphore.value(), 2);
        let first = semaphore.acquire().unwrap();
        assert_eq!(semaphore.value(), 1);
        let second = semaphore.acquire().unwrap();
        assert_eq!(semaphore.value(), 0);
        let tries = |semaphore: Semaphore| {
            assert!(matches!(semaphore.try_acquire(), Err(AcquireError::WouldBlock)));
            assert_eq!(semaphore.value(), 0);
        };
        run(method, tries, semaphore.clone());
        drop(first);
        assert_eq!(semaphore.value(), 1);
        drop(second);
        assert_eq!(semaphore.value(), 2);
        run(method, |semaphore: Semaphore| semaphore.release().unwrap(), semaphore.clone());
        assert_eq!(semaphore.value(), 3);
        semaphore.release().unwrap();
        assert_eq!(semaphore.value(), 4);
    });
}

#[test]
fn test_bounded_semaphore() {
    with_every_start_method(|method| {
        let semaphore = BoundedSemaphore::new(2).unwrap();
        let too_often = |semaphore: BoundedSemaphore| {
            assert!(matches!(semaphore.release(), Err(Error::ReleasedTooOften { bound: 2 })));
        };
        let first = semaphore.acquire().unwrap();
        let second = semaphore.acquire().unwrap();
        assert!(matches!(semaphore.try_acquire(), Err(AcquireError::WouldBlock)));
        run(method, too_often, semaphore.clone());
        drop(first);
        // Taken here, released there.
        second.forget();
        assert_eq!(semaphore.value(), 1);
        run(method, |semaphore: BoundedSemaphore| semaphore.release().unwrap(), semaphore.clone());
        assert_eq!(semaphore.value(), 2);
        run(method, too_often, semaphore.clone());
        assert_eq!(semaphore.value(), 2);
    });
}

#[test]
fn test_timeout() {
    with_every_start_method(|_| {
        let semaphore = Semaphore::new(0).unwrap();
        assert!(matches!(semaphore.try_acquire(), Err(AcquireError::WouldBlock)));
        for timeout in [Duration::ZERO, SHORT, 5 * SHORT] {
            let start = Instant::now();
            assert!(matches!(semaphore.acquire_timeout(timeout), Err(AcquireError::TimedOut)));
            assert!(start.elapsed() >= timeout);
        }
    });
}

#[test]
fn releases_wake_as_many_processes_as_there_are_permits() {
    with_every_start_method(|method| {
        let (permits, taken) = (Semaphore::new(0).unwrap(), Semaphore::new(0).unwrap());
        let takes = |(permits, taken): (Semaphore, Semaphore)| {
            for _ in 0..500 {
                permits.acquire().unwrap().forget();
                taken.release().unwrap();
            }
        };
        let takers = [(); 3].map(|()| started(method, takes, (permits.clone(), taken.clone())));
        for _ in 0..1500 {
            permits.release().unwrap();
        }
        takers.into_iter().for_each(ends_well);
        assert_eq!((permits.value(), taken.value()), (0, 1500));
    });
}

#[test]
fn no_more_processes_are_inside_than_there_are_permits() {
    with_every_start_method(|method| {
        // What is left of a second one is never less than nothing.
        let places = Semaphore::new(2).unwrap();
        let check = Semaphore::new(2).unwrap();
        let enters = |(places, check): (Semaphore, Semaphore)| {
            for _ in 0..500 {
                let _place = places.acquire().unwrap();
                let _checked = check.try_acquire().expect("a third is inside");
            }
        };
        let processes = [(); 4].map(|()| started(method, enters, (places.clone(), check.clone())));
        processes.into_iter().for_each(ends_well);
        assert_eq!((places.value(), check.value()), (2, 2));
    });
}

/// A process that has `permits` permits and sleeps.
fn holder(method: StartMethod, semaphore: &Semaphore, permits: usize) -> Process {
    let taken = event();
    let holds = |(semaphore, permits, taken): (Semaphore, usize, Event)| {
        let _permits: Vec<Permit<'_>> =
            (0..permits).map(|_| semaphore.acquire().unwrap()).collect();
        taken.set();
        sleep_for_ever();
    };
    let process = started(method, holds, (semaphore.clone(), permits, taken.clone()));
    taken.wait();
    process
}

#[test]
fn permits_of_a_process_that_was_killed_come_back_and_the_next_taker_is_told() {
    with_every_start_method(|method| {
        let semaphore = Semaphore::new(3).unwrap();
        let mine = semaphore.acquire().unwrap();
        let pid = killed(holder(method, &semaphore, 2));
        assert_eq!(semaphore.value(), 0);
        let Err(AcquireError::OwnerDied(died)) = semaphore.acquire() else { panic!("not told") };
        assert_eq!(died.pid(), pid);
        let permit = died.into_guard();
        assert_eq!(semaphore.value(), 1);
        drop(semaphore.try_acquire().unwrap());
        drop((permit, mine));
        assert_eq!(semaphore.value(), 3);
    });
}

#[test]
fn somebody_is_told_of_each_process_that_died_with_permits() {
    with_every_start_method(|method| {
        let semaphore = Semaphore::new(3).unwrap();
        let holders = [(); 3].map(|()| holder(method, &semaphore, 1));
        let mut dead: Vec<i32> = holders.into_iter().map(killed).collect();
        let mut told: Vec<i32> = Vec::new();
        let mut permits = Vec::new();
        for _ in 0..3 {
            let Err(AcquireError::OwnerDied(died)) = semaphore.acquire() else {
                panic!("not told of each: {told:?} of {dead:?}")
            };
            told.push(died.pid());
            permits.push(died.into_guard());
        }
        dead.sort_unstable();
        told.sort_unstable();
        assert_eq!(told, dead);
        assert!(matches!(semaphore.acquire_timeout(SHORT), Err(AcquireError::TimedOut)));
    });
}

#[test]
fn a_process_that_waits_for_a_permit_is_told_of_its_owners_death() {
    with_every_start_method(|method| {
        let semaphore = Semaphore::new(1).unwrap();
        let (owner, ready) = (holder(method, &semaphore, 1), event());
        let waits = |(semaphore, ready, owner): (Semaphore, Event, i32)| {
            ready.set();
            let Err(AcquireError::OwnerDied(died)) = semaphore.acquire() else {
                panic!("not told")
            };
            assert_eq!(died.pid(), owner);
        };
        let arguments = (semaphore.clone(), ready.clone(), owner.pid().unwrap());
        let waiter = started(method, waits, arguments);
        ready.wait();
        std::thread::sleep(SHORT);
        killed(owner);
        ends_well(waiter);
        assert_eq!(semaphore.value(), 1);
    });
}

#[test]
fn a_waiter_that_is_killed_takes_no_permit_with_it() {
    with_every_start_method(|method| {
        let semaphore = Semaphore::new(0).unwrap();
        let ready = event();
        let waits = |(semaphore, ready): (Semaphore, Event)| {
            ready.set();
            semaphore.acquire().unwrap().forget();
        };
        let waiter = started(method, waits, (semaphore.clone(), ready.clone()));
        ready.wait();
        std::thread::sleep(SHORT);
        killed(waiter);
        let lives = started(method, waits, (semaphore.clone(), ready));
        semaphore.release().unwrap();
        ends_well(lives);
    });
}

#[test]
fn a_stopped_owner_keeps_its_permit_and_time_outs_work() {
    with_every_start_method(|method| {
        let semaphore = Semaphore::new(1).unwrap();
        let owner = holder(method, &semaphore, 1);
        signal(&owner, Signal::SIGSTOP);
        assert!(matches!(semaphore.acquire_timeout(5 * SHORT), Err(AcquireError::TimedOut)));
        assert!(matches!(semaphore.try_acquire(), Err(AcquireError::WouldBlock)));
        killed(owner);
        assert!(matches!(semaphore.acquire(), Err(AcquireError::OwnerDied(_))));
    });
}

#[test]
fn a_panic_gives_permits_back() {
    with_every_start_method(|method| {
        let semaphore = Semaphore::new(1).unwrap();
        let panics = |semaphore: Semaphore| {
            let _permit = semaphore.acquire().unwrap();
            panic!("with a permit");
        };
        started(method, panics, semaphore.clone()).join().unwrap();
        assert_eq!(semaphore.value(), 1);
        drop(semaphore.try_acquire().unwrap());
    });
}

#[test]
fn processes_killed_at_random_moments_neither_lose_nor_make_permits() {
    with_every_start_method(|method| {
        let semaphore = Semaphore::new(2).unwrap();
        let hammers = |semaphore: Semaphore| {
            loop {
                // Told of the others' deaths or not.
                drop(semaphore.acquire());
            }
        };
        for round in 0..25_u64 {
            let victims = [(); 3].map(|()| started(method, hammers, semaphore.clone()));
            std::thread::sleep(Duration::from_micros(300 * (round % 7)));
            for victim in victims {
                killed(victim);
            }
        }
        // What the last ones had may still be theirs on paper.
        let permits: Vec<Permit<'_>> = (0..2)
            .map(|_| match semaphore.acquire() {
                Ok(permit) => permit,
                Err(AcquireError::OwnerDied(died)) => died.into_guard(),
                Err(error) => panic!("{error}"),
            })
            .collect();
        assert!(matches!(semaphore.acquire_timeout(5 * SHORT), Err(AcquireError::TimedOut)));
        drop(permits);
        assert_eq!(semaphore.value(), 2);
    });
}

#[test]
fn more_processes_than_there_was_memory_for_at_first_can_have_permits() {
    with_every_start_method(|method| {
        const PROCESSES: u32 = 200;
        let semaphore = Semaphore::new(PROCESSES).unwrap();
        let taken = Semaphore::new(0).unwrap();
        let go = event();
        let holds = |(semaphore, taken, go): (Semaphore, Semaphore, Event)| {
            let _permit = semaphore.acquire().unwrap();
            taken.release().unwrap();
            go.wait();
        };
        let holders: Vec<Process> = (0..PROCESSES)
            .map(|_| started(method, holds, (semaphore.clone(), taken.clone(), go.clone())))
            .collect();
        for _ in 0..PROCESSES {
            taken.acquire().unwrap().forget();
        }
        assert_eq!(semaphore.value(), 0);
        go.set();
        holders.into_iter().for_each(ends_well);
        assert_eq!(semaphore.value(), PROCESSES);
    });
}

#[test]
fn a_permit_may_be_taken_by_one_thread_and_dropped_by_another() {
    let semaphore = Semaphore::new(1).unwrap();
    std::thread::scope(|scope| {
        let permit = semaphore.acquire().unwrap();
        scope.spawn(move || drop(permit));
    });
    assert_eq!(semaphore.value(), 1);
}
