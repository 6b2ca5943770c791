//! What CPython's own tests of `multiprocessing.connection` check.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use multiproc::{Connection, Descriptor, Error, Receiver, Sender, one_way_pipe, pipe, wait};

use super::{asleep, ends_well, started};
use crate::{in_a_process_of_its_own, isolation::open_descriptors, with_every_start_method};

const SENTINEL: &[u8] = b"";
const SHORT: Duration = Duration::from_millis(50);

fn echo(connection: Connection) {
    loop {
        let message = connection.recv_bytes().unwrap();
        if message == SENTINEL {
            return;
        }
        connection.send_bytes(&message).unwrap();
    }
}

fn echo_value(connection: Connection) {
    let value: (i32, f64, Option<i32>) = connection.recv().unwrap();
    connection.send(&value).unwrap();
    echo(connection);
}

#[test]
fn test_connection() {
    with_every_start_method(|method| {
        let (connection, theirs) = pipe().unwrap();
        let process = started(method, echo_value, theirs);

        let sequence = (1, 2.25, None::<i32>);
        connection.send(&sequence).unwrap();
        assert_eq!(connection.recv::<(i32, f64, Option<i32>)>().unwrap(), sequence);

        let message = b"hello world";
        connection.send_bytes(message).unwrap();
        assert_eq!(connection.recv_bytes().unwrap(), message);

        let mut buffer = [0; 40];
        connection.send_bytes(message).unwrap();
        assert_eq!(connection.recv_into(&mut buffer[3..]).unwrap(), message.len());
        assert_eq!(&buffer[3..14], message);
        assert!(buffer[14..].iter().all(|&byte| byte == 0));

        let long_message = message.repeat(10);
        connection.send_bytes(&long_message).unwrap();
        match connection.recv_into(&mut buffer).unwrap_err() {
            Error::BufferTooShort { message, room: 40 } => assert_eq!(message, long_message),
            error => panic!("{error}"),
        }

        assert!(!connection.poll(Duration::ZERO).unwrap());
        let before = Instant::now();
        assert!(!connection.poll(SHORT).unwrap());
        assert!(before.elapsed() >= SHORT);
        connection.send_bytes(b"x").unwrap();
        assert!(connection.poll(Duration::MAX).unwrap());
        assert_eq!(connection.recv_bytes().unwrap(), b"x");

        let really_big_message = vec![b'X'; 16 << 20];
        connection.send_bytes(&really_big_message).unwrap();
        assert!(connection.recv_bytes().unwrap() == really_big_message);

        connection.send_bytes(SENTINEL).unwrap();
        assert!(matches!(connection.recv::<i32>(), Err(Error::Disconnected)));
        assert!(matches!(connection.recv_bytes(), Err(Error::Disconnected)));
        ends_well(process);
    });
}

#[test]
fn test_duplex_false() {
    with_every_start_method(|method| {
        let (receiver, sender) = one_way_pipe().unwrap();
        sender.send(&1).unwrap();
        assert_eq!(receiver.recv::<i32>().unwrap(), 1);
        let process = started(method, |sender: Sender| sender.send(&2).unwrap(), sender);
        assert_eq!(receiver.recv::<i32>().unwrap(), 2);
        ends_well(process);
    });
}

#[test]
fn test_spawn_close() {
    with_every_start_method(|method| {
        let (connection, theirs) = pipe().unwrap();
        // The start has closed our handle to their end.
        let process = started(method, echo, theirs);
        connection.send_bytes(b"hello").unwrap();
        assert_eq!(connection.recv_bytes().unwrap(), b"hello");
        connection.send_bytes(SENTINEL).unwrap();
        drop(connection);
        ends_well(process);
    });
}

#[test]
fn test_sendbytes() {
    let (one, other) = pipe().unwrap();
    let message = b"abcdefghijklmnopqrstuvwxyz";
    for part in [&message[..], &message[5..], &message[7..15], &message[26..]] {
        one.send_bytes(part).unwrap();
        assert_eq!(other.recv_bytes().unwrap(), part);
    }
}

fn write_to_descriptor((connection, data): (Connection, String)) {
    let file: Descriptor = connection.recv().unwrap();
    file.into_file().write_all(data.as_bytes()).unwrap();
}

#[test]
fn test_fd_transfer() {
    with_every_start_method(|method| {
        let (connection, theirs) = pipe().unwrap();
        let process = started(method, write_to_descriptor, (theirs, "foo".to_owned()));
        let (mut output, input) = std::io::pipe().unwrap();
        connection.send(&Descriptor::new(input)).unwrap();
        let mut written = String::new();
        output.read_to_string(&mut written).unwrap();
        assert_eq!(written, "foo");
        ends_well(process);
    });
}

