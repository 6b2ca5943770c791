//! Locks that their owner can take again.

use multiproc::{AcquireError, Event, RLock};
use nix::sys::signal::Signal;

use super::{SHORT, event, killed, run, signal, sleep_for_ever, started};
use crate::with_every_start_method;

fn try_in_vain(lock: RLock) {
    assert!(matches!(lock.try_acquire(), Err(AcquireError::WouldBlock)));
    assert!(matches!(lock.acquire_timeout(SHORT), Err(AcquireError::TimedOut)));
}

#[test]
fn test_rlock() {
    with_every_start_method(|method| {
        let lock = RLock::new().unwrap();
        let guards = [(); 3].map(|()| lock.acquire().unwrap());
        drop(lock.try_acquire().unwrap());
        for guard in guards {
            run(method, try_in_vain, lock.clone());
            drop(guard);
        }
        run(method, |lock: RLock| drop(lock.try_acquire().unwrap()), lock.clone());
    });
}

#[test]
fn the_next_taker_of_a_recursive_lock_is_told_once_however_often_its_owner_had_it() {
    with_every_start_method(|method| {
        let (lock, taken) = (RLock::new().unwrap(), event());
        let holds = |(lock, taken): (RLock, Event)| {
            let _guards = [(); 5].map(|()| lock.acquire().unwrap());
            taken.set();
            sleep_for_ever();
        };
        let owner = started(method, holds, (lock.clone(), taken.clone()));
        taken.wait();
        signal(&owner, Signal::SIGSTOP);
        try_in_vain(lock.clone());
        let pid = killed(owner);
        let died = lock.acquire().unwrap_err();
        assert_eq!(died.pid(), pid);
        let guard = died.into_guard();
        drop(lock.acquire().unwrap());
        run(method, try_in_vain, lock.clone());
        drop(guard);
        run(method, |lock: RLock| drop(lock.acquire().unwrap()), lock.clone());
    });
}

#[test]
fn guards_of_a_recursive_lock_go_in_any_order() {
    let lock = RLock::new().unwrap();
    let outer = lock.acquire().unwrap();
    let inner = lock.acquire().unwrap();
    drop(outer);
    std::thread::scope(|scope| {
        scope.spawn(|| try_in_vain(lock.clone()));
    });
    drop(inner);
    std::thread::scope(|scope| {
        scope.spawn(|| drop(lock.try_acquire().unwrap()));
    });
}
