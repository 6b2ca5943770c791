//! What arrives, and who is woken.

use std::{
    io::{Read, Write},
    time::Duration,
};

use multiproc::{
    EntryPoint, SharedMemoryRings, StartMethod,
    pool::{Transport, TransportStream},
};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout},
    sys::stat::fstat,
};

use super::{CAPACITY, Worker, bytes, echo, port};
use crate::{in_a_process_of_its_own, with_every_start_method};

/// Sends `total` bytes and gets them back, in pieces of all lengths.
fn exchange(mut worker: Worker, total: usize) {
    let sent = bytes(total);
    let (mut written, mut read) = (0, Vec::new());
    for round in 0.. {
        let piece = &sent[written..][..(round * 7919 % 40_000).min(total - written)];
        let room = worker.stream.write(piece).unwrap();
        written += room.unwrap_or(0);
        worker.stream.wake();
        let mut into = vec![0; 1 + round * 6841 % 30_000];
        let len = worker.stream.read(&mut into).unwrap();
        read.extend_from_slice(&into[..len.unwrap_or(0)]);
        if read.len() == total {
            break;
        }
        if (room, len) == (None, None) {
            assert!(!worker.sleep(written < total), "the worker ended");
        }
    }
    assert!(read == sent, "what came back is what was sent");
    worker.ends_well();
}

#[test]
fn bytes_in_pieces_of_any_length_come_back_whole() {
    with_every_start_method(|method| {
        let asleep = EntryPoint::new(|inheritance| echo(port(inheritance), Duration::ZERO));
        exchange(Worker::start(method, asleep), 3 << 20);
        let awake =
            EntryPoint::new(|inheritance| echo(port(inheritance), Duration::from_micros(50)));
        exchange(Worker::start(method, awake), 3 << 20);
    });
}

#[test]
fn a_sleeping_worker_is_woken_for_a_request_and_a_sleeping_parent_for_its_reply() {
    with_every_start_method(|method| {
        let entry = EntryPoint::new(|inheritance| echo(port(inheritance), Duration::ZERO));
        let mut worker = Worker::start(method, entry);
        for round in 0..100u8 {
            worker.until_it_sleeps();
            worker.write_all(&[round; 40]);
            let mut reply = [0; 40];
            worker.read_exact(&mut reply);
            assert_eq!(reply, [round; 40]);
        }
        worker.ends_well();
    });
}

#[test]
fn a_message_longer_than_the_ring_flows_while_its_reader_sleeps_in_between() {
    with_every_start_method(|method| {
        // Each side reads all before it writes.
        let entry = EntryPoint::new(|inheritance| {
            let mut port = port(inheritance);
            let mut message = vec![0; 4 * CAPACITY + 13];
            port.read_exact(&mut message).unwrap();
            port.write_all(&message).unwrap();
        });
        let mut worker = Worker::start(method, entry);
        let sent = bytes(4 * CAPACITY + 13);
        worker.write_all(&sent);
        let mut reply = vec![0; sent.len()];
        worker.read_exact(&mut reply);
        assert!(reply == sent);
        worker.ends_well();
    });
}

#[test]
fn nobody_rings_while_the_parent_is_awake() {
    in_a_process_of_its_own(|| {
        let entry = EntryPoint::new(|inheritance| echo(port(inheritance), Duration::ZERO));
        let mut worker = Worker::start(StartMethod::ForkServer, entry);
        let is_rung = |worker: &Worker| {
            let mut fds = [PollFd::new(worker.rings.doorbell().unwrap(), PollFlags::POLLIN)];
            nix::poll::poll(&mut fds, PollTimeout::ZERO).unwrap() > 0
        };
        for round in 0..200u8 {
            worker.write_all(&[round; 40]);
            while !worker.stream.has_news() {
                std::thread::yield_now();
            }
            assert_eq!(worker.stream.read(&mut [0; 40]).unwrap(), Some(40));
        }
        // It flushes before it waits.
        worker.until_it_sleeps();
        assert!(!is_rung(&worker));
        worker.write_all(&[1; 40]);
        worker.until_it_sleeps();
        while !worker.stream.has_news() {
            std::thread::yield_now();
        }
        assert!(!worker.stream.prepare_sleep(false), "there is something to read");
        assert!(!is_rung(&worker));
        worker.ends_well();
    });
}

#[test]
fn a_big_reply_wakes_the_parent_before_it_is_flushed() {
    in_a_process_of_its_own(|| {
        let entry = EntryPoint::new(|inheritance| {
            let mut port = port(inheritance);
            port.read_exact(&mut [0]).unwrap();
            // Never flushes, and goes on only when the parent has heard it.
            port.write_all(&bytes(CAPACITY / 2)).unwrap();
            port.read_exact(&mut [0]).unwrap();
        });
        let mut worker = Worker::start(StartMethod::Spawn, entry);
        worker.write_all(&[0]);
        let mut reply = vec![0; CAPACITY / 2];
        worker.read_exact(&mut reply);
        assert!(reply == bytes(CAPACITY / 2));
        worker.write_all(&[0]);
        worker.ends_well();
    });
}

#[test]
fn when_the_parent_leaves_its_worker_reads_what_was_written_and_then_the_end() {
    with_every_start_method(|method| {
        let entry = EntryPoint::new(|inheritance| {
            let mut port = port(inheritance);
            let mut all = Vec::new();
            port.read_to_end(&mut all).unwrap();
            assert!(all == bytes(100_000));
            let error = port.write_all(b"too late").unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        });
        let mut worker = Worker::start(method, entry);
        worker.write_all(&bytes(100_000));
        worker.ends_well();

        // The same while it sleeps.
        let entry = EntryPoint::new(|inheritance| {
            assert_eq!(port(inheritance).read(&mut [0; 8]).unwrap(), 0);
        });
        let worker = Worker::start(method, entry);
        worker.until_it_sleeps();
        worker.ends_well();
    });
}

#[test]
fn when_the_parent_leaves_a_worker_that_waits_for_room_is_told() {
    with_every_start_method(|method| {
        let entry = EntryPoint::new(|inheritance| {
            let error = port(inheritance).write_all(&bytes(CAPACITY + 1)).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        });
        let worker = Worker::start(method, entry);
        worker.until_it_sleeps();
        worker.ends_well();
    });
}

#[test]
fn memory_is_taken_as_it_is_used() {
    in_a_process_of_its_own(|| {
        let rings = SharedMemoryRings::new().unwrap();
        let (mut stream, descriptors) = rings.connect().unwrap();
        let bytes_taken = || fstat(&descriptors[0]).unwrap().st_blocks * 512;
        assert!(bytes_taken() <= 32 << 10, "{}", bytes_taken());
        assert_eq!(stream.write(&[0; 10_000]).unwrap(), Some(10_000));
        assert!(bytes_taken() <= 32 << 10, "{}", bytes_taken());
        assert_eq!(stream.write(&[0; 2 * CAPACITY]).unwrap(), Some(CAPACITY - 10_000));
        assert!(bytes_taken() > CAPACITY as i64, "{}", bytes_taken());
    });
}

#[test]
fn other_descriptors_are_refused() {
    in_a_process_of_its_own(|| {
        let rings = SharedMemoryRings::new().unwrap();
        let descriptors = || rings.connect().unwrap().1;
        let mut too_few = descriptors();
        too_few.pop();
        assert!(SharedMemoryRings::open(too_few).is_err());
        let mut swapped = descriptors();
        swapped.reverse();
        assert!(SharedMemoryRings::open(swapped).is_err());
        SharedMemoryRings::open(descriptors()).unwrap();
    });
}
