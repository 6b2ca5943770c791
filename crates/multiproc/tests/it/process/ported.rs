//! What CPython's tests of `Process` check, by their names.

use std::{
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use multiproc::{
    Connection, Error, Event, Process, Receiver, Sender, active_children, cpu_count,
    current_process, host_cpu_count, one_way_pipe, parent_process, pipe,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{sleep_for_ever, started};
use crate::{in_a_process_of_its_own, isolation::WATCHDOG, with_every_start_method};

fn is_readable(fd: BorrowedFd<'_>, timeout: PollTimeout) -> bool {
    poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout).unwrap() > 0
}

fn is_active(pid: i32) -> bool {
    active_children().iter().any(|child| child.pid() == pid)
}

#[test]
fn test_current() {
    // Here, in the process of `cargo test`, which nobody of ours has started.
    let this = current_process();
    assert_eq!(this.name(), "MainProcess");
    assert_eq!(this.pid(), std::process::id() as i32);
    assert!(!this.is_daemon());
    assert!(parent_process().is_none());

    with_every_start_method(|method| {
        let target = |()| {
            let this = current_process();
            (this.name().to_owned(), this.pid(), this.is_daemon())
        };
        let mut process = started(method, target, ());
        let pid = process.pid().unwrap();
        let name = process.name().to_owned();
        assert_eq!(process.result().unwrap(), (name, pid, false));
    });
}

#[test]
fn test_args_argument() {
    with_every_start_method(|method| {
        type Arguments = (i32, String, Vec<i32>, (i32,));
        let arguments: Arguments = (1, "str".to_owned(), vec![1], (1,));
        let mut process = started(method, |arguments: Arguments| arguments, arguments.clone());
        assert_eq!(process.result().unwrap(), arguments);
    });
}

#[test]
fn test_daemon_argument() {
    with_every_start_method(|method| {
        let is_daemon = |()| (current_process().is_daemon(), Process::new(|()| (), ()).is_daemon());
        // By default as the current process.
        assert_eq!(Process::new(is_daemon, ()).is_daemon(), current_process().is_daemon());
        for asked in [true, false] {
            let mut process = Process::new(is_daemon, ()).start_method(method).daemon(asked);
            assert_eq!(process.is_daemon(), asked);
            process.start().unwrap();
            assert_eq!(process.result().unwrap(), (asked, asked));
        }
    });
}

#[test]
fn test_parent_process_attributes() {
    with_every_start_method(|method| {
        let target = |()| parent_process().map(|parent| (parent.pid(), parent.name().to_owned()));
        let mut process = started(method, target, ());
        let this = current_process();
        assert_eq!(process.result().unwrap(), Some((this.pid(), this.name().to_owned())));
    });
}

#[test]
fn test_parent_process() {
    // A child starts a grandchild and is ended. In Python the grandchild lives
    // to see its parent gone; here it goes along.
    with_every_start_method(|method| {
        let (ours, theirs) = pipe().unwrap();
        let child = |(method, connection): (multiproc::StartMethod, Connection)| {
            let grandchild = |connection: Connection| {
                let parent = parent_process().unwrap();
                assert!(!is_readable(parent.sentinel().unwrap(), PollTimeout::ZERO));
                assert!(!parent.join_timeout(Duration::ZERO).unwrap());
                connection.send(&parent.is_alive()).unwrap();
                sleep_for_ever(());
            };
            let _grandchild = started(method, grandchild, connection);
            sleep_for_ever(());
        };
        let mut process = started(method, child, (method, theirs));
        assert!(ours.recv::<bool>().unwrap(), "the parent is alive");
        process.terminate();
        process.join().unwrap();
        // Nobody is left that could say more.
        assert!(matches!(ours.recv_timeout::<bool>(WATCHDOG), Err(Error::Disconnected)));
    });
}

#[test]
fn test_process() {
    with_every_start_method(|method| {
        let target = |(connection, one, two): (Connection, i32, f64)| {
            let this = current_process();
            connection.send(&(one, two, this.name(), this.pid())).unwrap();
        };
        let (ours, theirs) = pipe().unwrap();
        let mut process = Process::new(target, (theirs, 1, 2.5))
            .named("SomeProcess")
            .daemon(true)
            .start_method(method);
        assert!(!process.is_alive() && process.is_daemon());
        assert_eq!((process.pid(), process.exit_code()), (None, None));
        assert!(matches!(process.join(), Err(Error::NotStarted { .. })));
        assert!(active_children().is_empty());

        process.start().unwrap();
        let pid = process.pid().unwrap();
        // It may have ended by now, but is not gone before it is looked at.
        assert!(matches!(process.start(), Err(Error::AlreadyStarted { .. })));
        let said: (i32, f64, String, i32) = ours.recv().unwrap();
        assert_eq!(said, (1, 2.5, "SomeProcess".to_owned(), pid));

        process.join().unwrap();
        assert_eq!(process.exit_code(), Some(0));
        assert!(!process.is_alive() && !is_active(pid));
    });
}

#[test]
fn test_terminate() {
    with_every_start_method(|method| {
        assert_eq!(end_by(method, Process::terminate), -libc::SIGTERM);
    });
}

#[test]
fn test_kill() {
    with_every_start_method(|method| assert_eq!(end_by(method, Process::kill), -libc::SIGKILL));
}

fn end_by(method: multiproc::StartMethod, end: fn(&Process)) -> i32 {
    let mut process = started(method, sleep_for_ever, ());
    let pid = process.pid().unwrap();
    assert!(process.is_alive() && is_active(pid));
    assert_eq!(process.exit_code(), None);
    assert!(!process.join_timeout(Duration::ZERO).unwrap());
    assert!(process.is_alive());
    end(&process);
    process.join().unwrap();
    assert!(!process.is_alive() && !is_active(pid));
    process.join().unwrap();
    process.exit_code().unwrap()
}

#[test]
fn test_cpu_count() {
    assert!(cpu_count() <= host_cpu_count());
}

#[test]
fn test_active_children() {
    with_every_start_method(|method| {
        assert!(active_children().is_empty());
        let event = Event::new().unwrap();
        let wait = |event: Event| event.wait();
        let mut process = Process::new(wait, event.clone()).start_method(method).daemon(true);
        assert!(active_children().is_empty());
        process.start().unwrap();
        let [active] = &*active_children() else { panic!("one child") };
        assert_eq!((active.name(), active.pid()), (process.name(), process.pid().unwrap()));
        assert!(active.is_daemon() && active.is_alive());
        assert!(!active.join_timeout(Duration::ZERO).unwrap());
        event.set();
        process.join().unwrap();
        assert!(active_children().is_empty());
        assert!(!active.is_alive());
    });
}

#[test]
fn test_recursion() {
    fn recurse((method, id, sender): (multiproc::StartMethod, Vec<u8>, Sender)) {
        sender.send(&id).unwrap();
        for i in 0..if id.len() < 2 { 2 } else { 0 } {
            let id = id.iter().copied().chain([i]).collect();
            let sender = sender.try_clone().unwrap();
            let mut process = started(method, recurse, (method, id, sender));
            process.join().unwrap();
            assert_eq!(process.exit_code(), Some(0));
        }
    }
    with_every_start_method(|method| {
        let (receiver, sender): (Receiver, Sender) = one_way_pipe().unwrap();
        let mut process = started(method, recurse, (method, Vec::new(), sender));
        process.join().unwrap();
        let ids: Vec<Vec<u8>> = std::iter::from_fn(|| receiver.recv().ok()).collect();
        let expected: [&[u8]; 7] = [&[], &[0], &[0, 0], &[0, 1], &[1], &[1, 0], &[1, 1]];
        assert_eq!(ids, expected);
    });
}

#[test]
fn test_sentinel() {
    with_every_start_method(|method| {
        let event = Event::new().unwrap();
        let mut process =
            Process::new(|event: Event| event.wait(), event.clone()).start_method(method);
        assert!(matches!(process.sentinel(), Err(Error::NotStarted { .. })));
        process.start().unwrap();
        assert!(!is_readable(process.sentinel().unwrap(), PollTimeout::ZERO));
        event.set();
        assert!(is_readable(process.sentinel().unwrap().as_fd(), PollTimeout::NONE));
        process.join().unwrap();
        assert!(is_readable(process.sentinel().unwrap(), PollTimeout::ZERO));
    });
}

#[test]
fn test_close() {
    with_every_start_method(|method| {
        let event = Event::new().unwrap();
        let mut process = started(method, |event: Event| event.wait(), event.clone());
        assert!(process.is_alive());
        assert!(matches!(process.close(), Err(Error::StillRuns { .. })));
        event.set();
        process.join().unwrap();
        assert_eq!(process.exit_code(), Some(0));
        process.close().unwrap();
        assert!(!process.is_alive());
        assert_eq!((process.pid(), process.exit_code()), (None, None));
        assert!(matches!(process.join(), Err(Error::ProcessClosed { .. })));
        assert!(matches!(process.result(), Err(Error::ProcessClosed { .. })));
        assert!(matches!(process.sentinel(), Err(Error::ProcessClosed { .. })));
        process.terminate();
        process.close().unwrap();
    });
}

#[test]
fn test_many_processes() {
    with_every_start_method(|method| {
        let mut processes: Vec<Process> = (0..100).map(|_| started(method, |()| (), ())).collect();
        for process in &mut processes {
            process.join().unwrap();
            assert_eq!(process.exit_code(), Some(0));
        }
        let mut processes: Vec<Process> =
            (0..100).map(|_| started(method, sleep_for_ever, ())).collect();
        processes.iter().for_each(Process::terminate);
        for process in &mut processes {
            process.join().unwrap();
            assert_eq!(process.exit_code(), Some(-libc::SIGTERM));
        }
    });
}

#[test]
fn test_child_fd_inflation() {
    // With `fork` too, where Python gives up.
    with_every_start_method(|method| {
        let (receiver, sender) = one_way_pipe().unwrap();
        let event = Event::new().unwrap();
        let count = |(sender, event): (Sender, Event)| {
            let open = crate::isolation::open_descriptors().into_iter();
            // A forked child keeps the numbers of what it gives up, for nothing.
            sender.send(&open.filter(|fd| !fd.ends_with(" /dev/null")).count()).unwrap();
            event.wait();
        };
        let mut processes: Vec<Process> = (0..5)
            .map(|_| started(method, count, (sender.try_clone().unwrap(), event.clone())))
            .collect();
        let counts: Vec<usize> = (0..5).map(|_| receiver.recv().unwrap()).collect();
        assert!(counts.iter().all(|&count| count == counts[0]), "{counts:?}");
        event.set();
        processes.iter_mut().for_each(|process| process.join().unwrap());
    });
}

#[test]
fn test_error_on_stdio_flush_1() {
    // The standard streams are broken before the child starts.
    in_a_process_of_its_own(|| {
        for method in multiproc::StartMethod::ALL {
            for stream in [1, 2] {
                for broken in [close_stream, break_stream] {
                    let saved = nix::unistd::dup(borrowed(stream)).unwrap();
                    broken(stream);
                    let mut process = started(method, |()| print!("unflushed"), ());
                    let joined = process.join();
                    let code = process.exit_code();
                    // SAFETY: the stream is nobody's but the process's.
                    unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&saved), stream) };
                    joined.unwrap();
                    assert_eq!(code, Some(0), "{method} {stream}");
                }
            }
        }
    });
}

