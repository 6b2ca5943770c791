//! Starting, supervising and ending processes.

mod births;
mod children;
mod endings;
mod interrupted;
mod limits;
mod nurseries;
mod ported;
mod results;
mod statics;

use multiproc::{Process, StartMethod};
use nix::unistd::Pid;
use serde::{Serialize, de::DeserializeOwned};

/// A started process that calls `target` with `arguments`.
fn started<A, R, F>(method: StartMethod, target: F, arguments: A) -> Process<R>
where
    A: Serialize + DeserializeOwned + Send + 'static,
    R: Serialize + DeserializeOwned,
    F: Fn(A) -> R + Copy + Send + 'static,
{
    let mut process = Process::new(target, arguments).start_method(method);
    process.start().unwrap_or_else(|error| panic!("{error}"));
    process
}

/// A target that runs until it is ended.
fn sleep_for_ever((): ()) {
    loop {
        std::thread::park();
    }
}

/// Ids of the children that this thread has started, zombies too.
fn children() -> Vec<i32> {
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap();
    children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// This process's fork server, which this thread has started.
fn fork_server() -> Pid {
    let name = |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    let server = children().into_iter().find(|pid| name(pid) == "forkserver\n");
    Pid::from_raw(server.expect("it was started"))
}
