//! What goes to a worker beside its rings: memory for bulk jobs, as descriptors,
//! which need a socket.
//!
//! The parent sends before it writes the requests that need it, and counts in
//! the rings what it has sent. So a worker that has read a request knows how
//! many messages were sent before, and finds them without asking in vain.

use std::{
    collections::BTreeSet,
    io::{self, IoSlice},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use bytemuck::{Pod, Zeroable};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, socketpair};

use crate::{
    Error, ParentEnd, Result, SharedMemory,
    atomic::{AtomicU32, Ordering::Relaxed},
    bulk::{self, Region, RegionId, Wanted},
    socket,
};

/// One message, with a descriptor if it brings memory.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Message {
    region: u64,
    /// Its bytes; unless [`FORGET`], it comes with this message.
    len: u64,
}

/// Instead of a length: the region is not needed any more.
const FORGET: u64 = u64::MAX;

/// The parent's end.
#[derive(Debug)]
pub(super) struct Mail {
    socket: ParentEnd<OwnedFd>,
    wanted: Arc<Wanted>,
    /// The version of what is wanted when all was sent last.
    version: u64,
    /// What the worker has.
    sent: BTreeSet<RegionId>,
    /// Messages that were sent.
    posted: u32,
    /// The socket has no room for what is to be sent.
    is_stuck: bool,
}

impl Mail {
    /// Both ends.
    pub(super) fn new(wanted: Arc<Wanted>) -> Result<(Self, OwnedFd)> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)
            .map_err(Error::errno("create a socket pair"))?;
        let socket = ParentEnd::new(ours);
        let sent = BTreeSet::new();
        Ok((Self { socket, wanted, version: 0, sent, posted: 0, is_stuck: false }, theirs))
    }

    /// Whether the last [`send`](Self::send) found no room. It is to be
    /// repeated when there is some.
    pub(super) fn is_stuck(&self) -> bool {
        self.is_stuck
    }

    /// To be polled for that.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Sends what the worker is to have and takes back what it need not have
    /// any more, without waiting for anybody; whether all of that was sent.
    pub(super) fn send(&mut self, posted: &AtomicU32) -> io::Result<bool> {
        let version = bulk::version();
        if version == self.version {
            return Ok(true);
        }
        let sent = self.send_all();
        // Before the request that is written next, whose position is stored
        // with Release, or a fence, if the worker is woken to make room.
        posted.store(self.posted, Relaxed);
        self.is_stuck = match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            sent => {
                sent?;
                self.version = version;
                false
            }
        };
        Ok(!self.is_stuck)
    }

    fn send_all(&mut self) -> io::Result<()> {
        let wanted = self.wanted.existing();
        let is_wanted = |id: &RegionId| wanted.iter().any(|region| region.id == *id);
        let unneeded: Vec<_> = self.sent.iter().copied().filter(|id| !is_wanted(id)).collect();
        for id in unneeded {
            self.send_one(Message { region: id.0, len: FORGET }, None)?;
            self.sent.remove(&id);
        }
        for Region { id, memory } in wanted.iter().map(|region| &**region) {
            if !self.sent.contains(id) {
                let message = Message { region: id.0, len: memory.len() as u64 };
                self.send_one(message, Some(memory))?;
                self.sent.insert(*id);
            }
        }
        Ok(())
    }

    fn send_one(&mut self, message: Message, memory: Option<&SharedMemory>) -> io::Result<()> {
        let descriptor = memory.map(|memory| memory.as_fd().as_raw_fd());
        let parts = [IoSlice::new(bytemuck::bytes_of(&message))];
        socket::send(self.as_fd(), &parts, descriptor.as_slice(), MsgFlags::MSG_DONTWAIT)?;
        self.posted = self.posted.wrapping_add(1);
        Ok(())
    }
}

/// The worker's end.
#[derive(Debug)]
pub(super) struct Mailbox {
    socket: OwnedFd,
    /// Messages that were collected.
    collected: u32,
}

impl Mailbox {
    pub(super) fn new(socket: OwnedFd) -> Self {
        bulk::clear_attic();
        Self { socket, collected: 0 }
    }

    /// Follows all messages up to number `posted`; whether there were some.
    pub(super) fn collect(&mut self, posted: u32) -> io::Result<bool> {
        let has_mail = self.collected != posted;
        while self.collected != posted {
            let mut message = Message::zeroed();
            let bytes = bytemuck::bytes_of_mut(&mut message);
            let mut received = socket::receive(self.socket.as_fd(), bytes, MsgFlags::empty())?;
            if received.len != size_of::<Message>() {
                // The parent has gone.
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.collected = self.collected.wrapping_add(1);
            let id = RegionId(message.region);
            match received.descriptors.pop() {
                _ if message.len == FORGET => bulk::forget(id),
                Some(file) => {
                    bulk::keep(id, SharedMemory::from_descriptor(file, message.len as usize));
                }
                None => {
                    let source = io::Error::from_raw_os_error(libc::EMFILE);
                    bulk::keep(id, Err(Error::system("share memory")(source)));
                }
            }
        }
        Ok(has_mail)
    }
}
