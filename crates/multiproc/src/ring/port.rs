//! The worker's side.

use std::{
    io::{self, Read, Write},
    os::fd::OwnedFd,
    sync::atomic::Ordering::{Acquire, Relaxed, Release},
    time::Duration,
};

use super::{
    bed::Need,
    bell::{NEWS, ROOM},
    lane::{Reader, Writer},
    layout::{CAPACITY, Committed, Direction, Rings},
    mail::Mailbox,
    slot::{Errand, SLOT_BYTES},
};
use crate::{
    Error, EventFd, Result, SharedMemory,
    looking::look_for,
    pool::{Errands, Port},
};

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
    /// For how long it looks before it sleeps.
    spin: Duration,
    errands: Errands,
    /// Room for what an errand is about.
    question: [u8; SLOT_BYTES],
}

/// A hot worker looks this long before it asks whether it still is.
const HOT_SPELL: Duration = Duration::from_micros(100);

/// What a worker that waits for requests finds.
enum Find {
    Bytes(usize),
    Errand(Errand),
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
            spin: Duration::ZERO,
            errands: Errands::default(),
            question: [0; SLOT_BYTES],
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
        if self.mailbox.collect(self.rings.header().posted.load(Relaxed))? {
            self.errands.forget_memory();
        }
        Ok(())
    }

    /// Does what the parent wants done past the rings, if it still does.
    fn run_errand(&mut self, errand: Errand) -> io::Result<()> {
        let header = self.rings.header();
        let slot = &header.slot;
        self.errands.prefetch();
        if let Some(question) = slot.take(errand, &mut self.question) {
            // What it is about was posted before.
            if self.mailbox.collect(header.posted.load(Relaxed))? {
                self.errands.forget_memory();
            }
            self.errands.run(question);
            match self.errands.take_large(errand) {
                None => slot.finish(errand, self.errands.answer()),
                Some(large) => self.finish_large(errand, &large)?,
            }
            self.ring(NEWS);
        }
        Ok(())
    }

    /// Answers with what does not fit into the slot.
    fn finish_large(
        &mut self,
        errand: Errand,
        (frame, in_slot): &([Vec<u8>; 2], Vec<u8>),
    ) -> io::Result<()> {
        // Replies are written whole, so it may come between any two.
        frame.iter().try_for_each(|part| self.write_all(part))?;
        self.flush()?;
        self.rings.header().slot.finish(errand, in_slot);
        Ok(())
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
        if let Some(found) = look_for(self.spin, || attempt(self)) {
            return Ok(found);
        }
        let rings = self.rings.clone();
        let header = rings.header();
        let is_hot = || header.is_hot.load(Relaxed) != 0;
        loop {
            while is_hot() {
                if let Some(found) = look_for(HOT_SPELL, || attempt(self)) {
                    return Ok(found);
                }
            }
            // Whoever makes it hot wakes it.
            let look = || if is_hot() { Some(None) } else { attempt(self).map(Some) };
            if let Some(found) = header.bed.sleep_until(need, look) {
                return Ok(found);
            }
        }
    }

    /// What there is; none if there is nothing yet.
    #[inline]
    fn try_find(&mut self, into: &mut [u8]) -> Option<io::Result<Find>> {
        match self.rings.header().slot.posted() {
            Some(errand) => Some(Ok(Find::Errand(errand))),
            None => self.try_read(into).map(|read| read.map(Find::Bytes)),
        }
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
        let len = loop {
            match self.wait(Need::Requests, |port| port.try_find(into))?? {
                Find::Bytes(len) => break len,
                Find::Errand(errand) => self.run_errand(errand)?,
            }
        };
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

    fn set_spin(&mut self, limit: Duration) {
        self.spin = limit;
    }
}
