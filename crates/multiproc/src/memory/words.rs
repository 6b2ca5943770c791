//! Bytes that others may change at the same moment, a word at a time.
//!
//! A plain copy from memory that another process writes is a data race, and a
//! `&[u8]` into it promises the compiler that the bytes stay what they are.
//! Atomic accesses may race, but only with others of the same size ("Memory
//! model for atomic accesses", `std::sync::atomic`). So all accesses are of
//! whole aligned words; a part of a word is changed by compare-and-exchange,
//! which keeps what others do to its other bytes.

use std::slice;

use crate::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};

/// Bytes in a word.
pub(crate) const WORD: usize = size_of::<u64>();

/// Memory that is read and written through whole words only.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a>(&'a [AtomicU64]);

impl<'a> Words<'a> {
    pub(crate) fn new(words: &'a [AtomicU64]) -> Self {
        Self(words)
    }

    /// Memory that nobody else accesses for the moment, to write it in an order
    /// that counts if this process ends in the middle.
    pub(crate) fn from_mut(words: &'a mut [u64]) -> Self {
        assert_eq!(size_of::<AtomicU64>(), WORD, "the processor's, not a model's");
        let (base, len) = (words.as_mut_ptr().cast(), words.len());
        // SAFETY: an `AtomicU64` has the size and the bytes of a `u64`, and on
        // the processors that this crate is for its alignment; the borrow is
        // exclusive.
        Self(unsafe { slice::from_raw_parts(base, len) })
    }

    /// Bytes.
    pub(crate) fn len(self) -> usize {
        size_of_val(self.0)
    }

    /// Word number `index`, for accesses with an ordering of the caller's.
    pub(crate) fn word(self, index: usize) -> &'a AtomicU64 {
        &self.0[index]
    }

    /// Copies the bytes from `offset` on into `into`.
    ///
    /// Panics if they are not all there.
    pub(crate) fn read(self, offset: usize, into: &mut [u8]) {
        let (head, rest) = into.split_at_mut(head_len(offset, into.len()));
        if !head.is_empty() {
            let word = self.0[offset / WORD].load(Relaxed).to_ne_bytes();
            head.copy_from_slice(&word[offset % WORD..][..head.len()]);
        }
        let words = &self.0[offset.div_ceil(WORD)..];
        let (whole, tail) = rest.as_chunks_mut();
        let (words, after) = words.split_at(whole.len());
        for (bytes, word) in whole.iter_mut().zip(words) {
            *bytes = word.load(Relaxed).to_ne_bytes();
        }
        if !tail.is_empty() {
            tail.copy_from_slice(&after[0].load(Relaxed).to_ne_bytes()[..tail.len()]);
        }
        // Pairs with the fence in `write`: whoever has read a byte sees
        // everything that its writer had done before.
        fence(Acquire);
    }

    /// Copies `from` to the bytes from `offset` on.
    ///
    /// Panics if there is not room for all of them.
    pub(crate) fn write(self, offset: usize, from: &[u8]) {
        let change = |word: &AtomicU64, at, bytes: &[u8]| {
            let changed = |old| Some(with(old, at, bytes));
            // It never gives up.
            let _ = word.fetch_update(Relaxed, Relaxed, changed);
        };
        self.write_by(offset, from, change, store);
    }

    /// The same where nobody else writes, which is cheaper. Others may read: the
    /// bytes of a word that stay are the same at any moment.
    pub(crate) fn write_alone(self, offset: usize, from: &[u8]) {
        let change = |word: &AtomicU64, at, bytes: &[u8]| {
            store(word, with(word.load(Relaxed), at, bytes));
        };
        self.write_by(offset, from, change, store);
    }

    /// The same for what was written there before, perhaps: words that are what
    /// they are to be are left alone, and with them the caches of others.
    pub(crate) fn rewrite_alone(self, offset: usize, from: &[u8]) {
        let put = |word: &AtomicU64, new| {
            if word.load(Relaxed) != new {
                word.store(new, Relaxed);
            }
        };
        let change = |word: &AtomicU64, at, bytes: &[u8]| {
            put(word, with(word.load(Relaxed), at, bytes));
        };
        self.write_by(offset, from, change, put);
    }

    /// `change` replaces some bytes of a word, from one of them on; `put` all
    /// of them.
    #[inline]
    fn write_by(
        self,
        offset: usize,
        from: &[u8],
        change: impl Fn(&AtomicU64, usize, &[u8]),
        put: impl Fn(&AtomicU64, u64),
    ) {
        // Pairs with the fence in `read`.
        fence(Release);
        let (head, rest) = from.split_at(head_len(offset, from.len()));
        if !head.is_empty() {
            change(&self.0[offset / WORD], offset % WORD, head);
        }
        let words = &self.0[offset.div_ceil(WORD)..];
        let (whole, tail) = rest.as_chunks();
        let (words, after) = words.split_at(whole.len());
        for (bytes, word) in whole.iter().zip(words) {
            put(word, u64::from_ne_bytes(*bytes));
        }
        if !tail.is_empty() {
            change(&after[0], 0, tail);
        }
    }
}

/// How many of `len` bytes lie before the next whole word.
fn head_len(offset: usize, len: usize) -> usize {
    (offset.next_multiple_of(WORD) - offset).min(len)
}

fn store(word: &AtomicU64, value: u64) {
    word.store(value, Relaxed);
}

/// A word with some of its bytes, from `at` on, replaced.
fn with(word: u64, at: usize, bytes: &[u8]) -> u64 {
    let mut new = word.to_ne_bytes();
    new[at..][..bytes.len()].copy_from_slice(bytes);
    u64::from_ne_bytes(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Vec<AtomicU64> {
        (0..3).map(|_| AtomicU64::new(0)).collect()
    }

    fn all(words: Words<'_>) -> [u8; 24] {
        let mut bytes = [0; 24];
        words.read(0, &mut bytes);
        bytes
    }

    #[test]
    fn every_stretch_is_written_and_read_wherever_it_begins_and_ends() {
        for offset in 0..=24 {
            for len in 0..=24 - offset {
                let memory = memory();
                let words = Words::new(&memory);
                let written: Vec<u8> = (1..=len as u8).collect();
                words.write(offset, &written);

                let mut expected = [0; 24];
                expected[offset..offset + len].copy_from_slice(&written);
                assert_eq!(all(words), expected, "{len} bytes at {offset}");

                let mut read = vec![0; len];
                words.read(offset, &mut read);
                assert_eq!(read, written, "{len} bytes at {offset}");
            }
        }
    }

    #[test]
    fn writers_of_neighbouring_bytes_do_not_undo_each_other() {
        let memory = memory();
        let words = Words::new(&memory);
        let rounds = if cfg!(miri) { 20 } else { 10_000 };
        std::thread::scope(|scope| {
            for half in 0..2 {
                scope.spawn(move || {
                    for round in 0..rounds {
                        words.write(half * 3, &[round as u8; 3]);
                        let mut read = [0; 3];
                        words.read(half * 3, &mut read);
                        assert_eq!(read, [round as u8; 3]);
                    }
                });
            }
        });
    }

    #[test]
    #[should_panic(expected = "out of bounds")]
    fn bytes_beyond_the_end_are_not_read() {
        Words::new(&memory()).read(17, &mut [0; 8]);
    }
}
