//! Starting, supervising and ending processes.

mod births;
mod children;
mod endings;
mod interrupted;
mod limits;
mod ported;
mod results;
mod statics;

use multiproc::{Process, StartMethod};
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

/// The same with the children of the fork server.
fn children_and_theirs() -> Vec<i32> {
    let of = |pid: i32| {
        let theirs = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let theirs = theirs.unwrap_or_default();
        theirs.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<i32>>()
    };
    children().into_iter().flat_map(|pid| [vec![pid], of(pid)].concat()).collect()
}
