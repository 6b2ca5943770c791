//! Fork: this process, copied.

use std::{
    fs::File,
    io::{self, Write},
    os::{fd::AsRawFd, linux::fs::MetadataExt},
};

use super::{Inheritance, Order, die_with_parent, make_line, supervised::Supervised};
use crate::{Error, Result, StartMethod, bootstrap, code::family_key, descriptors};

pub(super) fn start(order: Order) -> Result<Supervised> {
    let threads = thread_count()?;
    if threads > 1 {
        return Err(Error::ForkWithThreads { threads });
    }
    fork_into(order).map_err(|source| Error::Start { method: StartMethod::Fork, source })
}

/// This process must have a single thread.
fn fork_into(mut order: Order) -> io::Result<Supervised> {
    let line = make_line(&mut order)?;
    // Made before the copy, so that both have the same.
    let _ = family_key();
    // What is buffered would be written by both.
    let _ = io::stdout().flush();
    let parent = nix::unistd::getpid();
    // SAFETY: this process has a single thread, so no lock is held by a thread
    // that does not exist in the child, which may therefore run any code.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            die_with_parent(parent);
            // SAFETY: a forked child that has run nothing of the program yet.
            unsafe { descriptors::give_up_parent_ends() };
            leave_standard_input(&order.inheritance);
            bootstrap::live(order.biography, order.entry, order.inheritance)
        }
        pid => Ok(Supervised::new(&order.biography.name, pid)?.on_line(line)),
    }
}

/// Two that read the same input would each get some of it; as the other
/// children, and Python's, this one gets none.
fn leave_standard_input(inheritance: &Inheritance) {
    // In a process without a standard input the number may be another's.
    let is_taken = inheritance.descriptors.iter().any(|fd| fd.as_raw_fd() == libc::STDIN_FILENO);
    if !is_taken && let Ok(nothing) = File::open("/dev/null") {
        let _ = nix::unistd::dup2_stdin(nothing);
    }
}

/// Waits a little for a thread that was joined to be gone for the kernel too.
pub(crate) fn await_end_of_thread() {
    // A few microseconds, unless there are other threads.
    for _ in 0..100 {
        if thread_count().is_ok_and(|threads| threads == 1) {
            return;
        }
        std::thread::yield_now();
    }
}

/// Threads of this process: the directory has an entry for each, and two of
/// its own. Its link count says so in one system call.
pub(super) fn thread_count() -> Result<usize> {
    let threads = std::fs::metadata("/proc/self/task")
        .map_err(Error::system("count the threads of this process (is /proc mounted?)"))?;
    Ok(threads.st_nlink() as usize - 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "needs /proc")]
    fn every_thread_counts() {
        let listed = || std::fs::read_dir("/proc/self/task").unwrap().count();
        // The test runner starts and ends threads at the same time.
        let agree = |_| listed() == thread_count().unwrap();
        assert!((0..1_000).any(agree));
        std::thread::scope(|scope| {
            let (go, wait) = std::sync::mpsc::channel::<()>();
            scope.spawn(move || wait.recv());
            assert!((0..1_000).any(|i| agree(i) && thread_count().unwrap() >= 2));
            drop(go);
        });
    }
}
