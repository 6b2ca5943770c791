//! Managers and their proxies.

mod faults;
mod lifetimes;
mod ported;
mod shutdown;

use multiproc::{Connection, Context, Manager, Process, StartMethod, pipe};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Serialize, de::DeserializeOwned};

fn manager(method: StartMethod) -> Manager {
    Context::new(method).manager().unwrap()
}

/// A process that runs `target`.
fn started<A, F>(method: StartMethod, target: F, arguments: A) -> Process
where
    A: Serialize + DeserializeOwned + Send + 'static,
    F: Fn(A) + Copy + Send + 'static,
{
    let mut process = Process::new(target, arguments).start_method(method);
    process.start().unwrap();
    process
}

/// Waits for the process, which must have ended well.
fn succeeds(mut process: Process) {
    process.join().unwrap();
    assert_eq!(process.exit_code(), Some(0), "its message is above");
}

/// Runs `target` in a process, to its good end.
fn in_another_process<A, F>(method: StartMethod, target: F, arguments: A)
where
    A: Serialize + DeserializeOwned + Send + 'static,
    F: Fn(A) + Copy + Send + 'static,
{
    succeeds(started(method, target, arguments));
}

/// Stops a process and waits until all of its threads have noticed.
fn stop(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
    let is_stopped = |stat: String| stat.rsplit_once(") ").unwrap().1.starts_with('T');
    let tasks = || std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    while !tasks()
        .all(|task| std::fs::read_to_string(task.path().join("stat")).is_ok_and(is_stopped))
    {}
}

/// The two ends of a place where a function waits until it is told to go on.
struct Stop {
    outside: Connection,
}

impl Stop {
    fn new() -> (Self, Connection) {
        let (outside, inside) = pipe().unwrap();
        (Self { outside }, inside)
    }

    /// Inside: says that it is there and waits.
    fn at(inside: &Connection) {
        inside.send(&()).unwrap();
        inside.recv::<()>().unwrap();
    }

    /// Outside: waits until somebody is there.
    fn is_reached(&self) {
        self.outside.recv::<()>().unwrap();
    }

    fn go_on(&self) {
        self.outside.send(&()).unwrap();
    }
}
