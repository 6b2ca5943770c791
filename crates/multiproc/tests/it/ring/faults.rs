//! Workers and parents that die or go mad in the middle of a stream.

use std::{
    io::{ErrorKind::InvalidData, Read, Write},
    time::{Duration, Instant},
};

use multiproc::{EntryPoint, Inheritance, RingPort, StartMethod, pool::TransportStream};
use nix::{
    sys::{
        signal::{Signal, raise},
        uio::pwrite,
    },
    unistd::pause,
};

use super::{CAPACITY, Worker, bytes, echo, port};
use crate::{dice::Dice, in_a_process_of_its_own, processes::started, with_every_start_method};

fn die() -> ! {
    raise(Signal::SIGKILL).unwrap();
    unreachable!("it was killed")
}

/// A worker that ends with `last`; the parent gets exactly the first `written`
/// bytes from it, and can write to it whether it lives or not.
fn dies_after(method: StartMethod, written: usize, last: EntryPoint) {
    let mut worker = Worker::start(method, last);
    worker.write_all(&[7; 40]);
    assert!(worker.read_to_end() == bytes(written), "after {written} bytes");
    assert_eq!(crate::end_of(&mut worker.child).code, -9);
    assert_eq!(worker.stream.write(&[7; 40]).unwrap(), Some(40));
    worker.stream.wake();
    assert_eq!(worker.stream.read(&mut [0; 40]).unwrap(), None);
}

fn request(inheritance: Inheritance) -> RingPort {
    let mut port = port(inheritance);
    port.read_exact(&mut [0; 40]).unwrap();
    port
}

#[test]
fn what_a_killed_worker_has_written_can_be_read_wherever_it_was_killed() {
    with_every_start_method(|method| {
        // Before and after it has taken its request.
        dies_after(method, 0, EntryPoint::new(|_| die()));
        dies_after(
            method,
            0,
            EntryPoint::new(|inheritance| {
                let _port = request(inheritance);
                die()
            }),
        );
        // In the middle of a reply.
        dies_after(
            method,
            11,
            EntryPoint::new(|inheritance| {
                let mut port = request(inheritance);
                port.write_all(&bytes(11)).unwrap();
                die()
            }),
        );
        // Flushed.
        dies_after(
            method,
            40,
            EntryPoint::new(|inheritance| {
                let mut port = request(inheritance);
                port.write_all(&bytes(40)).unwrap();
                port.flush().unwrap();
                die()
            }),
        );
        // After more than the ring holds.
        dies_after(
            method,
            CAPACITY + 3,
            EntryPoint::new(|inheritance| {
                let mut port = request(inheritance);
                port.write_all(&bytes(CAPACITY + 3)).unwrap();
                die()
            }),
        );
    });
}

#[test]
fn a_worker_can_be_killed_while_it_sleeps() {
    with_every_start_method(|method| {
        let entry = EntryPoint::new(|inheritance| echo(port(inheritance), Duration::ZERO));
        let mut worker = Worker::start(method, entry);
        worker.until_it_sleeps();
        worker.child.kill();
        assert!(worker.read_to_end().is_empty());

        let entry = EntryPoint::new(|inheritance| {
            port(inheritance).write_all(&bytes(2 * CAPACITY)).unwrap();
        });
        let mut worker = Worker::start(method, entry);
        worker.until_it_sleeps();
        worker.child.kill();
        assert!(worker.read_to_end() == bytes(CAPACITY));
    });
}

#[test]
fn workers_killed_at_any_moment_leave_a_stream_without_gaps() {
    with_every_start_method(|method| {
        for round in 0..20 {
            let entry = EntryPoint::new(|inheritance| {
                let (mut port, bytes) = (port(inheritance), bytes(CAPACITY));
                for len in (0..).map(|round| round * 7919 % 3_000) {
                    port.write_all(&bytes[..len]).unwrap();
                }
            });
            let mut worker = Worker::start(method, entry);
            worker.read_exact(&mut [0; 10_000]);
            // No handshake: the kill is to come at any moment.
            std::thread::sleep(Duration::from_micros(round * 37));
            worker.child.kill();
            let rest = worker.read_to_end();
            let expected = (0..).flat_map(|round| bytes(round * 7919 % 3_000)).skip(10_000);
            assert!(rest.iter().copied().eq(expected.take(rest.len())), "round {round}");
        }
    });
}

#[test]
fn a_worker_does_not_outlive_its_parent_asleep() {
    with_every_start_method(|method| {
        // Whether it lives is looked at by whoever ends this test.
        let has_begun = multiproc::Event::new().unwrap();
        let parent = |(method, has_begun): (u8, multiproc::Event)| {
            let entry = EntryPoint::new(|inheritance| echo(port(inheritance), Duration::ZERO));
            let worker = Worker::start(StartMethod::ALL[method as usize], entry);
            worker.until_it_sleeps();
            has_begun.set();
            pause();
        };
        let mut parent = started(method, parent, (method as u8, has_begun.clone()));
        has_begun.wait();
        parent.kill();
        parent.join().unwrap();
        assert_eq!(parent.exit_code(), Some(-9));
    });
}

/// Writes rubbish all over the first page of its rings, where the positions
/// lie, until it is killed.
fn go_mad(inheritance: Inheritance) {
    let mut dice = Dice::new(u64::from(std::process::id()));
    loop {
        let bits = dice.roll();
        let rubbish = if bits & 3 == 0 { bits.to_ne_bytes() } else { (bits >> 45).to_ne_bytes() };
        pwrite(&inheritance.descriptors[0], &rubbish, (bits >> 55) as i64 * 8).unwrap();
    }
}

#[test]
fn a_worker_that_writes_rubbish_into_its_rings_is_an_error_and_no_more() {
    in_a_process_of_its_own(|| {
        let mut errors = 0;
        for _ in 0..20 {
            let mut worker = Worker::start(StartMethod::ForkServer, EntryPoint::new(go_mad));
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(30) {
                let outcomes = [
                    worker.stream.write(&[7; 5_000]).map(|_| ()),
                    worker.stream.read(&mut [0; 7_000]).map(|_| ()),
                ];
                worker.stream.wake();
                worker.stream.prepare_sleep(true);
                for error in outcomes.into_iter().filter_map(Result::err) {
                    assert_eq!(error.kind(), InvalidData, "{error}");
                    errors += 1;
                }
            }
            worker.child.kill();
        }
        assert!(errors > 0, "no rubbish was seen");
    });
}
