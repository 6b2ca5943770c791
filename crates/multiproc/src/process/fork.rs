//! Fork: this process, copied.

use std::{
    fs::File,
    io::Write,
    os::{fd::AsRawFd, linux::fs::MetadataExt},
};

use super::{Biography, Inheritance, die_with_parent, supervised::Supervised};
use crate::{EntryPoint, Error, Result, StartMethod, bootstrap, code::family_key, descriptors};

pub(super) fn start(
    biography: Biography,
    entry: EntryPoint,
    inheritance: Inheritance,
) -> Result<Supervised> {
    let threads = thread_count()?;
    if threads > 1 {
        return Err(Error::ForkWithThreads { threads });
    }
    let name = biography.name.clone();
    fork_into(biography, entry, inheritance)
        .and_then(|pid| Supervised::of_this_process(&name, pid))
        .map_err(|source| Error::Start { method: StartMethod::Fork, source })
}

/// Forks; the child runs `entry` and never returns. The caller's process must
/// have a single thread.
pub(super) fn fork_into(
    biography: Biography,
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
            die_with_parent(parent);
            // SAFETY: a forked child that has run nothing of the program yet.
            unsafe { descriptors::give_up_parent_ends() };
            leave_standard_input(&inheritance);
            bootstrap::live(biography, entry, inheritance)
        }
        pid => Ok(pid),
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

/// Threads of this process: the directory has an entry for each, and two of
/// its own. Its link count says so in one system call.
fn thread_count() -> Result<usize> {
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
