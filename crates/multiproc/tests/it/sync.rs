//! Synchronisation between processes.

mod barrier;
mod condition;
mod event;
mod lock;
mod rlock;
mod semaphore;

use std::time::Duration;

use multiproc::{
    AcquireError, Barrier, BoundedSemaphore, Condition, Error, Event, Lock, Process, RLock,
    Semaphore,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::in_a_process_of_its_own;
pub(crate) use crate::processes::{ends_well, run, started};

/// Long enough for a sleeper to fall asleep, short enough for a test.
pub(crate) const SHORT: Duration = Duration::from_millis(20);

fn event() -> Event {
    Event::new().unwrap()
}

/// Kills the process and returns the id that it had.
pub(crate) fn killed(mut process: Process) -> i32 {
    let pid = process.pid().unwrap();
    process.kill();
    process.join().unwrap();
    pid
}

/// What a process does to be killed while it does it.
pub(crate) fn sleep_for_ever() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

pub(crate) fn signal(process: &Process, signal: Signal) {
    kill(Pid::from_raw(process.pid().unwrap()), signal).unwrap();
}

#[test]
fn without_descriptors_nothing_new_can_be_made_and_what_there_is_works_on() {
    in_a_process_of_its_own(|| {
        let (lock, event) = (Lock::new().unwrap(), Event::new().unwrap());
        let (recursive, condition) = (RLock::new().unwrap(), Condition::new().unwrap());
        let (semaphore, barrier) = (Semaphore::new(1).unwrap(), Barrier::new(1).unwrap());
        let taken = all_descriptors();
        let refused = [
            Lock::new().map(drop).unwrap_err(),
            RLock::new().map(drop).unwrap_err(),
            Event::new().map(drop).unwrap_err(),
            Condition::new().map(drop).unwrap_err(),
            Semaphore::new(1).map(drop).unwrap_err(),
            BoundedSemaphore::new(1).map(drop).unwrap_err(),
            Barrier::new(1).map(drop).unwrap_err(),
        ];
        for error in refused {
            assert!(matches!(error, Error::Memory { .. }), "{error}");
            assert!(error.to_string().contains("ulimit -n"), "{error}");
        }
        drop((lock.acquire().unwrap(), recursive.acquire().unwrap()));
        event.set();
        event.wait();
        let permit = semaphore.acquire().unwrap();
        let error = semaphore.acquire_timeout(SHORT * 5).unwrap_err();
        assert!(matches!(error, AcquireError::TimedOut), "its holder lives: {error}");
        drop(permit);
        assert_eq!(barrier.wait().unwrap(), 0);
        let guard = condition.acquire().unwrap();
        let (guard, notified) = condition.wait_timeout(guard, SHORT * 5).unwrap();
        assert!(!notified);
        drop((guard, taken));
        Lock::new().unwrap();
    });
}

/// Every descriptor that the limit still allows.
fn all_descriptors() -> Vec<std::fs::File> {
    std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect()
}
