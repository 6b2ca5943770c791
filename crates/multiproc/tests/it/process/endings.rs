//! Handles that are dropped, parents that end, and what becomes of children.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use multiproc::{
    Connection, Error, Event, Process, Sender, StartMethod, active_children, one_way_pipe, pipe,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{children, fork_server, sleep_for_ever, started};
use crate::{in_a_process_of_its_own, isolation::WATCHDOG, with_every_start_method};

#[test]
fn a_dropped_handle_lets_its_process_run() {
    with_every_start_method(|method| {
        let (ours, theirs) = pipe().unwrap();
        let echo = |connection: Connection| {
            let x: u64 = connection.recv().unwrap();
            connection.send(&(x + 1)).unwrap();
            // A value that nobody will ask for is no error.
            vec![0u8; 1_000_000]
        };
        drop(started(method, echo, theirs));
        ours.send(&41u64).unwrap();
        assert_eq!(ours.recv::<u64>().unwrap(), 42);
        for child in active_children() {
            child.join().unwrap();
        }
        assert!(active_children().is_empty());
    });
}

#[test]
fn a_handle_that_was_never_started_just_goes() {
    with_every_start_method(|method| {
        drop(Process::new(|()| (), ()).start_method(method));
        assert!(active_children().is_empty());
    });
}

#[test]
fn ended_processes_that_nobody_holds_are_reaped_at_the_next_start() {
    with_every_start_method(|method| {
        let before = children().len();
        let (ours, theirs) = pipe().unwrap();
        for _ in 0..50 {
            let theirs = theirs.try_clone().unwrap();
            drop(started(method, |connection: Connection| drop(connection), theirs));
        }
        drop(theirs);
        // They have all closed their end, so all are ending.
        assert!(matches!(ours.recv::<()>(), Err(Error::Disconnected)));
        let deadline = Instant::now() + WATCHDOG;
        let mut last = started(method, |()| (), ());
        last.join().unwrap();
        while children().len() > before {
            assert!(Instant::now() < deadline, "zombies: {:?}", children());
            started(method, |()| (), ()).join().unwrap();
        }
        assert!(active_children().is_empty());
    });
}

#[test]
fn a_process_that_ends_waits_for_its_children_and_ends_its_daemons() {
    // By returning, by a panic and by `exit`.
    fn leave(how: &str) {
        match how {
            "return" => {}
            "panic" => panic!("as it should"),
            _ => std::process::exit(3),
        }
    }
    type Arguments = (StartMethod, String, Sender, Event);
    with_every_start_method(|method| {
        for (how, code) in [("return", 0), ("panic", 101), ("exit", 3)] {
            let target = |(method, how, sender, event): Arguments| {
                let wait = |(sender, event): (Sender, Event)| {
                    event.wait();
                    // Long after its parent has called `exit`, if that did not wait.
                    std::thread::sleep(Duration::from_millis(20));
                    sender.send(&"waited for").unwrap();
                };
                drop(started(method, wait, (sender, event.clone())));
                let mut daemon = Process::new(sleep_for_ever, ()).start_method(method).daemon(true);
                daemon.start().unwrap();
                event.set();
                leave(&how);
            };
            let (receiver, sender) = one_way_pipe().unwrap();
            let event = Event::new().unwrap();
            let mut process = started(method, target, (method, how.to_owned(), sender, event));
            // Ends, so the daemon does not keep it.
            process.join().unwrap();
            assert_eq!(process.exit_code(), Some(code), "{how}");
            assert_eq!(receiver.recv::<String>().unwrap(), "waited for", "{how}");
        }
    });
}

#[test]
fn a_forked_child_that_exits_runs_none_of_its_parents_exit_handlers() {
    static mut HANDLED_IN: i32 = 0;
    extern "C" fn handler() {
        // SAFETY: at exit there is one thread.
        if unsafe { HANDLED_IN } != std::process::id() as i32 {
            // SAFETY: _exit has no preconditions.
            unsafe { libc::_exit(77) };
        }
    }
    in_a_process_of_its_own(|| {
        // SAFETY: one thread; the handler does not unwind.
        unsafe {
            HANDLED_IN = std::process::id() as i32;
            libc::atexit(handler);
        }
        let mut process = started(StartMethod::Fork, |()| -> () { std::process::exit(5) }, ());
        process.join().unwrap();
        assert_eq!(process.exit_code(), Some(5));
    });
}

#[test]
fn a_killed_parent_takes_children_and_grandchildren_along() {
    with_every_start_method(|method| {
        let (receiver, sender) = one_way_pipe().unwrap();
        let parent = |(method, sender): (StartMethod, Sender)| {
            let child = |(method, sender): (StartMethod, Sender)| {
                let grandchild = |sender: Sender| {
                    sender.send(&()).unwrap();
                    sleep_for_ever(());
                };
                let _grandchild = started(method, grandchild, sender.try_clone().unwrap());
                sender.send(&()).unwrap();
                sleep_for_ever(());
            };
            let _children: Vec<Process> = (0..3)
                .map(|_| started(method, child, (method, sender.try_clone().unwrap())))
                .collect();
            sleep_for_ever(());
        };
        let mut process = started(method, parent, (method, sender));
        (0..6).for_each(|_| receiver.recv().unwrap());
        process.kill();
        process.join().unwrap();
        // All of them hold the other end until they end.
        assert!(matches!(receiver.recv_timeout::<()>(WATCHDOG), Err(Error::Disconnected)));
    });
}

