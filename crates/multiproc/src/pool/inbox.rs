//! What a worker has read of its parent's requests.

use std::io::{self, Read};

/// A stream with a buffer in front: one read brings many requests.
pub(super) struct Inbox<P> {
    pub(super) port: P,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

/// A pipe's buffer is 64 KiB unless told otherwise: one system call can empty it.
const BUFFER_BYTES: usize = 64 * 1024;

/// What is asked for at once of bytes that are read to where they belong. A
/// quarter of what a pipe holds: the writer is woken when there is room for so
/// much, and fills it while the rest is being read.
const PIECE_BYTES: usize = 256 * 1024;

impl<P: Read> Inbox<P> {
    pub(super) fn new(port: P) -> Self {
        Self { port, buffer: vec![0; BUFFER_BYTES].into(), start: 0, end: 0 }
    }

    /// Whether nothing is left of what was read.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Waits for more; false at the end of the stream.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let read = loop {
            match self.port.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.end += read;
        Ok(read > 0)
    }

    /// Whether `len` bytes fit into the buffer.
    pub(super) fn holds(&self, len: usize) -> bool {
        len <= self.buffer.len()
    }

    /// The next `len` bytes, which the buffer must [hold](Self::holds).
    pub(super) fn take(&mut self, len: usize) -> io::Result<&[u8]> {
        while self.end - self.start < len {
            if !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let start = self.start;
        self.start += len;
        Ok(&self.buffer[start..start + len])
    }

    /// Passes over the next `len` bytes.
    pub(super) fn skip(&mut self, len: usize) -> io::Result<()> {
        let mut left = len;
        while left > 0 {
            let here = left.min(self.end - self.start);
            if here == 0 && !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.start += here;
            left -= here;
        }
        Ok(())
    }

    /// The next bytes, to where they belong.
    pub(super) fn read_exact(&mut self, into: &mut [u8]) -> io::Result<()> {
        let here = into.len().min(self.end - self.start);
        into[..here].copy_from_slice(&self.buffer[self.start..self.start + here]);
        self.start += here;
        into[here..].chunks_mut(PIECE_BYTES).try_for_each(|piece| self.port.read_exact(piece))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_piece_by_piece_is_what_came() {
        let bytes: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
        let mut inbox = Inbox::new(&bytes[..]);
        let mut taken = Vec::new();
        for len in [1, 0, 7, BUFFER_BYTES, 3, BUFFER_BYTES - 1, 100] {
            taken.extend_from_slice(inbox.take(len).unwrap());
        }
        inbox.skip(1_000).unwrap();
        taken.extend_from_slice(&bytes[taken.len()..][..1_000]);
        let mut rest = vec![0; bytes.len() - taken.len()];
        inbox.read_exact(&mut rest).unwrap();
        taken.extend(rest);
        assert!(taken == bytes);
        assert!(!inbox.fill().unwrap());
        assert!(inbox.take(1).is_err());
    }
}