#[test]
fn test_large_fd_transfer() {
    with_every_start_method(|method| {
        let (connection, theirs) = pipe().unwrap();
        let process = started(
            method,
            |arguments: (Connection, String)| {
                // So that what is received has a number above 255.
                let _taken: Vec<_> =
                    (0..256).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
                write_to_descriptor(arguments);
            },
            (theirs, "bar".to_owned()),
        );
        let (mut output, input) = std::io::pipe().unwrap();
        let taken: Vec<_> = (0..256).map(|_| input.try_clone().unwrap()).collect();
        let last = Descriptor::new(taken.into_iter().next_back().unwrap());
        drop(input);
        connection.send(&last).unwrap();
        drop(last);
        let mut written = String::new();
        output.read_to_string(&mut written).unwrap();
        assert_eq!(written, "bar");
        ends_well(process);
    });
}

#[test]
fn test_missing_fd_transfer() {
    with_every_start_method(|method| {
        let (connection, theirs) = pipe().unwrap();
        // Encoded like a descriptor, without one.
        let process =
            started(method, |connection: Connection| connection.send(&0u32).unwrap(), theirs);
        let error = connection.recv::<Descriptor>().unwrap_err();
        assert!(error.to_string().contains("did not come with it"), "{error}");
        ends_well(process);
    });
}

#[test]
fn test_context() {
    let (one, other) = pipe().unwrap();
    {
        let one = one;
        one.send(&1729).unwrap();
        assert_eq!(other.recv::<i32>().unwrap(), 1729);
    }
    assert!(matches!(other.recv::<i32>(), Err(Error::Disconnected)));
    assert!(matches!(other.send(&1), Err(Error::Disconnected)));
}

#[test]
fn test_empty_string() {
    let (one, other) = pipe().unwrap();
    assert!(!one.poll(Duration::ZERO).unwrap());
    other.send_bytes(b"").unwrap();
    assert!(one.poll(Duration::ZERO).unwrap());
    assert!(one.poll(Duration::ZERO).unwrap());
    assert_eq!(one.recv_bytes().unwrap(), b"");
    assert!(!one.poll(Duration::ZERO).unwrap());
}

#[test]
fn test_strings() {
    with_every_start_method(|method| {
        const STRINGS: [&[u8]; 8] = [b"hello", b"", b"a", b"b", b"", b"bye", b"", b"lop"];
        let (one, theirs) = pipe().unwrap();
        let child = |connection: Connection| {
            STRINGS.iter().for_each(|string| connection.send_bytes(string).unwrap());
        };
        let process = started(method, child, theirs);
        for string in STRINGS {
            assert!(one.poll(Duration::MAX).unwrap());
            assert_eq!(one.recv_bytes().unwrap(), string);
        }
        assert!(matches!(one.recv_bytes(), Err(Error::Disconnected)));
        ends_well(process);
    });
}

#[test]
fn test_boundaries() {
    with_every_start_method(|method| {
        let (receiver, sender) = one_way_pipe().unwrap();
        let theirs = receiver.try_clone().unwrap();
        // Polls, and must not pull out any part of a message by that.
        let child = |receiver: Receiver| assert!(receiver.poll(Duration::MAX).unwrap());
        let process = started(method, child, theirs);
        sender.send_bytes(b"first").unwrap();
        sender.send_bytes(b"second").unwrap();
        drop(sender);
        ends_well(process);
        assert_eq!(receiver.recv_bytes().unwrap(), b"first");
        assert_eq!(receiver.recv_bytes().unwrap(), b"second");
    });
}

#[test]
fn test_dont_merge() {
    with_every_start_method(|method| {
        let (one, theirs) = pipe().unwrap();
        assert!(!one.poll(Duration::ZERO).unwrap());
        assert!(!one.poll(SHORT).unwrap());
        let child = |connection: Connection| {
            for message in [&b"a"[..], b"b", b"cd"] {
                connection.send_bytes(message).unwrap();
            }
        };
        let process = started(method, child, theirs);
        for message in [&b"a"[..], b"b", b"cd"] {
            assert!(one.poll(Duration::MAX).unwrap());
            assert!(one.poll(Duration::MAX).unwrap());
            assert_eq!(one.recv_bytes().unwrap(), message);
        }
        ends_well(process);
    });
}

#[test]
fn test_access() {
    with_every_start_method(|method| {
        let (connection, theirs) = pipe().unwrap();
        let child = |connection: Connection| {
            let sender: Sender = connection.recv().unwrap();
            sender.send("all is well").unwrap();
            drop(sender);
            let receiver: Receiver = connection.recv().unwrap();
            let message: String = receiver.recv().unwrap();
            connection.send(&message.repeat(2)).unwrap();
        };
        let process = started(method, child, theirs);

        let (receiver, sender) = one_way_pipe().unwrap();
        connection.send(&sender).unwrap();
        drop(sender);
        assert_eq!(receiver.recv::<String>().unwrap(), "all is well");
        assert!(matches!(receiver.recv::<String>(), Err(Error::Disconnected)));

        let (receiver, sender) = one_way_pipe().unwrap();
        connection.send(&receiver).unwrap();
        drop(receiver);
        sender.send("foobar").unwrap();
        assert_eq!(connection.recv::<String>().unwrap(), "foobarfoobar");
        ends_well(process);
    });
}

