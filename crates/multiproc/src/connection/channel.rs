//! One end: a pipe for each direction that it is for, and a socket beside them.

use std::{
    cell::Cell,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use nix::{
    poll::{PollFd, PollFlags},
    sys::socket::{AddressFamily, SockFlag, SockType, getsockopt, socketpair, sockopt},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use super::{
    Descriptor, lane,
    message::{Incoming, NUMBER_LEN, Outgoing, PACKET_LIMIT},
    pipe::{self, PIPE_PACKET_LIMIT, is_packet_writer, is_reader, packet_pipe},
    readiness::poll_until,
    turns::Turns,
};
use crate::{Error, Result, codec, memory::Placed, socket::Received};

/// One end of a connection.
///
/// Short messages go through a pipe in packet mode, all others over the socket
/// with a token in the pipe. So the pipe has the order of them all, and
/// readiness is its own.
#[derive(Debug)]
pub(super) struct Channel {
    incoming: Option<Descriptor>,
    outgoing: Option<Outlet>,
    socket: Descriptor,
}

/// What an end needs to send.
#[derive(Debug)]
struct Outlet {
    pipe: Descriptor,
    /// Made when they are needed: by the first message for the socket, or
    /// before another process can have this end.
    turns: Arc<OnceLock<Placed<Turns>>>,
    /// A message was sent since the last one was received. Only a hint: the
    /// other side may have read it all the same.
    may_be_full: AtomicBool,
}

impl Channel {
    /// Two ends that can both send and receive.
    pub(super) fn duplex() -> Result<(Self, Self)> {
        let (one, other) = sockets()?;
        let (to_one, from_other) = packet_pipe()?;
        let (to_other, from_one) = packet_pipe()?;
        Ok((
            Self::new(Some(to_one), Some(from_one), one),
            Self::new(Some(to_other), Some(from_other), other),
        ))
    }

    /// An end that receives, and one that sends to it.
    pub(super) fn one_way() -> Result<(Self, Self)> {
        let (one, other) = sockets()?;
        let (reader, writer) = packet_pipe()?;
        Ok((Self::new(Some(reader), None, one), Self::new(None, Some(writer), other)))
    }

    fn new(incoming: Option<OwnedFd>, outgoing: Option<OwnedFd>, socket: OwnedFd) -> Self {
        let outgoing = outgoing.map(|pipe| Outlet::new(pipe.into(), Arc::default()));
        Self { incoming: incoming.map(Into::into), outgoing, socket: socket.into() }
    }

    /// Whether it can receive and send.
    pub(super) fn directions(&self) -> (bool, bool) {
        (self.incoming.is_some(), self.outgoing.is_some())
    }

    /// Another handle to the same end.
    pub(super) fn try_clone(&self) -> Result<Self> {
        self.check_process()?;
        let copy = |file: &Descriptor| {
            let copied = file.as_fd().try_clone_to_owned();
            copied.map(Descriptor::new).map_err(Error::system("copy a connection"))
        };
        let copy_outlet = |outlet: &Outlet| {
            copy(&outlet.pipe).map(|pipe| Outlet::new(pipe, outlet.turns.clone()))
        };
        Ok(Self {
            incoming: self.incoming.as_ref().map(copy).transpose()?,
            outgoing: self.outgoing.as_ref().map(copy_outlet).transpose()?,
            socket: copy(&self.socket)?,
        })
    }

    pub(super) fn send<T: Serialize + ?Sized>(
        &self,
        value: &T,
        deadline: Option<Instant>,
    ) -> Result<()> {
        Outgoing::with_value(value, |message| self.transmit(message, deadline))
    }

    pub(super) fn send_bytes(&self, bytes: &[u8], deadline: Option<Instant>) -> Result<()> {
        Outgoing::with_bytes(bytes, |message| self.transmit(message, deadline))
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

    #[inline]
    fn transmit(&self, message: Outgoing<'_>, deadline: Option<Instant>) -> Result<()> {
        self.check_process()?;
        let outlet = self.outgoing.as_ref().expect("only ends that send have the methods for it");
        let pipe = outlet.pipe.as_fd();
        match message {
            Outgoing::Short(packet) => {
                let may_be_full = outlet.may_be_full.load(Relaxed);
                outlet.may_be_full.store(true, Relaxed);
                pipe::write(pipe, packet, may_be_full, deadline)
            }
            Outgoing::Long(message) => {
                lane::send(self.socket.as_fd(), pipe, outlet.turns()?, message, deadline)
            }
        }
    }

    fn receive<R>(
        &self,
        deadline: Option<Instant>,
        open: impl FnOnce(Incoming<'_>) -> Result<R>,
    ) -> Result<R> {
        thread_local! {
            static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
        }
        self.check_process()?;
        // Taken, not borrowed: the value's `Deserialize` may receive something itself.
        let mut buffer = BUFFER.take();
        buffer.resize(NUMBER_LEN + PACKET_LIMIT, 0);
        let received = self.receive_packet(&mut buffer, deadline);
        let outcome =
            received.and_then(|(start, packet)| open(Incoming::read(&buffer[start..], packet)?));
        BUFFER.replace(buffer);
        outcome
    }

    /// Receives a message; where it begins in `buffer`, and what there is.
    #[inline]
    fn receive_packet(
        &self,
        buffer: &mut [u8],
        deadline: Option<Instant>,
    ) -> Result<(usize, Received)> {
        let pipe = self.incoming.as_ref().expect("only ends that receive have the methods for it");
        loop {
            let len = pipe::read(pipe.as_fd(), &mut buffer[..PIPE_PACKET_LIMIT], deadline)?;
            if len == 0 {
                return Err(Error::Disconnected);
            }
            if let Some(outlet) = &self.outgoing {
                outlet.may_be_full.store(false, Relaxed);
            }
            let Some(token) = lane::Token::read(&buffer[..len]) else {
                return Ok((0, Received::plain(len)));
            };
            if let Some(mut received) = lane::fetch(self.socket.as_fd(), &token, buffer)? {
                received.len -= NUMBER_LEN;
                return Ok((NUMBER_LEN, received));
            }
        }
    }

    /// In a forked child the parent's descriptors lead to nothing.
    #[inline]
    fn check_process(&self) -> Result<()> {
        if self.socket.is_of_this_process() { Ok(()) } else { Err(Error::NotInherited) }
    }
}

fn sockets() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
        .map_err(Error::errno("create a connection"))
}

impl Outlet {
    fn new(pipe: Descriptor, turns: Arc<OnceLock<Placed<Turns>>>) -> Self {
        // As long as nobody else has it, a new pipe is empty; somebody may.
        Self { pipe, turns, may_be_full: AtomicBool::new(true) }
    }

    fn turns(&self) -> Result<&Placed<Turns>> {
        if self.turns.get().is_none() {
            // If two threads are at it, the first one's are taken.
            let _ = self.turns.set(Turns::new()?);
        }
        Ok(self.turns.get().expect("set just now"))
    }
}

impl AsFd for Channel {
    /// What becomes ready when a message has arrived.
    fn as_fd(&self) -> BorrowedFd<'_> {
        match (&self.incoming, &self.outgoing) {
            (Some(pipe), _) => pipe.as_fd(),
            (None, Some(outlet)) => outlet.pipe.as_fd(),
            (None, None) => self.socket.as_fd(),
        }
    }
}

/// An end in a message.
#[derive(Serialize, Deserialize)]
struct Packed<D, T> {
    incoming: Option<D>,
    outgoing: Option<(D, T)>,
    socket: D,
}

impl Serialize for Channel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Before another process can send too.
        let turns = self.outgoing.as_ref().map(Outlet::turns).transpose();
        let turns = turns.map_err(codec::refuse_to_encode::<S::Error>)?;
        let outgoing = self.outgoing.as_ref().zip(turns);
        Packed {
            incoming: self.incoming.as_ref(),
            outgoing: outgoing.map(|(outlet, turns)| (&outlet.pipe, turns)),
            socket: &self.socket,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Channel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Packed { incoming, outgoing, socket } =
            Packed::<Descriptor, Placed<Turns>>::deserialize(deserializer)?;
        let is_ours = getsockopt(&socket, sockopt::SockType) == Ok(SockType::SeqPacket)
            && incoming.as_ref().is_none_or(is_reader)
            && outgoing.as_ref().is_none_or(|(pipe, _)| is_packet_writer(pipe));
        if !is_ours {
            return Err(codec::refuse_to_decode("what was sent is not an end of a connection"));
        }
        let outgoing = outgoing.map(|(pipe, turns)| Outlet::new(pipe, Arc::new(turns.into())));
        Ok(Self { incoming, outgoing, socket })
    }
}
