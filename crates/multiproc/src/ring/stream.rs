//! The parent's side.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        atomic::Ordering::{Acquire, Release},
    },
};

use super::{
    bed::Need,
    bell::{NEWS, ROOM},
    lane::{Lane, Reader, Writer},
    layout::{Committed, Direction, Rings},
    mail::Mail,
    slot::{Errand, SLOT_BYTES, Stage},
};
use crate::{Error, Result, bulk::Wanted, pool::TransportStream};

/// The parent's side of one worker's rings. Dropping it closes them: the worker
/// reads what was written, then nothing.
#[derive(Debug)]
pub struct RingStream {
    rings: Rings,
    mail: Mail,
    requests: Writer,
    committed: Committed,
    replies: Reader,
    /// Something was written since the worker was last woken if it slept.
    is_wake_due: bool,
    /// The worker was asked to ring.
    is_bell_armed: bool,
    /// What the worker was asked for past the rings and nobody has called off,
    /// and whether it was noticed that it is done.
    errand: Option<(Errand, bool)>,
}

/// The parent's view of a worker's slot, whether or not the worker lives.
#[derive(Clone, Debug)]
pub(crate) struct Window(Rings);

impl Window {
    /// How far the errand is.
    #[inline]
    pub(crate) fn stage(&self, errand: Errand) -> Stage {
        self.0.header().slot.stage(errand)
    }

    /// Whether it has taken the errand back, which was not begun.
    pub(crate) fn revoke(&self, errand: Errand) -> bool {
        self.0.header().slot.revoke(errand)
    }

    /// What was answered.
    pub(crate) fn answer<'a>(&self, into: &'a mut [u8; SLOT_BYTES]) -> &'a [u8] {
        self.0.header().slot.read(into)
    }

    /// Wakes the worker if it sleeps; whether it has.
    pub(crate) fn wake(&self) -> bool {
        self.0.header().bed.wake(&[Need::Requests])
    }
}

impl RingStream {
    /// Rings for one more worker, and its end of the socket for regions.
    pub(super) fn new(wanted: Arc<Wanted>) -> Result<(Self, OwnedFd)> {
        let (mail, mailbox) = Mail::new(wanted)?;
        let stream = Self {
            rings: Rings::new()?,
            mail,
            requests: Writer::default(),
            committed: Committed::from_the_start(Direction::Requests),
            replies: Reader::default(),
            is_wake_due: false,
            is_bell_armed: false,
            errand: None,
        };
        Ok((stream, mailbox))
    }

    /// What leads the worker to the rings.
    pub(super) fn descriptor(&self) -> Result<OwnedFd> {
        let copy = self.rings.memory().as_fd().try_clone_to_owned();
        copy.map_err(Error::system("copy a descriptor"))
    }

    /// Whether the worker has closed its side; all that it has written before
    /// can be read.
    fn has_left(&self) -> bool {
        // Pairs with the store in `RingPort::drop`.
        self.rings.header().left.load(Acquire) != 0
    }

    fn lane(&self, direction: Direction) -> Lane<'_> {
        self.rings.lane(direction)
    }

    fn is_done(&self, errand: Errand) -> bool {
        self.rings.header().slot.stage(errand) == Stage::Done
    }
}

impl TransportStream for RingStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<Option<usize>> {
        if self.is_bell_armed {
            self.is_bell_armed = false;
            self.rings.header().bell.disarm();
        }
        if let Some((errand, is_noticed)) = self.errand {
            self.errand = Some((errand, is_noticed || self.is_done(errand)));
        }
        let has_left = self.has_left();
        let lane = self.rings.lane(Direction::Replies);
        let len = self.replies.read(lane, into)?;
        if self.replies.tell(lane) {
            self.rings.header().bed.wake(&[Need::Room]);
        }
        Ok(Some(len).filter(|&len| len > 0 || has_left))
    }

    fn write(&mut self, from: &[u8]) -> io::Result<Option<usize>> {
        // What requests are about comes before them.
        if !self.mail.send(&self.rings.header().posted)? {
            // It may sleep on what it could make room with.
            self.rings.header().bed.wake(&[Need::Requests]);
            return Ok(None);
        }
        self.committed.extend(&self.rings, &self.requests, from.len())?;
        let len = self.requests.write(self.rings.lane(Direction::Requests), from)?;
        self.is_wake_due |= len > 0;
        Ok(Some(len).filter(|&len| len > 0))
    }

    fn wake(&mut self) {
        if self.is_wake_due {
            self.is_wake_due = false;
            self.rings.header().bed.wake(&[Need::Requests]);
        }
    }

    fn prepare_sleep(&mut self, to_write: bool) -> bool {
        self.wake();
        let bell = &self.rings.header().bell;
        bell.arm(if to_write { NEWS | ROOM } else { NEWS });
        let lane = self.rings.lane(Direction::Requests);
        // What is wrong is for `read` and `write` to tell.
        let to_write = to_write && !self.mail.is_stuck();
        let has_room = to_write && self.requests.has_room(lane).unwrap_or(true);
        let is_ready = has_room || self.has_news();
        if is_ready {
            bell.disarm();
        }
        self.is_bell_armed = !is_ready;
        !is_ready
    }

    fn has_news(&self) -> bool {
        self.replies.has_news(self.lane(Direction::Replies))
            || self.has_left()
            || self.errand.is_some_and(|(errand, is_noticed)| !is_noticed && self.is_done(errand))
    }

    fn post(&mut self, errand: Errand, question: [&[u8]; 2]) -> io::Result<bool> {
        if self.errand.is_some() || !self.mail.send(&self.rings.header().posted)? {
            return Ok(false);
        }
        self.errand = Some((errand, false));
        self.rings.header().slot.post(errand, question);
        Ok(true)
    }

    fn errand(&self) -> Option<Errand> {
        self.errand.map(|(errand, _)| errand)
    }

    fn forget_errand(&mut self) {
        self.errand = None;
    }

    #[expect(private_interfaces, reason = "for this crate's own kinds of pools")]
    fn window(&self) -> Option<Window> {
        Some(Window(self.rings.clone()))
    }

    fn is_asleep(&self) -> bool {
        self.rings.header().bed.is_occupied()
    }

    fn set_hot(&mut self, is_hot: bool) {
        let header = self.rings.header();
        header.is_hot.store(is_hot.into(), Release);
        if is_hot {
            header.bed.wake(&[Need::Requests]);
        }
    }

    fn outlive_worker(&mut self) {
        self.rings.memory().release_with_last_handle();
    }

    fn readable(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn writable(&self) -> Option<BorrowedFd<'_>> {
        self.mail.is_stuck().then(|| self.mail.as_fd())
    }
}

impl Drop for RingStream {
    fn drop(&mut self) {
        let header = self.rings.header();
        // Pairs with the load in `RingPort`: whoever sees it sees all that was
        // written before.
        header.closed.store(1, Release);
        header.bed.wake(&[Need::Requests, Need::Room]);
    }
}