#[test]
fn test_error_on_stdio_flush_2() {
    // They are broken by the child.
    with_every_start_method(|method| {
        for stream in [1, 2] {
            let target = |stream: i32| {
                close_stream(stream);
                print!("unflushed");
            };
            let mut process = started(method, target, stream);
            process.join().unwrap();
            assert_eq!(process.exit_code(), Some(0));

            let target = |stream: i32| {
                break_stream(stream);
                print!("unflushed");
            };
            let mut process = started(method, target, stream);
            process.join().unwrap();
            assert_eq!(process.exit_code(), Some(0));

            // A panic whose message nobody can read is still told.
            let target = |stream: i32| -> () {
                break_stream(stream);
                panic!("unheard");
            };
            let mut process = started(method, target, stream);
            let error = process.result().unwrap_err();
            assert!(error.to_string().contains("unheard\nhelp: "), "{error}");
        }
    });
}

fn borrowed(stream: i32) -> BorrowedFd<'static> {
    // SAFETY: the standard streams are open, or `dup` says that they are not.
    unsafe { BorrowedFd::borrow_raw(stream) }
}

fn close_stream(stream: i32) {
    // SAFETY: the stream is nobody's but the process's.
    unsafe { libc::close(stream) };
}

/// What is written to it goes to a pipe that nobody reads.
fn break_stream(stream: i32) {
    let (_, writer) = std::io::pipe().unwrap();
    // SAFETY: as above.
    unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&writer), stream) };
}

#[test]
fn test_sys_exit() {
    with_every_start_method(|method| {
        for code in [0, 1, 8] {
            let exit = |code: i32| -> () { std::process::exit(code) };
            let mut process = started(method, exit, code);
            process.join().unwrap();
            assert_eq!(process.exit_code(), Some(code));
            let Err(Error::ProcessDied { status, .. }) = process.result() else {
                panic!("it did not return")
            };
            assert_eq!(status.code, code);
        }
    });
}