#[test]
fn what_was_forked_does_not_mind_that_its_server_is_stopped_or_killed() {
    in_a_process_of_its_own(|| {
        let answer = |connection: Connection| {
            let x: u64 = connection.recv().unwrap();
            connection.send(&(x + 1)).unwrap();
            std::process::exit(3)
        };
        for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
            let (ours, theirs) = pipe().unwrap();
            let mut process: Process = started(StartMethod::ForkServer, answer, theirs);
            kill(fork_server(), signal).unwrap();
            assert!(process.is_alive());
            assert_eq!(active_children().len(), 1);
            ours.send(&41u64).unwrap();
            assert_eq!(ours.recv::<u64>().unwrap(), 42);
            process.join().unwrap();
            assert_eq!(process.exit_code(), Some(3));
            // As long as it is stopped it starts none, and goes on where it was.
            kill(fork_server(), Signal::SIGCONT).unwrap();
            assert_eq!(started(StartMethod::ForkServer, |x: u64| x, 7).result().unwrap(), 7);
        }
    });
}

#[test]
fn a_stopped_child_keeps_waiting_only_who_sets_no_limit() {
    with_every_start_method(|method| {
        let (ours, theirs) = pipe().unwrap();
        let answer = |connection: Connection| {
            connection.send(&1u64).unwrap();
            connection.recv::<u64>().unwrap()
        };
        let mut process = started(method, answer, theirs);
        assert_eq!(ours.recv::<u64>().unwrap(), 1);
        let pid = Pid::from_raw(process.pid().unwrap());
        kill(pid, Signal::SIGSTOP).unwrap();
        // It would end if it were not stopped.
        ours.send(&7u64).unwrap();
        assert!(!process.join_timeout(Duration::from_millis(50)).unwrap());
        assert!(process.is_alive());
        assert_eq!(process.exit_code(), None);
        kill(pid, Signal::SIGCONT).unwrap();
        assert_eq!(process.result().unwrap(), 7);
    });
}

#[test]
fn a_child_that_is_killed_at_once_is_told_and_costs_the_others_nothing() {
    with_every_start_method(|method| {
        // Before its birth, in the middle of it, or after it: whatever the moment hits.
        for _ in 0..50 {
            let mut process = started(method, sleep_for_ever, ());
            process.kill();
            process.join().unwrap();
            assert_eq!(process.exit_code(), Some(-9));
            let error = process.result().unwrap_err();
            assert!(matches!(error, Error::ProcessDied { .. }), "{error}");
        }
        assert_eq!(started(method, |x: u64| x, 7).result().unwrap(), 7);
        assert!(active_children().is_empty());
    });
}

#[test]
fn a_parent_that_is_killed_while_it_starts_children_leaves_none() {
    with_every_start_method(|method| {
        let (receiver, sender) = one_way_pipe().unwrap();
        let parent = |(method, sender): (StartMethod, Sender)| -> () {
            sender.send(&()).unwrap();
            loop {
                let child = |sender: Sender| {
                    sleep_for_ever(());
                    drop(sender);
                };
                let mut child = started(method, child, sender.try_clone().unwrap());
                child.kill();
                child.join().unwrap();
            }
        };
        for round in 0..20 {
            let arguments = (method, sender.try_clone().unwrap());
            let mut process = started(method, parent, arguments);
            receiver.recv::<()>().unwrap();
            // Somewhere in the middle of a start: the moment is another in each round.
            std::thread::sleep(Duration::from_micros(137 * round));
            process.kill();
            process.join().unwrap();
        }
        drop(sender);
        // Whoever was born holds the other end until it ends.
        assert!(matches!(receiver.recv_timeout::<()>(WATCHDOG), Err(Error::Disconnected)));
    });
}

#[test]
fn exit_statuses_are_kept_where_the_signal_of_children_is_ignored() {
    in_a_process_of_its_own(|| {
        for method in StartMethod::ALL {
            // SAFETY: a valid disposition.
            unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
            let mut process = started(method, |()| -> () { std::process::exit(3) }, ());
            process.join().unwrap();
            assert_eq!(process.exit_code(), Some(3), "{method}");
        }
    });
}

#[test]
fn a_child_has_nothing_of_its_parents_standard_input() {
    with_every_start_method(|method| {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"for the parent").unwrap();
        drop(writer);
        nix::unistd::dup2_stdin(&reader).unwrap();
        drop(reader);
        let read = |()| std::io::read_to_string(std::io::stdin()).unwrap();
        assert_eq!(started(method, read, ()).result().unwrap(), "");
        assert_eq!(read(()), "for the parent");
    });
}

#[test]
fn a_closed_process_is_not_one_that_was_started() {
    let mut process = Process::new(|()| (), ());
    process.close().unwrap();
    let error = process.start().unwrap_err();
    assert!(matches!(error, Error::ProcessClosed { .. }), "{error}");
}

#[test]
fn an_overflown_stack_and_an_abort_end_the_child_alone() {
    #[expect(unconditional_recursion, reason = "that is what it is for")]
    fn overflow(depth: u64) -> u64 {
        let page = std::hint::black_box([depth; 512]);
        overflow(depth + 1) + page[depth as usize % 512]
    }
    with_every_start_method(|method| {
        let overflows = started(method, |()| overflow(0), ()).result().unwrap_err();
        let aborts = started(method, |()| -> () { std::process::abort() }, ()).result();
        for error in [overflows, aborts.unwrap_err()] {
            let Error::ProcessDied { status, .. } = &error else { panic!("{error}") };
            assert!([-libc::SIGSEGV, -libc::SIGABRT].contains(&status.code), "{error}");
            assert!(error.to_string().contains("help: "), "{error}");
        }
        assert_eq!(started(method, |x: u64| x, 7).result().unwrap(), 7);
    });
}
