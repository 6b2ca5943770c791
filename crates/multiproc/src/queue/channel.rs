//! A queue of bytes: waiting, closing and counting.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::{
    layout::{self, Header},
    patience::Patience,
    ring::{Consuming, Producing},
};
use crate::{Error, Result, memory::Placed};

/// An unbounded queue's bound.
pub(super) const NO_BOUND: u64 = u64::MAX;

/// A handle to a queue of items that are bytes.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    header: Placed<Header>,
}

impl Channel {
    pub(super) fn new(item_type: u64, bound: u64) -> Result<Self> {
        Ok(Self { header: layout::create(item_type, bound)? })
    }

    pub(super) fn over(header: Placed<Header>) -> Self {
        Self { header }
    }

    pub(super) fn header(&self) -> &Placed<Header> {
        &self.header
    }

    pub(super) fn put(&self, item: &[u8], patience: Patience) -> Result<()> {
        let attempt = || match self.put_now(item, patience) {
            Err(Error::Full) => None,
            outcome => Some(outcome),
        };
        let is_promising = || !self.is_full() || self.is_closed();
        let sleepers = &self.header.sleepers.for_room;
        patience.wait(sleepers, is_promising, attempt).unwrap_or(Err(Error::Full))
    }

    pub(super) fn get(&self, buffer: &mut Vec<u8>, patience: Patience) -> Result<()> {
        let attempt = || match self.get_now(buffer, patience) {
            Err(Error::Empty) => None,
            outcome => Some(outcome),
        };
        let is_promising = || !self.is_empty() || self.is_closed();
        let sleepers = &self.header.sleepers.for_items;
        patience.wait(sleepers, is_promising, attempt).unwrap_or(Err(Error::Empty))
    }

    fn put_now(&self, item: &[u8], patience: Patience) -> Result<()> {
        let producing = Producing::begin(&self.header, patience).ok_or(Error::TimedOut)?;
        // Looked at while it is this thread's turn: see `ends_here`.
        if self.is_closed() {
            return Err(Error::Closed);
        }
        if !producing.put(item, patience)? {
            return Err(Error::Full);
        }
        drop(producing);
        self.header.sleepers.for_items.notify_one();
        Ok(())
    }

    fn get_now(&self, buffer: &mut Vec<u8>, patience: Patience) -> Result<()> {
        let consuming = Consuming::begin(&self.header, patience).ok_or(Error::TimedOut)?;
        if consuming.take(buffer)? {
            drop(consuming);
            if self.header.bound.load(Relaxed) != NO_BOUND {
                self.header.sleepers.for_room.notify_one();
            }
            return Ok(());
        }
        drop(consuming);
        Err(if self.is_closed() && self.ends_here(patience)? {
            Error::Closed
        } else {
            Error::Empty
        })
    }

    /// Whether nothing will come any more, once it is closed. A producer may
    /// have begun before that: it is waited for. Whoever begins now sees that
    /// it is closed, since the mutex orders that after this thread's look.
    fn ends_here(&self, patience: Patience) -> Result<bool> {
        let _producing = Producing::begin(&self.header, patience).ok_or(Error::TimedOut)?;
        Ok(self.is_empty())
    }

    pub(super) fn close(&self) {
        // Pairs with the Acquire load in `is_closed`.
        self.header.closed.store(1, Release);
        self.header.sleepers.for_items.notify_all();
        self.header.sleepers.for_room.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.header.closed.load(Acquire) != 0
    }

    /// Items that were put so far.
    pub(super) fn put_so_far(&self) -> u64 {
        self.header.producers.progress.read().items
    }

    pub(super) fn len(&self) -> usize {
        // In this order, since the consumers are never ahead. Between the two
        // looks, some may go and others come.
        let gone = self.header.consumers.progress.read().items;
        let held = self.put_so_far().saturating_sub(gone);
        held.min(self.header.bound.load(Relaxed)) as usize
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() as u64 == self.header.bound.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{area::ALIGNMENT, layout::range, progress::Mark};

    fn channel() -> Channel {
        let channel = Channel::new(0, NO_BOUND).unwrap();
        channel.put(b"item", Patience::Endless).unwrap();
        channel
    }

    /// What a process does that writes where it must not.
    fn scribble(channel: &Channel, offset: usize, word: u64) {
        let memory = channel.header.memory();
        assert!(offset + ALIGNMENT <= memory.len());
        // SAFETY: in bounds, aligned by the callers, and nobody else has it.
        unsafe { memory.base().add(offset).cast::<u64>().write(word) };
    }

    fn is_damaged(outcome: Result<()>) -> bool {
        matches!(outcome, Err(Error::Damaged { .. }))
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn a_length_that_cannot_be_is_an_error() {
        for length in [5 + ALIGNMENT as u64, 1 << 20, u64::MAX - 7, u64::MAX] {
            let channel = channel();
            scribble(&channel, range(0).start, length);
            let mut buffer = Vec::new();
            assert!(is_damaged(channel.get(&mut buffer, Patience::Brief)), "{length}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn positions_that_cannot_be_are_errors() {
        for position in [1, 15, 24 + (1 << 20), u64::MAX - 7] {
            let channel = channel();
            let mark = Mark { position, items: 2 };
            channel.header.producers.progress.advance(mark);
            channel.header.consumers.other.set(mark);
            let mut buffer = Vec::new();
            let got = channel.get(&mut buffer, Patience::Brief);
            let put = channel.put(b"x", Patience::Brief);
            assert!(is_damaged(got) && is_damaged(put), "{position}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn an_area_that_cannot_be_is_an_error() {
        let channel = channel();
        channel.header.area.store(50, Relaxed);
        assert!(is_damaged(channel.get(&mut Vec::new(), Patience::Brief)));
        assert!(is_damaged(channel.put(b"x", Patience::Brief)));
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn growth_moves_what_the_consumers_have_not_seen_yet_too() {
        let channel = channel();
        let mut buffer = Vec::new();
        channel.get(&mut buffer, Patience::Brief).unwrap();
        // From here on the consumers' idea of the producers is old.
        let item = |index: usize| vec![index as u8; 1000 + index];
        (0..500).for_each(|index| channel.put(&item(index), Patience::Brief).unwrap());
        assert!(channel.header.area.load(Relaxed) > 0);
        for index in 0..500 {
            channel.get(&mut buffer, Patience::Brief).unwrap();
            assert_eq!(buffer, item(index));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn the_full_queue_counts_items_and_not_bytes() {
        let channel = Channel::new(0, 2).unwrap();
        channel.put(&[0; 100_000], Patience::Brief).unwrap();
        channel.put(&[], Patience::Brief).unwrap();
        assert!(channel.is_full());
        assert!(matches!(channel.put(&[], Patience::Brief), Err(Error::Full)));
        channel.get(&mut Vec::new(), Patience::Brief).unwrap();
        channel.put(&[], Patience::Brief).unwrap();
    }
}
