//! A message: four bytes that say what it is, then its content, or the
//! descriptor of a sealed memory file that holds the content.

use std::{
    cell::Cell,
    io::IoSlice,
    os::fd::{AsRawFd, OwnedFd, RawFd},
};

use postcard::ser_flavors::Flavor;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    parcel::{Packing, Parcel},
    pipe::PIPE_PACKET_LIMIT,
};
use crate::{
    Error, Result, codec,
    socket::{MAX_DESCRIPTORS, Received},
};

/// Content up to this length travels through the socket's buffer, what is
/// longer in a memory file. About where the second becomes cheaper, and
/// less than a third of the buffer, so that two processes can overlap.
pub(super) const INLINE_LIMIT: usize = 64 << 10;

/// The longest message in a packet.
pub(super) const PACKET_LIMIT: usize = HEADER_LEN + INLINE_LIMIT;

const HEADER_LEN: usize = 4;

/// The first bytes of every message.
pub(super) const MAGIC: [u8; 3] = *b"mp1";

/// A message that goes over the socket has its number before it.
pub(super) const NUMBER_LEN: usize = 8;

/// What the content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bytes,
    Value,
}

/// Set in the fourth byte of a header.
const IS_VALUE: u8 = 1;
const IS_PARCEL: u8 = 2;

fn header(kind: Kind, is_parcel: bool) -> [u8; HEADER_LEN] {
    let kind = if kind == Kind::Value { IS_VALUE } else { 0 };
    let parcel = if is_parcel { IS_PARCEL } else { 0 };
    [MAGIC[0], MAGIC[1], MAGIC[2], kind | parcel]
}

/// A message on its way out.
pub(super) enum Outgoing<'a> {
    /// Header and content: short enough for the pipe, and no descriptors.
    Short(&'a [u8]),
    Long(Long<'a>),
}

/// A message for the socket.
pub(super) struct Long<'a> {
    kind: Kind,
    content: Content<'a>,
    /// Of the handles in a value; the parcel's comes last.
    descriptors: Vec<OwnedFd>,
}

enum Content<'a> {
    Inline(&'a [u8]),
    /// Its descriptor is the last one of the message.
    Parcel,
}

/// Goes with every parcel, so that the socket's buffer, which does not count
/// what a descriptor leads to, is full after a few of them: a reader that is
/// slow stops its writers before they have filled the memory.
static BALLAST: [u8; 4096] = [0; 4096];

