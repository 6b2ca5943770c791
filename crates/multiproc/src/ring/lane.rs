//! One direction of a ring: bytes in a circle, with one writer and one reader.
//!
//! Positions count the bytes of the endless stream; the byte at position `p`
//! lies at `p` modulo the capacity. Each side keeps its own position in its own
//! memory and shows it to the other in a shared word. It believes what the other
//! shows only as far as that makes sense.

use std::io;

use crate::{
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
    memory::Words,
};

/// How far both sides are, for the other to see. Two cache lines each, since
/// processors fetch them in pairs (Intel's optimisation manual, "spatial
/// prefetcher").
#[derive(Debug)]
#[repr(C)]
pub(super) struct Positions {
    tail: Tail,
    head: Head,
}

/// Bytes written. Stored by the writer only.
#[derive(Debug)]
#[repr(C, align(128))]
struct Tail(AtomicU64);

/// Bytes read, as far as the reader has told. Stored by the reader only.
#[derive(Debug)]
#[repr(C, align(128))]
struct Head(AtomicU64);

impl Positions {
    #[cfg(test)]
    pub(super) fn new() -> Self {
        Self { tail: Tail(AtomicU64::new(0)), head: Head(AtomicU64::new(0)) }
    }
}

/// The shared part of a lane.
#[derive(Clone, Copy)]
pub(super) struct Lane<'a> {
    pub(super) positions: &'a Positions,
    /// A power of two of bytes, the capacity.
    pub(super) bytes: Words<'a>,
}

impl Lane<'_> {
    fn capacity(self) -> u64 {
        self.bytes.len() as u64
    }

    #[inline]
    fn put(self, position: u64, from: &[u8]) {
        let offset = self.offset(position);
        match from.split_at_checked(self.bytes.len() - offset) {
            None => self.bytes.write_alone(offset, from),
            Some((before_end, rest)) => {
                self.bytes.write_alone(offset, before_end);
                self.bytes.write_alone(0, rest);
            }
        }
    }

    #[inline]
    fn get(self, position: u64, into: &mut [u8]) {
        let offset = self.offset(position);
        match into.split_at_mut_checked(self.bytes.len() - offset) {
            None => self.bytes.read(offset, into),
            Some((before_end, rest)) => {
                self.bytes.read(offset, before_end);
                self.bytes.read(0, rest);
            }
        }
    }

    fn offset(self, position: u64) -> usize {
        (position & (self.capacity() - 1)) as usize
    }
}

/// The side that writes.
#[derive(Debug, Default)]
pub(super) struct Writer {
    tail: u64,
    /// Of the reader, when this side looked last.
    head: u64,
}

impl Writer {
    /// Bytes written so far.
    pub(super) fn position(&self) -> u64 {
        self.tail
    }

    /// Writes as many bytes as there is room for, which the reader sees at
    /// once.
    pub(super) fn write(&mut self, lane: Lane<'_>, from: &[u8]) -> io::Result<usize> {
        if self.room(lane) < from.len() as u64 {
            self.look(lane)?;
        }
        let len = from.len().min(self.room(lane) as usize);
        if len > 0 {
            lane.put(self.tail, &from[..len]);
            self.tail += len as u64;
            // Pairs with `Reader::look`: whoever sees it sees the bytes.
            lane.positions.tail.0.store(self.tail, Release);
        }
        Ok(len)
    }

    /// Whether there is room for at least one byte.
    pub(super) fn has_room(&mut self, lane: Lane<'_>) -> io::Result<bool> {
        self.look(lane)?;
        Ok(self.room(lane) > 0)
    }

    fn room(&self, lane: Lane<'_>) -> u64 {
        lane.capacity() - (self.tail - self.head)
    }

    fn look(&mut self, lane: Lane<'_>) -> io::Result<()> {
        // Pairs with `Reader::tell`: the bytes before it have been read.
        let head = lane.positions.head.0.load(Acquire);
        if head < self.head || head > self.tail {
            return Err(rubbish("it has read what was not written"));
        }
        self.head = head;
        Ok(())
    }
}

/// The side that reads.
#[derive(Debug, Default)]
pub(super) struct Reader {
    head: u64,
    /// What the writer was told last.
    told: u64,
    /// Of the writer, when this side looked last.
    tail: u64,
}

impl Reader {
    /// Reads what there is, at most as much as there is room for.
    pub(super) fn read(&mut self, lane: Lane<'_>, into: &mut [u8]) -> io::Result<usize> {
        if self.tail - self.head < into.len() as u64 {
            self.look(lane)?;
        }
        let len = into.len().min((self.tail - self.head) as usize);
        lane.get(self.head, &mut into[..len]);
        self.head += len as u64;
        Ok(len)
    }

    /// Whether something was written that was not read, or there is rubbish
    /// that [`read`](Self::read) will find.
    pub(super) fn has_news(&self, lane: Lane<'_>) -> bool {
        self.tail != self.head || lane.positions.tail.0.load(Relaxed) != self.head
    }

    /// Makes room for the writer once it is worth it: when half of the ring
    /// was read since the last time. Whether it is.
    ///
    /// A writer that waits has filled the ring as far as it was told, so at
    /// least half of it is still to be read: this side comes here again before
    /// it waits itself.
    pub(super) fn tell(&mut self, lane: Lane<'_>) -> bool {
        let is_worth_it = self.head - self.told >= lane.capacity() / 2;
        if is_worth_it {
            // Pairs with `Writer::look`: the bytes before it have been read.
            lane.positions.head.0.store(self.head, Release);
            self.told = self.head;
        }
        is_worth_it
    }

