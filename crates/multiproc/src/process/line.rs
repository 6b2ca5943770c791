//! The line from a child to its parent: that it has begun, and what came of it.
//!
//! A socket pair. The child says at most two things: an executed one that it
//! has begun ([`BEGUN`]), and every one that was asked for a value how its
//! target ended: a [`Verdict`] and bytes. What is short goes along; what is
//! long goes into a memory file whose descriptor goes along. So the child
//! never waits for a reader, and a parent may join first and read later.
//!
//! The parent looks only once the child has ended, and never waits: what is
//! not there then will not come. A process that the child has left behind may
//! still hold the child's end.

use std::{
    fs::File,
    io::{self, IoSlice, Read, Write},
    net::Shutdown,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
        unix::{fs::FileExt, net::UnixStream},
    },
};

use bytemuck::{Pod, Zeroable};
use nix::sys::{
    memfd::{MFdFlags, memfd_create},
    socket::{MsgFlags, getsockopt, sockopt},
};

use crate::{
    ParentEnd,
    codec::Encoded,
    memory::{may_be_file, may_be_taken},
    socket,
};

/// What an executed child says before it runs anything of the program.
const BEGUN: u8 = b'B';

/// Fits into a fresh socket's buffer (208 KiB unless the administrator has
/// made it smaller) many times over, and a memory file costs more to make
/// than so many bytes to copy.
const LONGEST_MESSAGE: usize = 16 << 10;

/// One end of it.
#[derive(Debug)]
pub(crate) struct Line {
    socket: ParentEnd<UnixStream>,
    /// Whether the child says [`BEGUN`] first.
    begins: bool,
}

/// How a target ended.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It returned this.
    Returned(Encoded),
    /// It panicked, with this message, or could not be called at all.
    Panicked(String),
}

/// All that a process has said.
#[derive(Debug)]
pub(super) enum Said {
    /// It was executed but has not come to where children begin.
    NotBegun,
    /// It has begun; its target has not come to its end.
    Begun,
    /// Its target has come to its end.
    Ended(Verdict),
    /// The same, but this process had no room for what it said.
    Lost(io::Error),
}

const RETURNED: u32 = 1;
const PANICKED: u32 = 2;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Header {
    verdict: u32,
    /// 1: the bytes are in a memory file, the first of the descriptors.
    in_file: u32,
    len: u64,
}

impl Line {
    /// An end of a pair that was made for it.
    pub(crate) fn new(socket: UnixStream) -> Self {
        Self { socket: ParentEnd::new(socket), begins: false }
    }

    /// The parent's end of the socket over which an executed child is told
    /// what to do.
    pub(super) fn to_executed(socket: ParentEnd<UnixStream>) -> Self {
        Self { socket, begins: true }
    }

    /// For what the parent says first to an executed child.
    pub(super) fn socket(&self) -> &UnixStream {
        &self.socket
    }

    /// In the parent: whether the child has said that it has begun. Looks without
    /// taking, so it can be asked again.
    pub(super) fn has_begun(&self) -> bool {
        !self.begins || self.hear_begun(MsgFlags::MSG_PEEK)
    }

    fn hear_begun(&self, flags: MsgFlags) -> bool {
        let flags = flags | MsgFlags::MSG_DONTWAIT;
        let heard = socket::receive(self.socket.as_fd(), &mut [0], flags);
        heard.is_ok_and(|heard| heard.len == 1)
    }