#[test]
fn test_wait() {
    with_every_start_method(|method| {
        let child = |sender: Sender| {
            (0..10).for_each(|i| sender.send(&(i, std::process::id())).unwrap());
        };
        let mut readers = Vec::new();
        let mut processes = Vec::new();
        for _ in 0..4 {
            let (receiver, sender) = one_way_pipe().unwrap();
            processes.push(started(method, child, sender));
            readers.push(receiver);
        }
        let mut messages = Vec::new();
        while !readers.is_empty() {
            let ready = wait(&readers, None).unwrap();
            assert!(!ready.is_empty());
            for index in ready.into_iter().rev() {
                match readers[index].recv::<(i32, u32)>() {
                    Ok(message) => messages.push(message),
                    Err(Error::Disconnected) => drop(readers.remove(index)),
                    Err(error) => panic!("{error}"),
                }
            }
        }
        messages.sort_unstable();
        let mut pids: Vec<_> =
            processes.iter().map(|process| process.pid().unwrap() as u32).collect();
        pids.sort_unstable();
        let expected: Vec<_> =
            (0..10).flat_map(|i| pids.iter().map(move |&pid| (i, pid))).collect();
        assert_eq!(messages, expected);
        processes.into_iter().for_each(ends_well);
    });
}

#[test]
fn test_wait_timeout() {
    with_every_start_method(|method| {
        let (ours, theirs) = pipe().unwrap();
        let (silent, _kept) = pipe().unwrap();
        let answers = |connection: Connection| {
            connection.recv::<()>().and_then(|()| connection.send(&())).unwrap()
        };
        let process = started(method, answers, theirs);
        let before = Instant::now();
        assert_eq!(wait([&silent, &ours], Some(SHORT)).unwrap(), []);
        assert!(before.elapsed() >= SHORT);
        ours.send(&()).unwrap();
        assert_eq!(wait([&silent, &ours], Some(Duration::MAX)).unwrap(), [1]);
        ends_well(process);
    });
}

#[test]
fn test_neg_timeout() {
    // A `Duration` cannot be negative; no time at all is the nearest to it.
    let (one, _other) = pipe().unwrap();
    assert_eq!(wait([&one], Some(Duration::ZERO)).unwrap(), []);
    assert_eq!(wait::<[&Connection; 0]>([], None).unwrap(), []);
}

#[test]
fn test_closefd() {
    with_every_start_method(|method| {
        let (ours, theirs) = pipe().unwrap();
        let (_unrelated_receiver, _unrelated_sender) = one_way_pipe().unwrap();
        let child = |connection: Connection| {
            // With `fork` too: nothing of the parent's but what was given, and
            // the line over which the process tells how its function ended.
            let sockets = open_descriptors().iter().filter(|fd| fd.contains("socket")).count();
            connection.send(&sockets).unwrap();
        };
        let process = started(method, child, theirs);
        assert_eq!(ours.recv::<usize>().unwrap(), 2);
        ends_well(process);
    });
}

#[test]
fn test_ignore() {
    in_a_process_of_its_own(|| {
        use nix::{
            sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction},
            unistd::Pid,
        };
        extern "C" fn handler(_: i32) {}
        // Larger than the socket's buffer in sum, so that the child has to wait.
        const LEN: usize = 60_000;
        let child = |connection: Connection| {
            let handler = SigHandler::Handler(handler);
            let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
            // SAFETY: a handler that does nothing is safe at any time.
            unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
            connection.send("ready").unwrap();
            let x: i32 = connection.recv().unwrap();
            connection.send(&x).unwrap();
            (0..10).for_each(|_| connection.send_bytes(&[b'x'; LEN]).unwrap());
        };
        let (connection, theirs) = pipe().unwrap();
        let process = started(multiproc::StartMethod::Fork, child, theirs);
        let pid = Pid::from_raw(process.pid().unwrap());
        let interrupt = || {
            asleep(pid.as_raw());
            kill(pid, Signal::SIGUSR1).unwrap();
            asleep(pid.as_raw());
        };
        assert_eq!(connection.recv::<String>().unwrap(), "ready");
        interrupt();
        connection.send(&1234).unwrap();
        assert_eq!(connection.recv::<i32>().unwrap(), 1234);
        interrupt();
        for _ in 0..10 {
            assert_eq!(connection.recv_bytes().unwrap(), vec![b'x'; LEN]);
        }
        ends_well(process);
    });
}