    fn look(&mut self, lane: Lane<'_>) -> io::Result<()> {
        // Pairs with `Writer::write`: the bytes before it can be read.
        let tail = lane.positions.tail.0.load(Acquire);
        if tail < self.tail || tail - self.told > lane.capacity() {
            return Err(rubbish("it has written more than there was room for"));
        }
        self.tail = tail;
        Ok(())
    }
}

fn rubbish(what: &str) -> io::Error {
    let message = format!("the ring is damaged: the other side says that {what}");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::io::ErrorKind::InvalidData;

    use super::*;

    /// Words of a lane that nobody else has.
    struct Memory {
        positions: Positions,
        words: Vec<AtomicU64>,
    }

    impl Memory {
        fn new(capacity: usize) -> Self {
            let words = (0..capacity / 8).map(|_| AtomicU64::new(0)).collect();
            Self { positions: Positions::new(), words }
        }

        fn lane(&self) -> Lane<'_> {
            Lane { positions: &self.positions, bytes: Words::new(&self.words) }
        }
    }

    /// The byte at a position of the stream, so that any that is lost or
    /// doubled is seen.
    fn byte(position: u64) -> u8 {
        (position.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8
    }

    fn bytes(from: u64, len: u64) -> Vec<u8> {
        (from..from + len).map(byte).collect()
    }

    #[test]
    fn pieces_of_any_length_are_one_stream() {
        let memory = Memory::new(64);
        let (mut writer, mut reader) = (Writer::default(), Reader::default());
        let (mut written, mut read) = (0u64, 0u64);
        for round in 0..if cfg!(miri) { 50 } else { 5_000 } {
            let piece = bytes(written, round * 7 % 83);
            written += writer.write(memory.lane(), &piece).unwrap() as u64;
            let mut into = vec![0; (round * 5 % 71) as usize];
            let len = reader.read(memory.lane(), &mut into).unwrap();
            reader.tell(memory.lane());
            assert_eq!(into[..len], bytes(read, len as u64));
            read += len as u64;
        }
        assert!(written > 64 && read > 64, "it went round");
    }

    #[test]
    fn a_reader_on_another_thread_gets_what_was_written() {
        let (memory, total) = (Memory::new(128), if cfg!(miri) { 500 } else { 1_000_000 });
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut writer = Writer::default();
                while writer.position() < total {
                    let len = (1 + writer.position() % 41).min(total - writer.position());
                    let piece = bytes(writer.position(), len);
                    if writer.write(memory.lane(), &piece).unwrap() == 0 {
                        std::thread::yield_now();
                    }
                }
            });
            let (mut reader, mut read) = (Reader::default(), 0);
            while read < total {
                let mut into = [0; 29];
                let len = reader.read(memory.lane(), &mut into).unwrap();
                reader.tell(memory.lane());
                assert_eq!(into[..len], bytes(read, len as u64));
                read += len as u64;
                if len == 0 {
                    std::thread::yield_now();
                }
            }
        });
    }

    #[test]
    fn a_full_ring_has_room_again_when_half_of_it_was_read() {
        let memory = Memory::new(64);
        let (mut writer, mut reader) = (Writer::default(), Reader::default());
        assert_eq!(writer.write(memory.lane(), &[1; 100]).unwrap(), 64);
        assert!(!writer.has_room(memory.lane()).unwrap());

        assert_eq!(reader.read(memory.lane(), &mut [0; 31]).unwrap(), 31);
        assert!(!reader.tell(memory.lane()));
        assert_eq!(writer.write(memory.lane(), &[2; 100]).unwrap(), 0);

        assert_eq!(reader.read(memory.lane(), &mut [0; 1]).unwrap(), 1);
        assert!(reader.tell(memory.lane()));
        assert!(writer.has_room(memory.lane()).unwrap());
        assert_eq!(writer.write(memory.lane(), &[2; 100]).unwrap(), 32);
    }

    #[test]
    fn a_writer_that_claims_what_cannot_be_is_an_error() {
        for claim in [41 + 64, 39, 0, 1 << 40, u64::MAX] {
            let memory = Memory::new(64);
            let (mut writer, mut reader) = (Writer::default(), Reader::default());
            writer.write(memory.lane(), &[7; 40]).unwrap();
            assert_eq!(reader.read(memory.lane(), &mut [0; 64]).unwrap(), 40);
            assert!(reader.tell(memory.lane()));

            memory.positions.tail.0.store(claim, Relaxed);
            assert!(reader.has_news(memory.lane()), "{claim}");
            let error = reader.read(memory.lane(), &mut [0; 64]).unwrap_err();
            assert_eq!(error.kind(), InvalidData, "{claim}");
        }
    }

    #[test]
    fn a_reader_that_claims_what_cannot_be_is_an_error() {
        for claim in [41, 31, 0, 1 << 40, u64::MAX] {
            let memory = Memory::new(64);
            let mut writer = Writer::default();
            writer.write(memory.lane(), &[7; 40]).unwrap();
            memory.positions.head.0.store(32, Relaxed);
            assert!(writer.has_room(memory.lane()).unwrap());

            memory.positions.head.0.store(claim, Relaxed);
            assert_eq!(writer.has_room(memory.lane()).unwrap_err().kind(), InvalidData, "{claim}");
            let error = writer.write(memory.lane(), &[7; 64]).unwrap_err();
            assert_eq!(error.kind(), InvalidData, "{claim}");
        }
    }
}
