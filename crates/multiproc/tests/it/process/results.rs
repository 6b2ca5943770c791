//! What a process returns, and how it is told that it did not.

use std::{io::Write, os::fd::AsFd};

use multiproc::{Connection, Error, Lock, Process, Queue, StartMethod, pipe};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::resource::{Resource, getrlimit, setrlimit},
};

use super::started;
use crate::{in_a_process_of_its_own, with_every_start_method};

#[test]
fn values_of_any_size_are_there_after_the_join() {
    with_every_start_method(|method| {
        for len in [0usize, 1, 10_000, 1_000_000, 50_000_000] {
            let mut process = started(method, |len: usize| vec![7u8; len], len);
            // Would never end if the child had to wait for a reader.
            process.join().unwrap();
            let value = process.result().unwrap();
            assert!(value.len() == len && value.iter().all(|&byte| byte == 7));
            assert!(matches!(process.result(), Err(Error::ResultTaken { .. })));
        }
    });
}

#[test]
fn handles_can_be_returned() {
    with_every_start_method(|method| {
        let make = |()| {
            let (ours, theirs) = pipe().unwrap();
            ours.send(&"from a process that has ended").unwrap();
            (theirs, Lock::new().unwrap())
        };
        let mut process: Process<(Connection, Lock)> = started(method, make, ());
        let (connection, lock) = process.result().unwrap();
        assert_eq!(connection.recv::<String>().unwrap(), "from a process that has ended");
        drop(lock.acquire().unwrap());
    });
}

#[test]
fn a_panic_is_told_with_file_line_and_message_and_the_exit_code_is_101() {
    with_every_start_method(|method| {
        let mut process = started(method, |x: u64| -> u64 { panic!("I do not like {x}") }, 37);
        for _ in 0..2 {
            let error = process.result().unwrap_err();
            let Error::ProcessPanicked { pid, message, .. } = &error else { panic!("{error}") };
            assert_eq!(Some(*pid), process.pid());
            assert!(message.contains("results.rs:"), "{message}");
            assert!(message.ends_with("I do not like 37"), "{message}");
        }
        assert_eq!(process.exit_code(), Some(101));
        // Not the join's business.
        process.join().unwrap();
    });
}

/// Prints nothing, so that the log of the tests stays readable.
fn silently_panic((): ()) {
    std::panic::set_hook(Box::new(|_| ()));
    panic!("{}", "x".repeat(300_000));
}

#[test]
fn a_panic_message_of_any_length_is_told() {
    with_every_start_method(|method| {
        let mut process = started(method, silently_panic, ());
        let Err(Error::ProcessPanicked { message, .. }) = process.result() else { panic!() };
        assert_eq!(message.len(), 300_000);
    });
}

#[test]
fn a_panic_of_a_target_with_its_own_hook_is_told() {
    with_every_start_method(|method| {
        let target = |()| -> () {
            std::panic::set_hook(Box::new(|_| ()));
            std::panic::panic_any("quietly".to_owned());
        };
        let error = started(method, target, ()).result().unwrap_err();
        assert!(error.to_string().contains("panicked at quietly\nhelp: "), "{error}");
    });
}

#[test]
fn a_signal_and_an_exit_before_the_return_are_told() {
    with_every_start_method(|method| {
        let mut process = started(method, |()| -> u8 { std::process::abort() }, ());
        let error = process.result().unwrap_err();
        let Error::ProcessDied { status, .. } = &error else { panic!("{error}") };
        assert_eq!(status.code, -libc::SIGABRT);
        assert!(error.to_string().contains("was killed by SIGABRT before"), "{error}");
        assert_eq!(process.exit_code(), Some(-libc::SIGABRT));
    });
}

#[test]
fn what_cannot_cross_is_an_error_that_names_the_type() {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Debug)]
    struct OneWay(bool);
    impl Serialize for OneWay {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.0 {
                Err(serde::ser::Error::custom("no way out"))
            } else {
                serializer.serialize_u8(0)
            }
        }
    }
    impl<'de> Deserialize<'de> for OneWay {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Err(serde::de::Error::custom("no way in"))
        }
    }

    with_every_start_method(|method| {
        // The argument cannot be encoded: nothing was started, and it can be tried again.
        let mut process = Process::new(|_: OneWay| (), OneWay(true)).start_method(method);
        for _ in 0..2 {
            let error = process.start().unwrap_err();
            assert!(matches!(error, Error::Encode { .. }), "{error}");
        }
        assert!(process.pid().is_none() && !process.is_alive());
        // It cannot be decoded.
        let error = started(method, |_: OneWay| (), OneWay(false)).result().unwrap_err();
        assert!(matches!(error, Error::ProcessPanicked { .. }), "{error}");
        assert!(error.to_string().contains("OneWay"), "{error}");
        // The value cannot be encoded, or decoded.
        let error = started(method, |()| OneWay(true), ()).result().unwrap_err();
        assert!(matches!(error, Error::ProcessPanicked { .. }), "{error}");
        assert!(error.to_string().contains("OneWay"), "{error}");
        let error = started(method, |()| OneWay(false), ()).result().unwrap_err();
        assert!(matches!(error, Error::Decode { .. }), "{error}");
    });
}

#[test]
fn the_line_is_not_what_keeps_a_process_that_was_left_behind_waiting() {
    // The child forks by other means, and its fork keeps the line open.
    with_every_start_method(|method| {
        let (ours, theirs) = pipe().unwrap();
        let target = |connection: Connection| {
            // Its handles are no use to such a process, their descriptors are.
            let mut end = [PollFd::new(connection.as_fd(), PollFlags::POLLIN)];
            // SAFETY: the process has a single thread.
            if unsafe { libc::fork() } == 0 {
                let _ = poll(&mut end, PollTimeout::NONE);
                // SAFETY: _exit has no preconditions.
                unsafe { libc::_exit(0) };
            }
            7
        };
        let mut process = started(method, target, theirs);
        assert_eq!(process.result().unwrap(), 7);
        ours.send(&()).unwrap();
    });
}

#[test]
fn what_was_printed_is_flushed() {
    in_a_process_of_its_own(|| {
        // Children of the fork server have the standard output that it has.
        for method in [StartMethod::Spawn, StartMethod::Fork] {
            let (reader, writer) = std::io::pipe().unwrap();
            let saved = nix::unistd::dup(std::io::stdout().as_fd()).unwrap();
            // What this process has in its buffer, a child must not print again.
            print!("once ");
            // SAFETY: standard output is nobody's but the process's.
            unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&writer), 1) };
            let mut process = started(method, |()| print!("and for all"), ());
            process.join().unwrap();
            std::io::stdout().flush().unwrap();
            // SAFETY: as above.
            unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&saved), 1) };
            drop(writer);
            let printed = std::io::read_to_string(reader).unwrap();
            for words in ["once ", "and for all"] {
                assert_eq!(printed.matches(words).count(), 1, "{method}: {printed}");
            }
        }
    });
}

#[test]
fn a_target_returns_an_error_of_this_crate_and_it_arrives_as_it_was() {
    fn work(queue: Queue<u64>) -> multiproc::Result<u64> {
        queue.put(&1)?;
        let first = queue.get()?;
        let limit = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, 0, limit.1).unwrap();
        Queue::<u64>::new()?;
        Ok(first)
    }
    with_every_start_method(|method| {
        let queue = Queue::new().unwrap();
        let error = started(method, work, queue).result().unwrap().unwrap_err();
        assert!(matches!(error, Error::Memory { .. } | Error::System { .. }), "{error}");
        assert!(error.to_string().contains("help: raise the limit of open files"), "{error}");
    });
}
