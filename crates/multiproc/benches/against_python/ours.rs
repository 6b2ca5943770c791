//! What this crate does, and the raw pipe that its connections are held against.

use std::{
    io::{PipeReader, PipeWriter, Read, Write, pipe as raw_pipe},
    time::Instant,
};

use multiproc::{Barrier, Connection, Descriptor, Event, Lock, Process, Queue, StartMethod, pipe};
use serde::{Serialize, de::DeserializeOwned};

use crate::compare::Side;

/// Times what `block` does.
fn timed(mut block: impl FnMut(u32) + 'static) -> Side {
    Box::new(move |count| {
        let start = Instant::now();
        block(count);
        start.elapsed()
    })
}

/// A process at the other end of something, until this is dropped.
struct Peer(Process);

impl Peer {
    fn start<A, F>(cores: &[usize], target: F, arguments: A) -> Self
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) + Copy + Send + 'static,
    {
        let mut process = Process::new(target, arguments).start_method(StartMethod::Spawn);
        if !cores.is_empty() {
            process = process.pin_to(cores);
        }
        process.start().expect("a process can be started");
        Self(process)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.0.kill();
        let _ = self.0.join();
    }
}

pub(crate) fn spawn(_: &[usize]) -> Side {
    starts(StartMethod::Spawn)
}

pub(crate) fn forkserver(_: &[usize]) -> Side {
    starts(StartMethod::ForkServer)
}

pub(crate) fn fork(_: &[usize]) -> Side {
    starts(StartMethod::Fork)
}

fn starts(method: StartMethod) -> Side {
    timed(move |count| {
        for _ in 0..count {
            let mut process = Process::new(|()| (), ()).start_method(method);
            process.start().expect("a process can be started");
            process.join().expect("it ends");
        }
    })
}

pub(crate) fn connection(cores: &[usize]) -> Side {
    fn echo(connection: Connection) {
        while let Ok(number) = connection.recv::<u64>() {
            connection.send(&number).expect("the other end is there");
        }
    }
    let (ours, theirs) = pipe().expect("descriptors are left");
    let peer = Peer::start(cores, echo, theirs);
    timed(move |count| {
        let _ = &peer;
        for number in 0..u64::from(count) {
            ours.send(&number).expect("the peer lives");
            assert_eq!(ours.recv::<u64>().expect("the peer answers"), number);
        }
    })
}

/// Eight bytes there and back through two of the kernel's pipes.
pub(crate) fn raw_pipes(cores: &[usize]) -> Side {
    fn echo((reader, writer): (Descriptor, Descriptor)) {
        let (mut reader, mut writer) = (reader.into_file(), writer.into_file());
        let mut bytes = [0; 8];
        while reader.read_exact(&mut bytes).is_ok() {
            writer.write_all(&bytes).expect("the other end is there");
        }
    }
    let ends = || raw_pipe().expect("descriptors are left");
    let ((there, mut to_peer), (mut from_peer, back)): (
        (PipeReader, PipeWriter),
        (PipeReader, PipeWriter),
    ) = (ends(), ends());
    let peer = Peer::start(cores, echo, (Descriptor::new(there), Descriptor::new(back)));
    timed(move |count| {
        let _ = &peer;
        let mut bytes = [0; 8];
        for number in 0..u64::from(count) {
            to_peer.write_all(&number.to_ne_bytes()).expect("the peer lives");
            from_peer.read_exact(&mut bytes).expect("the peer answers");
            assert_eq!(u64::from_ne_bytes(bytes), number);
        }
    })
}

pub(crate) fn lock(_: &[usize]) -> Side {
    let lock = Lock::new().expect("a lock can be made");
    timed(move |count| {
        for _ in 0..count {
            drop(lock.acquire().expect("nobody died"));
        }
    })
}

pub(crate) fn event(cores: &[usize]) -> Side {
    fn answer((ping, pong): (Event, Event)) {
        loop {
            ping.wait();
            ping.clear();
            pong.set();
        }
    }
    let new = || Event::new().expect("an event can be made");
    let (ping, pong) = (new(), new());
    let peer = Peer::start(cores, answer, (ping.clone(), pong.clone()));
    timed(move |count| {
        let _ = &peer;
        for _ in 0..count {
            ping.set();
            pong.wait();
            pong.clear();
        }
    })
}

pub(crate) fn barrier(cores: &[usize]) -> Side {
    fn arrive(barrier: Barrier) {
        while barrier.wait().is_ok() {}
    }
    let barrier = Barrier::new(2).expect("a barrier can be made");
    let peer = Peer::start(cores, arrive, barrier.clone());
    timed(move |count| {
        let _ = &peer;
        for _ in 0..count {
            barrier.wait().expect("the peer lives");
        }
    })
}

/// One process puts, this one gets.
pub(crate) fn queue(cores: &[usize]) -> Side {
    fn produce((orders, queue): (Connection, Queue<u64>)) {
        while let Ok(count) = orders.recv::<u64>() {
            for number in 0..count {
                queue.put(&number).expect("there is memory for an item");
            }
        }
    }
    let (orders, theirs) = pipe().expect("descriptors are left");
    let queue = Queue::new().expect("a queue can be made");
    let peer = Peer::start(cores, produce, (theirs, queue.clone()));
    timed(move |count| {
        let _ = &peer;
        orders.send(&u64::from(count)).expect("the peer lives");
        for number in 0..u64::from(count) {
            assert_eq!(queue.get().expect("the peer puts"), number);
        }
    })
}
