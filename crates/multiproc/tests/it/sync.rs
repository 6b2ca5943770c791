//! Synchronisation between processes.

mod barrier;
mod condition;
mod event;
mod lock;
mod rlock;
mod semaphore;

use std::time::Duration;

use multiproc::{Event, Process, StartMethod};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Serialize, de::DeserializeOwned};

/// Long enough for a sleeper to fall asleep, short enough for a test.
pub(crate) const SHORT: Duration = Duration::from_millis(20);

fn event() -> Event {
    Event::new().unwrap()
}

/// A process that has been started.
pub(crate) fn started<A, F>(method: StartMethod, target: F, arguments: A) -> Process
where
    A: Serialize + DeserializeOwned + Send + 'static,
    F: Fn(A) + Copy + Send + 'static,
{
    let mut process = Process::new(target, arguments).start_method(method);
    process.start().unwrap();
    process
}

/// Waits until the process ends, which must be by itself and well.
pub(crate) fn ends_well(mut process: Process) {
    process.join().unwrap();
    assert_eq!(process.exit_code(), Some(0));
}

/// Runs `target` in a process of its own.
pub(crate) fn run<A, F>(method: StartMethod, target: F, arguments: A)
where
    A: Serialize + DeserializeOwned + Send + 'static,
    F: Fn(A) + Copy + Send + 'static,
{
    ends_well(started(method, target, arguments));
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
