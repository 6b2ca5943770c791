//! One end of a socket pair that carries messages.

use std::{
    cell::Cell,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Instant,
};

use nix::{
    poll::{PollFd, PollFlags},
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, getsockopt, socketpair, sockopt},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    message::{Incoming, Outgoing, PACKET_LIMIT},
    readiness::poll_until,
};
use crate::{
    Error, ParentEnd, Result,
    socket::{self, Received},
};

/// One end of a pair of `AF_UNIX` sockets of type `SOCK_SEQPACKET`: what is
/// sent by one call is received by one call, or not at all.
#[derive(Debug)]
pub(super) struct Channel {
    socket: ParentEnd<OwnedFd>,
}

impl Channel {
    /// The two ends.
    pub(super) fn pair() -> Result<(Self, Self)> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (one, other) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)
            .map_err(Error::errno("create a connection"))?;
        Ok((Self { socket: ParentEnd::new(one) }, Self { socket: ParentEnd::new(other) }))
    }

    /// The end that another process has sent; `None` if that is no channel.
    pub(super) fn from_descriptor(socket: OwnedFd) -> Option<Self> {
        let kind = getsockopt(&socket, sockopt::SockType).ok()?;
        (kind == SockType::SeqPacket).then(|| Self { socket: ParentEnd::new(socket) })
    }

    /// Another handle to the same end.
    pub(super) fn try_clone(&self) -> Result<Self> {
        if !self.socket.is_of_this_process() {
            return Err(Error::NotInherited);
        }
        let copied = self.as_fd().try_clone_to_owned();
        let socket = copied.map_err(Error::system("copy a connection"))?;
        Ok(Self { socket: ParentEnd::new(socket) })
    }

    /// What it becomes in a message.
    pub(super) fn handle(&self) -> &ParentEnd<OwnedFd> {
        &self.socket
    }

    pub(super) fn send<T: Serialize + ?Sized>(
        &self,
        value: &T,
        deadline: Option<Instant>,
    ) -> Result<()> {
        Outgoing::with_value(value, |message| self.transmit(message, deadline))
    }

    pub(super) fn send_bytes(&self, bytes: &[u8], deadline: Option<Instant>) -> Result<()> {
        self.transmit(Outgoing::bytes(bytes)?, deadline)
    }

    pub(super) fn recv<T: DeserializeOwned>(&self, deadline: Option<Instant>) -> Result<T> {
        self.receive(deadline, |message| message.into_value())
    }

    pub(super) fn recv_bytes(&self, deadline: Option<Instant>) -> Result<Vec<u8>> {
        self.receive(deadline, |message| message.into_bytes())
    }

    pub(super) fn recv_into(&self, buffer: &mut [u8], deadline: Option<Instant>) -> Result<usize> {
        self.receive(deadline, |message| message.copy_to(buffer))
    }

    pub(super) fn poll(&self, deadline: Option<Instant>) -> Result<bool> {
        poll_until(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], deadline)
    }

    fn transmit(&self, message: Outgoing<'_>, deadline: Option<Instant>) -> Result<()> {
        let transmit = |message: &Outgoing<'_>, ballast| {
            self.patiently(PollFlags::POLLOUT, deadline, |flags| {
                message.with_parts(ballast, |parts, descriptors| {
                    socket::send(self.as_fd(), parts, descriptors, flags)
                })
            })
        };
        match transmit(&message, true) {
            // Somebody has made this socket's buffer smaller than a message.
            Err(error) if is(&error, libc::EMSGSIZE) => transmit(&message.into_parcel()?, false),
            sent => sent,
        }
        .map(drop)
    }

    fn receive<R>(
        &self,
        deadline: Option<Instant>,
        open: impl FnOnce(Incoming<'_>) -> Result<R>,
    ) -> Result<R> {
        thread_local! {
            static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
        }
        // Taken, not borrowed: the value's `Deserialize` may receive something itself.
        let mut buffer = BUFFER.take();
        buffer.resize(PACKET_LIMIT, 0);
        let received = self.receive_packet(&mut buffer, deadline);
        let outcome = received.and_then(|packet| open(Incoming::read(&buffer, packet)?));
        BUFFER.set(buffer);
        outcome
    }

    fn receive_packet(&self, buffer: &mut [u8], deadline: Option<Instant>) -> Result<Received> {
        let packet = self.patiently(PollFlags::POLLIN, deadline, |flags| {
            match socket::receive(self.as_fd(), buffer, flags) {
                // Told once, and before what was sent: the other end was
                // closed while messages of ours were waiting there.
                Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => {
                    socket::receive(self.as_fd(), buffer, flags)
                }
                received => received,
            }
        })?;
        if packet.len == 0 && self.is_closed()? { Err(Error::Disconnected) } else { Ok(packet) }
    }

    /// Whether an empty packet was the end: nobody can send any more.
    fn is_closed(&self) -> Result<bool> {
        // Has no name in nix.
        let end_of_file = PollFlags::from_bits_retain(libc::POLLRDHUP);
        let mut fds = [PollFd::new(self.as_fd(), end_of_file)];
        poll_until(&mut fds, Some(Instant::now()))
    }

    /// Makes `attempt` until it does not have to wait any more.
    fn patiently<T>(
        &self,
        events: PollFlags,
        deadline: Option<Instant>,
        mut attempt: impl FnMut(MsgFlags) -> io::Result<T>,
    ) -> Result<T> {
        // One system call if nothing limits the time.
        let flags = if deadline.is_some() { MsgFlags::MSG_DONTWAIT } else { MsgFlags::empty() };
        loop {
            match attempt(flags) {
                Ok(done) => return Ok(done),
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => {
                        let mut fds = [PollFd::new(self.as_fd(), events)];
                        if !poll_until(&mut fds, deadline)? {
                            return Err(Error::TimedOut);
                        }
                    }
                    Some(libc::EPIPE | libc::ECONNRESET | libc::ENOTCONN) => {
                        return Err(Error::Disconnected);
                    }
                    _ if !self.socket.is_of_this_process() => return Err(Error::NotInherited),
                    _ => return Err(Error::system("use a connection")(error)),
                },
            }
        }
    }
}

fn is(error: &Error, code: i32) -> bool {
    matches!(error, Error::System { source, .. } if source.raw_os_error() == Some(code))
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
