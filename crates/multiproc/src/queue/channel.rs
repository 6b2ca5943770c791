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
