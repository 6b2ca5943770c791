//! Every misfortune that a pool can meet costs what it must and nothing more.
//!
//! Where the step of a task's life at which somebody dies lies in a task, the
//! task does it, or it waits at a [door](super::door) meanwhile; where it lies
//! between tasks, the worker's [side of its streams](faulty) does it.

mod deadlines;
mod ends;
mod faulty;
mod healing;
mod policy;
mod resources;
mod rubbish;
mod runs;
mod steps;

use multiproc::{
    Error, StartMethod,
    pool::{Builder, Pool, Transport},
};
use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

pub use self::{
    deadlines::*, ends::*, healing::*, policy::*, resources::*, rubbish::*, runs::*, steps::*,
};

pub(super) fn square(x: u64) -> u64 {
    x * x
}

/// A pool of two workers in the making.
pub(super) fn builder<T: Transport>(method: StartMethod) -> Builder<T> {
    Pool::builder().workers(2).start_method(method)
}

/// The pool works, and has or gets all its workers.
pub(super) fn check_is_well<T: Transport>(pool: &Pool<T>) {
    let squares: Vec<u64> = (0..200).map(square).collect();
    until(|| {
        // Nobody else may wait for the pool, so this is how it gets on.
        assert_eq!(pool.map(square, 0..200).unwrap(), squares);
        pool.pids().len() == pool.workers()
    });
}

pub(super) fn send(signal: Signal, pid: i32) {
    signal::kill(Pid::from_raw(pid), signal).expect("a worker can be sent a signal");
}

/// Ends the process that calls it, at once.
fn die() -> ! {
    send(Signal::SIGKILL, std::process::id() as i32);
    unreachable!("SIGKILL cannot be survived")
}

/// The error is the death of a worker by `code` while it executed `task`.
#[track_caller]
fn assert_died(error: &Error, task: usize, codes: &[i32]) {
    match error {
        Error::WorkerDied { pid, name, status, task: Some(of) } => {
            assert!(*pid > 1 && name.contains('-'), "{error}");
            assert!(*of == task && codes.contains(&status.code), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

const KILLED: i32 = -(Signal::SIGKILL as i32);

/// Waits until something that nobody tells is so.
pub(super) fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Stops a process, and returns when it has stopped.
pub(super) fn stop(pid: i32) {
    send(Signal::SIGSTOP, pid);
    let process = procfs::process::Process::new(pid).expect("it lives");
    until(|| process.stat().expect("it lives").state == 'T');
}
