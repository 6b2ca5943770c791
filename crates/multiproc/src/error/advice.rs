//! What the messages of errors say beyond the bare facts: where to look, and
//! what to do.

use std::{io, ops::Range, time::Duration};

use crate::ExitStatus;

/// Which task a worker had.
pub(super) fn during(task: Option<usize>) -> String {
    task.map_or_else(String::new, |task| format!(" while it executed task {task}"))
}

/// How a process ended without having begun.
pub(super) fn never_began(status: ExitStatus, within: Option<Duration>) -> String {
    match within {
        Some(within) => {
            format!("did not come to `multiproc::init()` within {within:?} and was killed")
        }
        None => format!("{status} and never began: it did not come to `multiproc::init()`"),
    }
}

/// What to do about a panic, unless the message says so itself.
pub(super) fn panic_hint(message: &str) -> &'static str {
    if message.contains("\nhelp: ") {
        return "";
    }
    "\nhelp: `RUST_BACKTRACE=1` shows where it came from, on standard error; for what is to be \
     expected return a `Result`"
}

/// A longer text below a message.
pub(super) fn on_lines_of_its_own(text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| format!("\n{text}"))
}

/// What may have ended a process in this way, and where to look.
pub(super) fn why(status: ExitStatus) -> &'static str {
    match -status.code {
        libc::SIGKILL => {
            "\nhelp: if nobody has killed it, the system may have been out of memory: see `dmesg`"
        }
        libc::SIGSEGV | libc::SIGBUS => {
            "\nhelp: a stack overflow (deep recursion?) or a fault of unsafe code"
        }
        libc::SIGABRT => {
            "\nhelp: it has called `abort`, as a stack overflow, a panic within a panic and \
             memory that cannot be had do: see its standard error"
        }
        _ => "",
    }
}

/// Memory is a file, so it may be descriptors that are short.
pub(super) fn memory_hint(source: &io::Error) -> &'static str {
    match source.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE | libc::EFBIG) => hint(source),
        _ => "\nhelp: ask for less, or raise the memory limit of this process's cgroup",
    }
}

/// Indices as the subject of a sentence, with its verb.
pub(super) fn indices(range: &Range<usize>) -> String {
    match range.len() {
        1 => format!("index {} is", range.start),
        _ => format!("indices {}..{} are", range.start, range.end),
    }
}

/// What to do about the errors that users meet.
pub(crate) fn hint(source: &io::Error) -> &'static str {
    match source.raw_os_error() {
        Some(libc::EMFILE) => "\nhelp: raise the limit of open files, `ulimit -n`",
        Some(libc::EFBIG) => {
            "\nhelp: raise the limit of file sizes, `ulimit -f`, which holds for memory that \
             processes share too"
        }
        Some(libc::ENFILE) => "\nhelp: the system-wide limit of open files is reached",
        Some(libc::ETOOMANYREFS) => {
            "\nhelp: too many descriptors are on their way: receive them sooner, or raise the \
             sender's limit of open files, `ulimit -n`"
        }
        Some(libc::EAGAIN) => {
            "\nhelp: raise the limit of processes, `ulimit -u` or the cgroup's pids.max"
        }
        Some(libc::ECHILD) => {
            "\nhelp: somebody else has reaped it: wait for no child but your own \
             (`waitpid(-1)` takes ours), and leave SIGCHLD as it is"
        }
        Some(libc::ENOMEM) => "\nhelp: free memory, or start fewer workers",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use crate::{Error, Result};

    #[test]
    fn a_main_that_fails_prints_the_message_and_what_to_do() {
        let outcome: Result<()> = Err(Error::ForkWithThreads { threads: 3 });
        let printed = format!("{outcome:?}");
        assert!(printed.starts_with("Err(cannot fork: this process runs 3 threads"), "{printed}");
        assert!(printed.contains("\nhelp: "), "{printed}");
    }
}
