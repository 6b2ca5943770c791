//! A process that is stopped in the worst moment, for tests.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Process, StartMethod};

/// Ends the process when it is dropped.
pub(super) struct Stopped(Process);

/// A process that has stopped (`SIGSTOP`) after it did `half` of something.
pub(super) fn stopped_after<H>(handle: H, half: impl Fn(&H) + Copy + Send + 'static) -> Stopped
where
    H: Serialize + DeserializeOwned + Send + 'static,
{
    let stops = move |handle: H| {
        half(&handle);
        nix::sys::signal::raise(nix::sys::signal::SIGSTOP).expect("it can be stopped");
    };
    let mut process = Process::new(stops, handle).start_method(StartMethod::Spawn);
    process.start().unwrap();
    while !is_stopped(process.pid().unwrap()) {
        std::thread::yield_now();
    }
    Stopped(process)
}

fn is_stopped(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.trim_start().starts_with('T')
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.kill();
        self.0.join().unwrap();
    }
}