thread_local! {
    /// Where packets are written.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Outgoing<'_> {
    /// Has `send` send a message of bytes.
    pub(super) fn with_bytes(
        bytes: &[u8],
        send: impl FnOnce(Outgoing<'_>) -> Result<()>,
    ) -> Result<()> {
        if HEADER_LEN + bytes.len() <= PIPE_PACKET_LIMIT {
            let mut packet = SCRATCH.take();
            packet.clear();
            packet.extend_from_slice(&header(Kind::Bytes, false));
            packet.extend_from_slice(bytes);
            let sent = send(Outgoing::Short(&packet));
            SCRATCH.replace(packet);
            return sent;
        }
        if bytes.len() <= INLINE_LIMIT {
            let long = Long::checked(Kind::Bytes, Content::Inline(bytes), Vec::new())?;
            return send(Outgoing::Long(long));
        }
        let mut packing = Packing::new()?;
        packing.write(bytes)?;
        let long = Long::checked(Kind::Bytes, Content::Parcel, vec![packing.seal()?])?;
        send(Outgoing::Long(long))
    }

    /// Has `send` send a message of a value.
    pub(super) fn with_value<T: Serialize + ?Sized>(
        value: &T,
        send: impl FnOnce(Outgoing<'_>) -> Result<()>,
    ) -> Result<()> {
        // Taken, not borrowed: the value's `Serialize` may send something itself.
        let mut draft = Draft { bytes: SCRATCH.take(), packing: None, failure: None };
        draft.bytes.clear();
        draft.bytes.extend_from_slice(&header(Kind::Value, false));
        let sent = draft.write(value).and_then(send);
        SCRATCH.replace(draft.bytes);
        sent
    }
}

impl<'a> Long<'a> {
    fn checked(kind: Kind, content: Content<'a>, descriptors: Vec<OwnedFd>) -> Result<Self> {
        let parcels = matches!(content, Content::Parcel) as usize;
        if descriptors.len() > MAX_DESCRIPTORS {
            return Err(Error::TooLarge {
                what: "descriptors in one message",
                got: descriptors.len() - parcels,
                most: MAX_DESCRIPTORS - parcels,
            });
        }
        Ok(Self { kind, content, descriptors })
    }

    /// The same message for a socket whose buffer is too small for it; a
    /// parcel stays one.
    pub(super) fn into_parcel(mut self) -> Result<Self> {
        if let Content::Inline(bytes) = self.content {
            let mut packing = Packing::new()?;
            packing.write(bytes)?;
            self.descriptors.push(packing.seal()?);
        }
        Self::checked(self.kind, Content::Parcel, self.descriptors)
    }

    /// Hands the parts of the packet and the descriptors to `send`.
    pub(super) fn with_parts<R>(
        &self,
        number: u64,
        ballast: bool,
        send: impl FnOnce(&[IoSlice<'_>], &[RawFd]) -> R,
    ) -> R {
        let header = header(self.kind, matches!(self.content, Content::Parcel));
        let number = number.to_le_bytes();
        let mut parts = [IoSlice::new(&BALLAST); 2 + INLINE_LIMIT / BALLAST.len()];
        parts[0] = IoSlice::new(&number);
        parts[1] = IoSlice::new(&header);
        let used = match self.content {
            Content::Inline(bytes) => {
                parts[2] = IoSlice::new(bytes);
                3
            }
            Content::Parcel if ballast => parts.len(),
            Content::Parcel => 2,
        };
        // Without any this does not allocate.
        let descriptors: Vec<RawFd> = self.descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        send(&parts[..used], &descriptors)
    }
}

/// The bytes of a value while it is encoded, which go to a parcel when they
/// become too many.
struct Draft {
    /// The header, and what follows it.
    bytes: Vec<u8>,
    packing: Option<Packing>,
    failure: Option<Error>,
}

impl Draft {
    fn write<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<Outgoing<'_>> {
        let encoded = codec::encode_to(value, Writing(self));
        // Why the draft could not be written says more than that it could not.
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut descriptors = encoded?;
        let content = match self.packing.take() {
            None if self.bytes.len() <= PIPE_PACKET_LIMIT && descriptors.is_empty() => {
                return Ok(Outgoing::Short(&self.bytes));
            }
            None => Content::Inline(&self.bytes[HEADER_LEN..]),
            Some(mut packing) => {
                packing.write(&self.bytes[HEADER_LEN..])?;
                descriptors.push(packing.seal()?);
                Content::Parcel
            }
        };
        Long::checked(Kind::Value, content, descriptors).map(Outgoing::Long)
    }

    /// Moves what is there, and `more`, to the parcel.
    #[cold]
    fn spill(&mut self, more: &[u8]) -> postcard::Result<()> {
        let spilled = (|| {
            let packing = match &mut self.packing {
                Some(packing) => packing,
                none => none.insert(Packing::new()?),
            };
            packing.write(&self.bytes[HEADER_LEN..])?;
            self.bytes.truncate(HEADER_LEN);
            packing.write(more)
        })();
        spilled.map_err(|error| {
            self.failure = Some(error);
            postcard::Error::SerializeBufferFull
        })
    }
}

/// Where postcard puts the bytes of a value.
struct Writing<'a>(&'a mut Draft);

impl Flavor for Writing<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        if self.0.bytes.len() == PACKET_LIMIT {
            return self.0.spill(&[byte]);
        }
        self.0.bytes.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if self.0.bytes.len() + bytes.len() > PACKET_LIMIT {
            return self.0.spill(bytes);
        }
        self.0.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// A message that was received.
pub(super) struct Incoming<'a> {
    kind: Kind,
    content: Arrived<'a>,
    descriptors: Vec<OwnedFd>,
}

enum Arrived<'a> {
    Inline(&'a [u8]),
    Parcel(Parcel),
}

impl<'a> Incoming<'a> {
    /// What the packet in `buffer` says.
    #[inline]
    pub(super) fn read(buffer: &'a [u8], received: Received) -> Result<Self> {
        let rubbish = |what| Err(Error::NotAMessage { what });
        if received.was_cut {
            return rubbish("it is longer than any message");
        }
        let Some((&[a, b, c, flags], bytes)) = buffer[..received.len].split_first_chunk() else {
            return rubbish("it is shorter than any message");
        };
        if [a, b, c] != MAGIC || flags > (IS_VALUE | IS_PARCEL) {
            return rubbish("it does not begin as one");
        }
        if received.has_lost_descriptors {
            return Err(Error::System {
                what: "open the descriptors that came with a message, which is lost",
                source: std::io::Error::from_raw_os_error(libc::EMFILE),
            });
        }
        let mut descriptors = received.descriptors;
        let content = if flags & IS_PARCEL == 0 {
            Arrived::Inline(bytes)
        } else {
            let Some(parcel) = descriptors.pop().and_then(Parcel::open) else {
                return rubbish("its content is not in a sealed memory file");
            };
            Arrived::Parcel(parcel)
        };
        let kind = if flags & IS_VALUE == 0 { Kind::Bytes } else { Kind::Value };
        Ok(Self { kind, content, descriptors })
    }

    #[inline]
    pub(super) fn into_value<T: DeserializeOwned>(self) -> Result<T> {
        self.expect(Kind::Value)?;
        match self.content {
            Arrived::Inline(bytes) => codec::decode(bytes, self.descriptors),
            Arrived::Parcel(parcel) => codec::decode(&parcel.map()?, self.descriptors),
        }
    }

    pub(super) fn into_bytes(self) -> Result<Vec<u8>> {
        self.expect(Kind::Bytes)?;
        match self.content {
            Arrived::Inline(bytes) => Ok(bytes.to_vec()),
            Arrived::Parcel(parcel) => parcel.to_vec(),
        }
    }

    /// Copies the bytes to the beginning of `buffer`; how many there are.
    pub(super) fn copy_to(self, buffer: &mut [u8]) -> Result<usize> {
        self.expect(Kind::Bytes)?;
        let len = match &self.content {
            Arrived::Inline(bytes) => bytes.len(),
            Arrived::Parcel(parcel) => parcel.len(),
        };
        let room = buffer.len();
        let Some(target) = buffer.get_mut(..len) else {
            return Err(Error::BufferTooShort { message: self.into_bytes()?, room });
        };
        match self.content {
            Arrived::Inline(bytes) => target.copy_from_slice(bytes),
            Arrived::Parcel(parcel) => parcel.read(target)?,
        }
        Ok(len)
    }

    #[inline]
    fn expect(&self, wanted: Kind) -> Result<()> {
        const BYTES: &str = "bytes";
        const VALUE: &str = "a value";
        match (self.kind, wanted) {
            (Kind::Bytes, Kind::Value) => {
                Err(Error::OtherKind { sent: BYTES, wanted: VALUE, receive_with: "recv_bytes" })
            }
            (Kind::Value, Kind::Bytes) => {
                Err(Error::OtherKind { sent: VALUE, wanted: BYTES, receive_with: "recv" })
            }
            _ => Ok(()),
        }
    }
}
