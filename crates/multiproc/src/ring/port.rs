//! The worker's side.

use std::{
    io::{self, Read, Write},
    os::fd::OwnedFd,
    sync::atomic::Ordering::{Acquire, Relaxed, Release},
};

use super::{
    bed::Need,
    bell::{NEWS, ROOM},
    lane::{Reader, Writer},
    layout::{CAPACITY, Committed, Direction, Rings},
    mail::Mailbox,
};
use crate::{Error, EventFd, Result, SharedMemory, pool::Port};

/// The worker's side of its rings.
#[derive(Debug)]
pub struct RingPort {
    rings: Rings,
    requests: Reader,
    replies: Writer,
    committed: Committed,
    doorbell: EventFd,
    mailbox: Mailbox,
    /// Bytes written since the parent was last woken if it slept.
    unflushed: usize,
    /// Looks before it sleeps.
    spin: u32,
}

impl RingPort {
    pub(super) fn open(descriptors: Vec<OwnedFd>) -> Result<Self> {
        let not_ours = || io::Error::other("these are not the descriptors of a ring");
        let [memory, doorbell, mailbox] = <[OwnedFd; 3]>::try_from(descriptors)
            .map_err(|_| Error::system("open a ring")(not_ours()))?;
        let rings = Rings::open(SharedMemory::from_descriptor(memory, None)?);
        Ok(Self {
            rings: rings.ok_or_else(|| Error::system("open a ring")(not_ours()))?,
            requests: Reader::default(),
            replies: Writer::default(),
            committed: Committed::from_the_start(Direction::Replies),
            doorbell: EventFd::from_descriptor(doorbell),
            mailbox: Mailbox::new(mailbox),
            unflushed: 0,
            spin: 0,
        })
    }

    /// Wakes the parent if it sleeps and waits for one of `kinds`.
    fn ring(&self, kinds: u32) {
        if self.rings.header().bell.is_to_ring(kinds) {
            self.doorbell.set();
        }
    }

    /// Whether the parent has gone; all that it has written before can be
    /// read.
    fn is_closed(&self) -> bool {
        // Pairs with the store in `RingStream::drop`.
        self.rings.header().closed.load(Acquire) != 0
    }

    fn collect_mail(&mut self) -> io::Result<()> {
        self.mailbox.collect(self.rings.header().posted.load(Relaxed))
    }

    /// What `attempt` gives as soon as it gives something. If it does not at
    /// once, tells the parent all and looks a while before it sleeps.
    fn wait<T>(
        &mut self,
        need: Need,
        mut attempt: impl FnMut(&mut Self) -> Option<T>,
    ) -> io::Result<T> {
        if let Some(found) = attempt(self) {
            return Ok(found);
        }
        self.flush()?;
        for _ in 0..self.spin {
            std::hint::spin_loop();
            if let Some(found) = attempt(self) {
                return Ok(found);
            }
        }
        let rings = self.rings.clone();
        Ok(rings.header().bed.sleep_until(need, || attempt(self)))
    }

    /// The result of a read that does not wait; none if there is nothing yet.
    fn try_read(&mut self, into: &mut [u8]) -> Option<io::Result<usize>> {
        let is_closed = self.is_closed();
        if let Err(error) = self.collect_mail() {
            return Some(Err(error));
        }
        let lane = self.rings.lane(Direction::Requests);
        match self.requests.read(lane, into) {
            Ok(0) if !is_closed => None,
            result => Some(result),
        }
    }

    fn try_write(&mut self, from: &[u8]) -> Option<io::Result<usize>> {
        if self.is_closed() {
            return Some(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let lane = self.rings.lane(Direction::Replies);
        let written = self.replies.write(lane, from);
        Some(written).filter(|written| !matches!(written, Ok(0)))
    }
}

impl Drop for RingPort {
    fn drop(&mut self) {
        // Pairs with the load in `RingStream::read`: whoever sees it sees all
        // that was written before.
        self.rings.header().left.store(1, Release);
        self.ring(NEWS);
    }
}

impl Read for RingPort {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let len = self.wait(Need::Requests, |port| port.try_read(into))??;
        if self.requests.tell(self.rings.lane(Direction::Requests)) {
            self.ring(ROOM);
        }
        // What was posted before these bytes were written.
        self.collect_mail()?;
        Ok(len)
    }
}

impl Write for RingPort {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        if from.is_empty() {
            return Ok(0);
        }
        self.committed.extend(&self.rings, &self.replies, from.len())?;
        let len = self.wait(Need::Room, |port| port.try_write(from))??;
        self.unflushed += len;
        if self.unflushed >= CAPACITY / 2 {
            self.flush()?;
        }
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.unflushed > 0 {
            self.unflushed = 0;
            self.ring(NEWS);
        }
        Ok(())
    }
}

impl Port for RingPort {
    const WRITES_ARE_CHEAP: bool = true;

    fn set_spin(&mut self, looks: u32) {
        self.spin = looks;
    }
}
