//! The protocol, tried in every order of its steps. See README.md.

use loom::{
    sync::{Arc, Condvar, Mutex},
    thread,
};

use super::{
    bed::{Bed, Need},
    bell::{Bell, NEWS, ROOM},
    lane::{Lane, Positions, Reader, Writer},
    slot::{SLOT_BYTES, Slot, Stage},
};
use crate::{atomic::AtomicU64, memory::Words};

/// Bytes of a lane.
const CAPACITY: usize = 16;

/// What both sides of one lane share, and an eventfd.
struct Shared {
    positions: Positions,
    words: [AtomicU64; CAPACITY / 8],
    bed: Bed,
    bell: Bell,
    is_rung: Mutex<bool>,
    rung: Condvar,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            positions: Positions::new(),
            words: [(); CAPACITY / 8].map(|()| AtomicU64::new(0)),
            bed: Bed::new(),
            bell: Bell::new(),
            is_rung: Mutex::new(false),
            rung: Condvar::new(),
        })
    }

    fn lane(&self) -> Lane<'_> {
        Lane { positions: &self.positions, bytes: Words::new(&self.words) }
    }

    /// The worker's part.
    fn ring(&self, kinds: u32) {
        if self.bell.is_to_ring(kinds) {
            *self.is_rung.lock().unwrap() = true;
            self.rung.notify_one();
        }
    }

    /// The parent's part, as a pool goes to sleep and wakes up: without the
    /// worker's death, which would end its sleep too.
    fn sleep_unless(&self, kinds: u32, mut is_ready: impl FnMut() -> bool) {
        self.bell.arm(kinds);
        if is_ready() {
            self.bell.disarm();
            return;
        }
        let mut is_rung = self.is_rung.lock().unwrap();
        while !*is_rung {
            is_rung = self.rung.wait(is_rung).unwrap();
        }
        *is_rung = false;
        drop(is_rung);
        self.bell.disarm();
    }
}

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// More than the lane holds, in pieces that do not divide it.
const MESSAGES: [&[u8]; 3] = [&[1; 12], &[2; 12], &[3; 4]];

/// Reads all messages with `read`, which waits until there is something.
fn read_all(mut read: impl FnMut(&mut [u8]) -> usize) {
    let expected = MESSAGES.concat();
    let mut all: Vec<u8> = Vec::new();
    while all.len() < expected.len() {
        let mut into = [0; CAPACITY];
        let len = read(&mut into);
        all.extend(&into[..len]);
    }
    assert_eq!(all, expected);
}

/// Writes all messages with `write`, which waits until there is room.
fn write_all(mut write: impl FnMut(&[u8]) -> usize) {
    for mut message in MESSAGES {
        while !message.is_empty() {
            message = &message[write(message)..];
        }
    }
}

#[test]
fn loom_a_sleeping_worker_gets_every_request_and_a_sleeping_parent_all_room() {
    check(|| {
        let shared = Shared::new();
        let worker = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let mut reader = Reader::default();
                read_all(|into| {
                    let attempt = || match reader.read(shared.lane(), into).unwrap() {
                        0 => None,
                        len => Some(len),
                    };
                    let len = shared.bed.sleep_until(Need::Requests, attempt);
                    if reader.tell(shared.lane()) {
                        shared.ring(ROOM);
                    }
                    len
                });
            }
        });
        let mut writer = Writer::default();
        write_all(|from| {
            let len = writer.write(shared.lane(), from).unwrap();
            if len > 0 {
                shared.bed.wake(&[Need::Requests]);
            } else {
                shared.sleep_unless(NEWS | ROOM, || writer.has_room(shared.lane()).unwrap());
            }
            len
        });
        worker.join().unwrap();
    });
}

#[test]
fn loom_a_sleeping_parent_gets_every_reply_and_a_sleeping_worker_all_room() {
    check(|| {
        let shared = Shared::new();
        let worker = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let mut writer = Writer::default();
                write_all(|from| {
                    let mut attempt = || match writer.write(shared.lane(), from).unwrap() {
                        0 => None,
                        len => Some(len),
                    };
                    let len = attempt().unwrap_or_else(|| {
                        shared.ring(NEWS);
                        shared.bed.sleep_until(Need::Room, attempt)
                    });
                    shared.ring(NEWS);
                    len
                });
            }
        });
        let mut reader = Reader::default();
        read_all(|into| {
            let len = reader.read(shared.lane(), into).unwrap();
            if reader.tell(shared.lane()) {
                shared.bed.wake(&[Need::Room]);
            }
            if len == 0 {
                shared.sleep_unless(NEWS, || reader.has_news(shared.lane()));
            }
            len
        });
        worker.join().unwrap();
    });
}

#[test]
fn loom_an_errand_is_taken_or_revoked_and_a_sleeping_worker_gets_the_next() {
    check(|| {
        let shared = Arc::new((Bed::new(), Slot::new()));
        let worker = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let (bed, slot) = &*shared;
                let mut has_run_first = false;
                loop {
                    let errand = bed.sleep_until(Need::Requests, || slot.posted());
                    let mut question = [0; SLOT_BYTES];
                    let Some(question) = slot.take(errand, &mut question) else { continue };
                    assert_eq!(question, [errand as u8; 3], "what was asked");
                    slot.finish(errand, &[errand as u8 + 10]);
                    if errand == 2 {
                        return has_run_first;
                    }
                    has_run_first = true;
                }
            }
        });
        let (bed, slot) = &*shared;
        slot.post(1, [&[1; 3], &[]]);
        let is_revoked = slot.revoke(1);
        while !is_revoked && slot.stage(1) != Stage::Done {
            thread::yield_now();
        }
        slot.post(2, [&[2; 3], &[]]);
        bed.wake(&[Need::Requests]);
        assert_ne!(worker.join().unwrap(), is_revoked);
        assert_eq!(slot.stage(2), Stage::Done);
        assert_eq!(slot.read(&mut [0; SLOT_BYTES]), [12]);
    });
}
