//! Queues between processes, with every start method.

mod across;
mod faults;
mod growth;
mod ported;

use multiproc::{Process, StartMethod};
use serde::{Serialize, de::DeserializeOwned};

fn started<A, F>(method: StartMethod, target: F, arguments: A) -> Process
where
    A: Serialize + DeserializeOwned + Send + 'static,
    F: Fn(A) + Copy + Send + 'static,
{
    let mut process = Process::new(target, arguments).start_method(method);
    process.start().unwrap();
    process
}

/// Waits for a process that is expected to end well.
fn join(mut process: Process) {
    process.join().unwrap();
    assert_eq!(process.exit_code(), Some(0), "its message is above");
}

/// Bytes of memory in the shared memory files that this process has open.
fn memory_of_queues() -> u64 {
    use std::os::unix::fs::MetadataExt;
    let files = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    files
        .filter(|file| {
            let target = std::fs::read_link(file.path()).unwrap_or_default();
            target.to_string_lossy().contains("memfd:")
        })
        .map(|file| std::fs::metadata(file.path()).unwrap().blocks() * 512)
        .sum()
}
