//! What a runner answers, line by line, read by whoever waits for it.
//!
//! A thread that read it would have to be woken for every reply, and then wake
//! the one that waits: processor time, and 30 µs and more, twice.

use std::{
    io::{self, Read},
    os::fd::AsFd,
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::own_cpu;

/// What came out of a runner.
#[derive(Debug)]
pub(super) enum Event {
    /// A line that may be a message.
    Line {
        /// Without the line feed.
        text: String,
        /// When its last byte had been read.
        at: Instant,
    },
    /// A line that is not a JSON object.
    Noise(String),
}

/// Why there is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nothing came so far.
    StillNothing,
    /// Nothing will come any more.
    End,
}

/// Longest line that is kept; the protocol's are below 200 bytes. The rest of
/// a longer one counts as further lines. So a runner that floods its output
/// does not fill the driver's memory.
const MAX_LINE: usize = 64 << 10;

/// The lines of a stream.
#[derive(Debug)]
pub(super) struct Events<R> {
    stream: R,
    /// What was read and is not yet an event.
    bytes: Vec<u8>,
    /// So many of them were searched for the end of a line.
    searched: usize,
    /// When the last of them were read.
    read_at: Instant,
    /// Processor time of this process when it had been woken to read them.
    woken_cpu: Duration,
    is_over: bool,
}

impl<R: Read + AsFd> Events<R> {
    pub(super) fn of(stream: R) -> Self {
        let (read_at, woken_cpu) = (Instant::now(), Duration::ZERO);
        Self { stream, bytes: Vec::new(), searched: 0, read_at, woken_cpu, is_over: false }
    }

    /// Processor time of this process when there was last something to read.
    pub(super) const fn woken_cpu(&self) -> Duration {
        self.woken_cpu
    }

    /// The next event, which is waited for no longer than `limit`, or until a
    /// signal comes.
    pub(super) fn next(&mut self, limit: Duration) -> Result<Event, Silence> {
        let until = Instant::now() + limit;
        loop {
            if let Some(text) = self.next_line() {
                return Ok(match text.trim_start().starts_with('{') {
                    true => Event::Line { text, at: self.read_at },
                    false => Event::Noise(text),
                });
            }
            if self.is_over {
                return Err(Silence::End);
            }
            if !self.can_be_read(until.saturating_duration_since(Instant::now())) {
                return Err(Silence::StillNothing);
            }
            self.read();
        }
    }

    /// A whole line, or what there is of one that is too long or the last.
    fn next_line(&mut self) -> Option<String> {
        let unsearched = &self.bytes[self.searched..];
        let end =
            unsearched.iter().position(|&byte| byte == b'\n').map(|at| self.searched + at + 1);
        let is_whole = self.is_over && !self.bytes.is_empty();
        let rest = (is_whole || self.bytes.len() >= MAX_LINE).then_some(self.bytes.len());
        let Some(end) = end.or(rest) else {
            self.searched = self.bytes.len();
            return None;
        };
        let line: Vec<u8> = self.bytes.drain(..end.min(MAX_LINE)).collect();
        self.searched = 0;
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn can_be_read(&self, limit: Duration) -> bool {
        let limit = PollTimeout::try_from(limit + Duration::from_micros(999));
        let mut streams = [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)];
        poll(&mut streams, limit.unwrap_or(PollTimeout::MAX)).is_ok_and(|ready| ready > 0)
    }

    fn read(&mut self) {
        const AT_ONCE: usize = 4 << 10;
        self.woken_cpu = own_cpu();
        let before = self.bytes.len();
        self.bytes.resize(before + AT_ONCE, 0);
        let read = self.stream.read(&mut self.bytes[before..]);
        self.read_at = Instant::now();
        self.is_over = match &read {
            Ok(len) => *len == 0,
            Err(error) => error.kind() != io::ErrorKind::Interrupted,
        };
        self.bytes.truncate(before + read.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, thread};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Everything that comes of what `write` writes.
    fn events(write: impl FnOnce(io::PipeWriter) + Send + 'static) -> Vec<Event> {
        let (reader, writer) = io::pipe().expect("a pipe");
        let writer = thread::spawn(move || write(writer));
        let mut events = Events::of(reader);
        let all = std::iter::from_fn(|| events.next(LONG).ok()).collect();
        assert_eq!(events.next(LONG).expect_err("it is over"), Silence::End);
        writer.join().expect("everything was written");
        all
    }

    #[test]
    fn messages_and_noise_are_told_apart() {
        let text = b"running 1 test\n{\"reply\":\"loaded\"}\n\nlast";
        let events = events(|mut writer| writer.write_all(text).expect("written"));
        let kinds: Vec<bool> =
            events.iter().map(|event| matches!(event, Event::Line { .. })).collect();
        assert_eq!(kinds, [false, true, false, false]);
    }

    #[test]
    fn a_message_that_comes_in_pieces_is_one() {
        let events = events(|mut writer| {
            for piece in ["{\"re", "ply\":", "\"loaded\"}\n"] {
                writer.write_all(piece.as_bytes()).expect("written");
                thread::sleep(Duration::from_millis(10));
            }
        });
        let [Event::Line { text, .. }] = &events[..] else { panic!("{events:?}") };
        assert_eq!(text, "{\"reply\":\"loaded\"}");
    }

    #[test]
    fn a_line_without_end_is_cut_and_does_not_fill_the_memory() {
        let events = events(|mut writer| {
            writer.write_all(&vec![b'x'; 3 * MAX_LINE]).expect("written");
        });
        let lengths = events.iter().map(|event| match event {
            Event::Noise(text) | Event::Line { text, .. } => text.len(),
        });
        assert_eq!(lengths.collect::<Vec<_>>(), [MAX_LINE; 3]);
    }

    #[test]
    fn who_says_nothing_is_not_at_the_end() {
        let (reader, _writer) = io::pipe().expect("a pipe");
        let silence = Events::of(reader).next(Duration::from_millis(5)).expect_err("silence");
        assert_eq!(silence, Silence::StillNothing);
    }
}
