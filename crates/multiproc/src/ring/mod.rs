//! The transport of shared-memory pools: two rings of bytes a worker, in one
//! piece of memory. See README.md for the protocol.

mod bed;
mod bell;
mod lane;
mod layout;
mod mail;
#[cfg(all(test, loom))]
mod model;
mod port;
mod slot;
mod stream;

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

pub use port::RingPort;
pub(crate) use slot::{Errand, SLOT_BYTES, Stage};
pub use stream::RingStream;
pub(crate) use stream::Window;

use crate::{Error, EventFd, ParentEnd, Result, bulk::Halls, pool::Transport};

/// Requests and replies through rings in shared memory, one pair a worker: no
/// system call while neither side sleeps.
#[derive(Debug)]
pub struct SharedMemoryRings {
    /// What workers ring to wake their parent.
    doorbell: ParentEnd<EventFd>,
    halls: Arc<Halls>,
}

impl SharedMemoryRings {
    /// What bulk jobs need of the pool.
    pub(crate) fn halls(&self) -> &Halls {
        &self.halls
    }
}

impl Transport for SharedMemoryRings {
    const NAME: &'static str = "shm-pool";
    const HAS_ERRANDS: bool = true;

    type Stream = RingStream;
    type Port = RingPort;

    fn new() -> Result<Self> {
        Ok(Self { doorbell: ParentEnd::new(EventFd::new()?), halls: Halls::new() })
    }

    fn connect(&self) -> Result<(RingStream, Vec<OwnedFd>)> {
        let (stream, mailbox) = RingStream::new(Arc::clone(&self.halls.wanted))?;
        let doorbell = self.doorbell.as_fd().try_clone_to_owned();
        let doorbell = doorbell.map_err(Error::system("copy a descriptor"))?;
        let descriptors = vec![stream.descriptor()?, doorbell, mailbox];
        Ok((stream, descriptors))
    }

    fn open(descriptors: Vec<OwnedFd>) -> Result<RingPort> {
        RingPort::open(descriptors)
    }

    fn doorbell(&self) -> Option<BorrowedFd<'_>> {
        Some(self.doorbell.as_fd())
    }

    fn hush(&self) {
        self.doorbell.clear();
    }
}