    /// In the parent: what the child might still say is not wanted.
    pub(super) fn hang_up(&self) {
        // Fails only if the child has hung up already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// In the parent, when the child has ended: what it has said. Once.
    pub(super) fn hear(&self) -> Said {
        if self.begins && !self.hear_begun(MsgFlags::empty()) {
            return Said::NotBegun;
        }
        // A child that died in the middle of its last words.
        self.hear_verdict().unwrap_or(Said::Begun)
    }

    fn hear_verdict(&self) -> io::Result<Said> {
        self.socket.set_nonblocking(true)?;
        let mut header = Header::zeroed();
        let bytes = bytemuck::bytes_of_mut(&mut header);
        let Some(descriptors) = socket::receive_all(&self.socket, bytes)? else {
            return Ok(Said::Begun);
        };
        let mut descriptors = match descriptors {
            Ok(descriptors) => descriptors,
            Err(error) => return Ok(Said::Lost(error)),
        };
        let bytes = if header.in_file == 1 && !descriptors.is_empty() {
            let file = File::from(descriptors.remove(0));
            match content(&file, header.len) {
                Ok(bytes) => bytes,
                Err(error) => return Ok(Said::Lost(error)),
            }
        } else {
            let mut bytes = Vec::new();
            (&*self.socket).take(header.len).read_to_end(&mut bytes)?;
            bytes
        };
        Ok(match header.verdict {
            RETURNED => Said::Ended(Verdict::Returned(Encoded { bytes, descriptors })),
            PANICKED => {
                Said::Ended(Verdict::Panicked(String::from_utf8_lossy(&bytes).into_owned()))
            }
            _ => Said::Begun,
        })
    }

    /// In the child: how the target ended.
    pub(super) fn say(&self, verdict: &Verdict) -> io::Result<()> {
        match verdict {
            Verdict::Returned(value) => self.send(RETURNED, &value.bytes, &value.descriptors),
            Verdict::Panicked(message) => {
                let message = message.as_bytes();
                self.send(PANICKED, message, &[]).or_else(|_| {
                    // No memory for a file: the beginning says most.
                    self.send(PANICKED, &message[..message.len().min(LONGEST_MESSAGE)], &[])
                })
            }
        }
    }

    fn send(&self, verdict: u32, bytes: &[u8], handles: &[OwnedFd]) -> io::Result<()> {
        let is_short = bytes.len() <= self.longest_message();
        let file = if is_short { None } else { Some(file_with(bytes)?) };
        let header = Header { verdict, in_file: file.is_some().into(), len: bytes.len() as u64 };
        let descriptors = file.iter().map(AsRawFd::as_raw_fd);
        let descriptors: Vec<RawFd> =
            descriptors.chain(handles.iter().map(AsRawFd::as_raw_fd)).collect();
        let along = if is_short { bytes } else { &[] };
        let mut parts = [bytemuck::bytes_of(&header), along].map(IoSlice::new);
        match socket::send_all(&self.socket, &mut parts, &descriptors) {
            // The handle was dropped: nobody wants to know.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            sent => sent,
        }
    }
}

impl Line {
    /// What the socket takes in one piece, whatever its buffer: the kernel
    /// makes pieces of half of that.
    fn longest_message(&self) -> usize {
        let buffer = getsockopt(&self.socket.as_fd(), sockopt::SndBuf).unwrap_or(0);
        LONGEST_MESSAGE.min(buffer / 4)
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// In an executed child that has been told what to do.
pub(crate) fn say_begun(socket: &UnixStream) {
    // If nobody listens, nobody wants to know.
    let _ = socket::send(socket.as_fd(), &[IoSlice::new(&[BEGUN])], &[], MsgFlags::empty());
}

/// The first `len` bytes of the file that a child has left.
fn content(file: &File, len: u64) -> io::Result<Vec<u8>> {
    // A length that is not the file's is no reason to reserve so much.
    if file.metadata()?.len() < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let len = usize::try_from(len).map_err(io::Error::other)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
    bytes.resize(len, 0);
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

fn file_with(bytes: &[u8]) -> io::Result<File> {
    may_be_file(bytes.len() as u64)?;
    may_be_taken(bytes.len() as u64)?;
    let mut file = File::from(memfd_create(c"multiproc-result", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "asks the system")]
    fn a_socket_with_the_smallest_buffer_keeps_nobody_waiting() {
        for len in [0, 1_000, 5_000, LONGEST_MESSAGE] {
            let (parent, child) = pair();
            nix::sys::socket::setsockopt(&child.socket.as_fd(), sockopt::SndBuf, &1).unwrap();
            say_begun(&child.socket);
            let verdict = Verdict::Panicked("x".repeat(len));
            child.say(&verdict).unwrap();
            let parent = Line { begins: true, ..parent };
            let Said::Ended(Verdict::Panicked(message)) = parent.hear() else { panic!("{len}") };
            assert_eq!(message.len(), len);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the system")]
    fn a_length_that_is_not_the_files_reserves_nothing() {
        let file = file_with(b"short").unwrap();
        assert_eq!(content(&file, 5).unwrap(), b"short");
        assert!(content(&file, u64::MAX).is_err());
    }

    fn pair() -> (Line, Line) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Line::new(ours), Line::new(theirs))
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs sockets")]
    fn what_is_short_and_what_is_long_arrives_without_a_reader() {
        for len in [0, 1, LONGEST_MESSAGE, LONGEST_MESSAGE + 1, 10_000_000] {
            let (parent, child) = pair();
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let descriptors = vec![File::open("/dev/null").unwrap().into()];
            child.say(&Verdict::Returned(Encoded { bytes: bytes.clone(), descriptors })).unwrap();
            let Said::Ended(Verdict::Returned(value)) = parent.hear() else { panic!("{len}") };
            assert!(value.bytes == bytes && value.descriptors.len() == 1, "{len}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs sockets")]
    fn silence_and_half_a_message_are_no_verdict_and_nobody_waits_for_more() {
        let (parent, _child) = pair();
        assert!(matches!(parent.hear(), Said::Begun));
        let (parent, child) = pair();
        (&*child.socket).write_all(&[1; 7]).unwrap();
        assert!(matches!(parent.hear(), Said::Begun));
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs sockets")]
    fn an_executed_child_that_says_nothing_has_not_begun() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let line = Line::to_executed(ParentEnd::new(ours));
        assert!(matches!(line.hear(), Said::NotBegun));
        say_begun(&theirs);
        assert!(matches!(line.hear(), Said::Begun));
    }
}
