//! Reader threads: one for what a runner answers, one for what it complains.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

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

/// Longest line that is kept; the protocol's are below 200 bytes. The rest of
/// a longer one counts as further lines.
const MAX_LINE: u64 = 64 << 10;

/// Lines read ahead of the driver. A runner that floods its output is held
/// up by the full pipe and does not fill the driver's memory.
const AHEAD: usize = 256;

/// Last lines of standard error that are kept for messages.
const LAST_WORDS: usize = 8;

/// Reads `stream` line by line on a thread of its own until it ends, which
/// disconnects the channel.
pub(super) fn read_events(stream: impl Read + Send + 'static) -> Receiver<Event> {
    let (sender, receiver) = sync_channel(AHEAD);
    thread::spawn(move || forward(stream, &sender));
    receiver
}

fn forward(stream: impl Read, sender: &SyncSender<Event>) {
    let mut reader = BufReader::new(stream);
    while let Some(text) = next_line(&mut reader) {
        let at = Instant::now();
        let event = match text.trim_start().starts_with('{') {
            true => Event::Line { text, at },
            false => Event::Noise(text),
        };
        if sender.send(event).is_err() {
            break;
        }
    }
}

/// What a runner last wrote to standard error.
#[derive(Clone, Debug, Default)]
pub(super) struct LastWords(Arc<(Mutex<Words>, Condvar)>);

#[derive(Debug, Default)]
struct Words {
    lines: VecDeque<String>,
    /// Nothing follows.
    are_over: bool,
}

impl LastWords {
    /// Keeps the last lines of `stream`, on a thread of its own.
    pub(super) fn listen(stream: impl Read + Send + 'static) -> Self {
        let words = Self::default();
        let kept = words.clone();
        thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            while let Some(line) = next_line(&mut reader) {
                kept.keep(line);
            }
            kept.lock().are_over = true;
            kept.0.1.notify_all();
        });
        words
    }

    /// Waits until all was read of a runner that has ended. What it has
    /// started itself may keep the stream open, hence `patience`.
    pub(super) fn settle(&self, patience: Duration) {
        let (_, is_over) = &*self.0;
        // What is missing in the end is missing in a message.
        let _ = is_over.wait_timeout_while(self.lock(), patience, |words| !words.are_over);
    }

    /// `; its last words: …`, or nothing.
    pub(super) fn quoted(&self) -> String {
        let words = self.lock();
        let lines: Vec<&str> = words.lines.iter().map(|line| line.trim()).collect();
        if lines.is_empty() {
            String::new()
        } else {
            format!("; its last words: {}", lines.join(" | "))
        }
    }

    fn keep(&self, line: String) {
        if line.trim().is_empty() {
            return;
        }
        let lines = &mut self.lock().lines;
        if lines.len() == LAST_WORDS {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    fn lock(&self) -> MutexGuard<'_, Words> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next line or the first [`MAX_LINE`] bytes of it; `None` at the end.
fn next_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    match reader.take(MAX_LINE).read_until(b'\n', &mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(String::from_utf8_lossy(&line).trim_end().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_noise_are_told_apart() {
        let events = read_events(&b"running 1 test\n{\"reply\":\"loaded\"}\n\nlast"[..]);
        let kinds: Vec<bool> =
            events.iter().map(|event| matches!(event, Event::Line { .. })).collect();
        assert_eq!(kinds, [false, true, false, false]);
    }

    #[test]
    fn a_line_without_end_is_cut_and_does_not_fill_the_memory() {
        let endless = std::io::repeat(b'x').take(3 * MAX_LINE);
        let lengths: Vec<usize> = read_events(endless)
            .iter()
            .map(|event| match event {
                Event::Noise(text) | Event::Line { text, .. } => text.len(),
            })
            .collect();
        assert_eq!(lengths, [MAX_LINE as usize; 3]);
    }
}
