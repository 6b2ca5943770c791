//! Ends whose processes die.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use multiproc::{Connection, Error, Receiver, Sender, one_way_pipe, pipe, wait};
use nix::sys::signal::{SigHandler, Signal, raise, signal};

use super::{asleep, ends_well, message, started};
use crate::{dice::Dice, in_a_process_of_its_own, with_every_start_method};

fn send_for_ever((writer, sender): (u8, Sender)) {
    for number in 0.. {
        sender.send(&message(writer, number)).unwrap();
    }
}

#[test]
fn a_writer_killed_at_any_instant_leaves_whole_messages_and_then_the_end() {
    with_every_start_method(|method| {
        let mut dice = Dice::new(1 + method as u64);
        for _ in 0..25 {
            let (receiver, sender) = one_way_pipe().unwrap();
            let mut process = started(method, send_for_ever, (0, sender));
            let killed_at = Instant::now() + Duration::from_micros(dice.below(6000));
            let mut number = 0;
            let end = loop {
                if Instant::now() >= killed_at {
                    process.kill();
                }
                match receiver.recv_timeout::<(u8, u32, String)>(Duration::from_micros(500)) {
                    Ok(received) => assert!(received == message(0, number), "message {number}"),
                    Err(Error::TimedOut) => continue,
                    Err(error) => break error,
                }
                number += 1;
            };
            assert!(matches!(end, Error::Disconnected), "{end}");
            process.join().unwrap();
            assert_eq!(process.exit_code(), Some(-9));
        }
    });
}

#[test]
fn a_writer_that_waits_learns_that_its_reader_was_killed() {
    with_every_start_method(|method| {
        let (ours, theirs) = pipe().unwrap();
        let child = |(writer, connection): (u32, Connection)| {
            let _: u64 = connection.recv().unwrap();
            // Nobody reads any more, so it sleeps as soon as the buffer is full.
            asleep(writer as i32);
            raise(Signal::SIGKILL).unwrap();
        };
        let mut process = started(method, child, (std::process::id(), theirs));
        let error = (0u64..).find_map(|number| ours.send(&number).err()).unwrap();
        assert!(matches!(error, Error::Disconnected), "{error}");
        assert!(matches!(ours.recv::<u8>(), Err(Error::Disconnected)));
        process.join().unwrap();
        assert_eq!(process.exit_code(), Some(-9));
    });
}

#[test]
fn two_writers_and_two_readers_on_one_pipe_harm_no_message() {
    const PER_WRITER: u32 = 150;
    with_every_start_method(|method| {
        let (receiver, sender) = one_way_pipe().unwrap();
        let write = |(writer, sender): (u8, Sender)| {
            (0..PER_WRITER).for_each(|number| sender.send(&message(writer, number)).unwrap());
        };
        let read = |(receiver, results): (Receiver, Sender)| {
            while let Ok((writer, number, text)) = receiver.recv::<(u8, u32, String)>() {
                assert!((writer, number, text) == message(writer, number));
                results.send(&(writer, number)).unwrap();
            }
        };
        let mut processes = Vec::new();
        let mut results = Vec::new();
        for writer in 0..2 {
            processes.push(started(method, write, (writer, sender.try_clone().unwrap())));
            let (result, to_result) = one_way_pipe().unwrap();
            processes.push(started(method, read, (receiver.try_clone().unwrap(), to_result)));
            results.push(result);
        }
        drop((receiver, sender));
        let mut seen: BTreeMap<u8, Vec<u32>> = BTreeMap::new();
        let mut last: BTreeMap<(usize, u8), u32> = BTreeMap::new();
        let mut open = vec![true; results.len()];
        while open.contains(&true) {
            let waited: Vec<usize> = (0..results.len()).filter(|&reader| open[reader]).collect();
            for index in wait(waited.iter().map(|&reader| &results[reader]), None).unwrap() {
                let reader = waited[index];
                let Ok((writer, number)) = results[reader].recv::<(u8, u32)>() else {
                    open[reader] = false;
                    continue;
                };
                seen.entry(writer).or_default().push(number);
                let before = last.insert((reader, writer), number);
                assert!(before.is_none_or(|before| before < number), "in order");
            }
        }
        for numbers in seen.values_mut() {
            numbers.sort_unstable();
            assert!(numbers.iter().copied().eq(0..PER_WRITER), "each exactly once: {numbers:?}");
        }
        assert_eq!(seen.len(), 2);
        processes.into_iter().for_each(ends_well);
    });
}

#[test]
fn a_reader_killed_at_any_instant_takes_one_message_along_at_most() {
    with_every_start_method(|method| {
        let mut dice = Dice::new(1 + method as u64);
        for _ in 0..8 {
            let (receiver, sender) = one_way_pipe().unwrap();
            let read = |receiver: Receiver| while receiver.recv::<(u8, u32, String)>().is_ok() {};
            let mut reader = started(method, read, receiver.try_clone().unwrap());
            let writer = started(method, send_for_ever_or_until_the_end, (0, sender));
            let received = |receiver: &Receiver| receiver.recv::<(u8, u32, String)>().unwrap();
            let killed_at = Instant::now() + Duration::from_micros(dice.below(6000));
            let mut last = received(&receiver).1;
            while Instant::now() < killed_at {
                last = last.max(received(&receiver).1);
            }
            reader.kill();
            reader.join().unwrap();
            // What the reader has had is unknown, and from now on nothing is missing.
            let first = received(&receiver);
            assert!(first.1 > last && first == message(0, first.1));
            let mut next = first.1 + 1;
            let mut missing = 0;
            while next < first.1 + 50 {
                let message = received(&receiver);
                assert!(message == self::message(0, message.1));
                assert!(message.1 >= next, "in order");
                missing += message.1 - next;
                next = message.1 + 1;
            }
            // The one that the reader had a token of may be in between.
            assert!(missing <= 1, "{missing} messages are missing");
            drop(receiver);
            ends_well(writer);
        }
    });
}

fn send_for_ever_or_until_the_end((writer, sender): (u8, Sender)) {
    let end = (0..).find_map(|number| sender.send(&message(writer, number)).err()).unwrap();
    assert!(matches!(end, Error::Disconnected), "{end}");
}

#[test]
fn a_closed_end_is_an_error_also_where_its_signal_would_kill() {
    in_a_process_of_its_own(|| {
        // SAFETY: no handler.
        unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.unwrap();
        let (one, other) = pipe().unwrap();
        drop(other);
        assert!(matches!(one.send("nobody reads it"), Err(Error::Disconnected)));
        assert!(matches!(one.send(&"x".repeat(10_000)), Err(Error::Disconnected)));
    });
}
