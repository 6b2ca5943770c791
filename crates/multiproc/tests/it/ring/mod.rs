//! Rings of bytes between a parent and workers that are real processes.

mod faults;
mod streams;

use std::{
    io::Write,
    time::{Duration, Instant},
};

use multiproc::{
    Child, EntryPoint, Inheritance, RingPort, RingStream, SharedMemoryRings, StartMethod,
    pool::{Port, Transport, TransportStream},
};
use nix::poll::{PollFd, PollFlags, PollTimeout};

use crate::WATCHDOG;

/// Bytes that a ring holds.
const CAPACITY: usize = 256 << 10;

/// The parent's side of a worker's rings, and the worker.
struct Worker {
    rings: SharedMemoryRings,
    stream: RingStream,
    child: Child,
}

impl Worker {
    fn start(method: StartMethod, entry: EntryPoint) -> Self {
        let rings = SharedMemoryRings::new().unwrap();
        let (stream, descriptors) = rings.connect().unwrap();
        let inheritance = Inheritance { payload: Vec::new(), descriptors };
        let child = crate::start(method, entry, inheritance);
        Self { rings, stream, child }
    }

    /// Sleeps until there is something to read, room if it is `to_write`, or
    /// the worker has ended; whether it has, and left nothing to read.
    fn sleep(&mut self, to_write: bool) -> bool {
        if !self.stream.prepare_sleep(to_write) {
            return false;
        }
        let doorbell = self.rings.doorbell().unwrap();
        let mut fds =
            [doorbell, self.child.sentinel()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let timeout = PollTimeout::try_from(WATCHDOG).unwrap();
        let ready = nix::poll::poll(&mut fds, timeout).unwrap();
        assert!(ready > 0, "the worker hangs, or was not heard");
        let has_ended = fds[1].any().unwrap();
        self.rings.hush();
        has_ended && !self.stream.has_news()
    }

    /// Writes all of `bytes`, sleeping while there is no room.
    fn write_all(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.stream.write(bytes).unwrap() {
                Some(len) => bytes = &bytes[len..],
                None => _ = self.sleep(true),
            }
        }
        self.stream.wake();
    }

    /// Reads until `bytes` are full, sleeping while there is nothing.
    fn read_exact(&mut self, bytes: &mut [u8]) {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.stream.read(&mut bytes[filled..]).unwrap() {
                Some(0) => panic!("the worker closed its side after {filled} bytes"),
                Some(len) => filled += len,
                None => assert!(!self.sleep(false), "the worker ended after {filled} bytes"),
            }
        }
    }

    /// All that the worker writes before it closes its side or ends.
    fn read_to_end(&mut self) -> Vec<u8> {
        let (mut all, mut has_ended) = (Vec::new(), false);
        loop {
            let mut into = [0; 4096];
            match self.stream.read(&mut into).unwrap() {
                Some(0) => return all,
                Some(len) => all.extend_from_slice(&into[..len]),
                None if has_ended => return all,
                None => has_ended = self.sleep(false),
            }
        }
    }

    /// Closes the rings; the worker must end well.
    fn ends_well(self) {
        let Self { rings, stream, mut child } = self;
        drop((rings, stream));
        let status = crate::end_of(&mut child);
        assert!(status.success(), "the worker {status}; its message is above");
    }

    /// Waits until the worker sleeps, on a futex as it has nothing else.
    fn until_it_sleeps(&self) {
        let stat = format!("/proc/{}/stat", self.child.pid());
        let start = Instant::now();
        while !std::fs::read_to_string(&stat).unwrap().contains(") S ") {
            assert!(start.elapsed() < WATCHDOG, "it does not sleep");
            std::thread::yield_now();
        }
    }
}

fn port(inheritance: Inheritance) -> RingPort {
    SharedMemoryRings::open(inheritance.descriptors).unwrap()
}

/// The byte at a position of a stream, so that any that is lost or doubled
/// is seen.
fn byte(position: usize) -> u8 {
    ((position as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(byte).collect()
}

/// A worker that writes back what it reads, after it has looked for so long.
fn echo(mut port: RingPort, spin: Duration) {
    use std::io::Read;
    port.set_spin(spin);
    let mut buffer = vec![0; 20_000];
    loop {
        let len = port.read(&mut buffer).unwrap();
        if len == 0 {
            return;
        }
        port.write_all(&buffer[..len]).unwrap();
        port.flush().unwrap();
    }
}
