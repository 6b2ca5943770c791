//! Processes of the tests of everything that is shared between processes.

use multiproc::{Process, StartMethod};
use serde::{Serialize, de::DeserializeOwned};

/// A process that runs `target`.
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
    assert_eq!(process.exit_code(), Some(0), "its message is above");
}

/// Runs `target` in a process, to its good end.
pub(crate) fn run<A, F>(method: StartMethod, target: F, arguments: A)
where
    A: Serialize + DeserializeOwned + Send + 'static,
    F: Fn(A) + Copy + Send + 'static,
{
    ends_well(started(method, target, arguments));
}
