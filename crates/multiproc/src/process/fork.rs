//! Fork: this process, copied.

use std::io::Write;

use super::{Child, Inheritance, die_with_parent, forget_this_process};
use crate::{EntryPoint, Error, Result, StartMethod, bootstrap, code::family_key, descriptors};

pub(super) fn start(name: &str, entry: EntryPoint, inheritance: Inheritance) -> Result<Child> {
    let threads = thread_count()?;
    if threads > 1 {
        return Err(Error::ForkWithThreads { threads });
    }
    let pid = fork_into(name, entry, inheritance)
        .map_err(|source| Error::Start { method: StartMethod::Fork, source })?;
    Child::of_this_process(pid)
}

/// Forks; the child runs `entry` and never returns. The caller's process must
/// have a single thread.
pub(super) fn fork_into(
    name: &str,
    entry: EntryPoint,
    inheritance: Inheritance,
) -> std::io::Result<libc::pid_t> {
    // Made before the copy, so that both have the same.
    let _ = family_key();
    // What is buffered would be written by both.
    let _ = std::io::stdout().flush();
    let parent = nix::unistd::getpid();
    // SAFETY: this process has a single thread, so no lock is held by a thread
    // that does not exist in the child, which may therefore run any code.
    match unsafe { libc::fork() } {
        -1 => Err(std::io::Error::last_os_error()),
        0 => {
            forget_this_process();
            die_with_parent(parent);
            // SAFETY: a forked child that ends in `live`, which never returns:
            // none of the parent's values is used again or dropped.
            unsafe { descriptors::close_parent_ends() };
            bootstrap::live(name, entry, inheritance)
        }
        pid => Ok(pid),
    }
}

fn thread_count() -> Result<usize> {
    let threads = std::fs::read_dir("/proc/self/task")
        .map_err(Error::system("count the threads of this process (is /proc mounted?)"))?;
    Ok(threads.count())
}
