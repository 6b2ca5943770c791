//! Managers and their proxies.

mod faults;
mod lifetimes;
mod ported;
mod shutdown;

use multiproc::{Connection, Context, Manager, StartMethod, pipe};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::processes::{ends_well, run, started};

fn manager(method: StartMethod) -> Manager {
    Context::new(method).manager().unwrap()
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
