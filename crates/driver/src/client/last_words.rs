//! What a runner complains, read by a thread of its own.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// Longest line that is kept. The rest of a longer one counts as further lines.
const MAX_LINE: u64 = 64 << 10;

/// Last lines of standard error that are kept for messages.
const LAST_WORDS: usize = 8;

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
