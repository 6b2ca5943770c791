//! Messages and descriptors over sockets.
//!
//! Invariant of the unsafe code: what the kernel has written of the control
//! buffer is a list of well-formed control messages, and each descriptor in it
//! was made for this call, so nobody else owns it.

use std::{
    io::{self, IoSlice, Read, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
};

use nix::{
    errno::Errno,
    sys::socket::{ControlMessage, MsgFlags, sendmsg},
};

/// Descriptors that one message can carry: the kernel's `SCM_MAX_FD`.
pub(crate) const MAX_DESCRIPTORS: usize = 253;

/// What one call has received.
#[derive(Debug)]
pub(crate) struct Received {
    /// Bytes of the buffer that were filled.
    pub(crate) len: usize,
    /// The descriptors that came along, close-on-exec.
    pub(crate) descriptors: Vec<OwnedFd>,
    /// More descriptors came than this process may open; those are closed.
    pub(crate) has_lost_descriptors: bool,
    /// The message was longer than the buffer; the rest is gone.
    pub(crate) was_cut: bool,
}

impl Received {
    /// So many bytes, and nothing else.
    #[inline]
    pub(crate) fn plain(len: usize) -> Self {
        Self { len, descriptors: Vec::new(), has_lost_descriptors: false, was_cut: false }
    }
}

/// Sends the parts as one message, with copies of the descriptors attached;
/// returns how many bytes the socket has taken. A closed peer is an error,
/// never a signal.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
    descriptors: &[RawFd],
    flags: MsgFlags,
) -> io::Result<usize> {
    let rights = [ControlMessage::ScmRights(descriptors)];
    let rights = if descriptors.is_empty() { &[][..] } else { &rights };
    let flags = flags | MsgFlags::MSG_NOSIGNAL;
    loop {
        match sendmsg::<()>(socket.as_raw_fd(), parts, rights, flags, None) {
            Err(Errno::EINTR) => {}
            sent => return Ok(sent?),
        }
    }
}

/// Room for the largest control message, aligned for its header.
type ControlBuffer = [MaybeUninit<u64>; (16 + 4 * MAX_DESCRIPTORS).div_ceil(8)];

/// Receives one message or what there is of a stream.
pub(crate) fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    flags: MsgFlags,
) -> io::Result<Received> {
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control: ControlBuffer = [MaybeUninit::uninit(); _];
    // SAFETY: all zero bytes are a valid `msghdr`, which has private padding
    // on some targets.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    let flags = flags | MsgFlags::MSG_CMSG_CLOEXEC;
    let len = loop {
        // SAFETY: the header leads to two buffers that are borrowed until the
        // end of this function, with their true lengths.
        let len = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags.bits()) };
        match Errno::result(len) {
            Err(Errno::EINTR) => {}
            len => break len? as usize,
        }
    };
    Ok(Received {
        len,
        // SAFETY: the kernel has just filled the header in.
        descriptors: unsafe { take_descriptors(&message) },
        has_lost_descriptors: message.msg_flags & libc::MSG_CTRUNC != 0,
        was_cut: message.msg_flags & libc::MSG_TRUNC != 0,
    })
}

/// Takes all descriptors out of the control messages, also of a list that
/// was cut short: those that are left out would be open for ever.
///
/// # Safety
///
/// Once, for a header that `recvmsg` has filled in, whose buffers live.
unsafe fn take_descriptors(message: &libc::msghdr) -> Vec<OwnedFd> {
    let mut descriptors = Vec::new();
    // SAFETY: the header is the kernel's work (contract).
    let mut part = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !part.is_null() {
        // SAFETY: not null, so it is a control message within the buffer.
        let header = unsafe { &*part };
        if header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_RIGHTS {
            // SAFETY: its data follow it.
            let data = unsafe { libc::CMSG_DATA(part) }.cast::<RawFd>();
            let bytes = header.cmsg_len as usize - (data as usize - part as usize);
            for index in 0..bytes / size_of::<RawFd>() {
                // SAFETY: within the data; each is a new descriptor that
                // nobody else owns (the module's invariant).
                descriptors.push(unsafe { OwnedFd::from_raw_fd(data.add(index).read_unaligned()) });
            }
        }
        // SAFETY: as above.
        part = unsafe { libc::CMSG_NXTHDR(message, part) };
    }
    descriptors
}

/// Writes the parts, at least one byte, to a stream, with copies of the
/// descriptors attached to the first: one system call if the socket has room.
pub(crate) fn send_all(
    mut stream: &UnixStream,
    mut parts: &mut [IoSlice<'_>],
    descriptors: &[RawFd],
) -> io::Result<()> {
    if descriptors.len() > MAX_DESCRIPTORS {
        let what =
            format!("{} descriptors, a message carries {MAX_DESCRIPTORS}", descriptors.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let sent = send(stream.as_fd(), parts, descriptors, MsgFlags::empty())?;
    IoSlice::advance_slices(&mut parts, sent);
    parts.iter().try_for_each(|part| stream.write_all(part))
}

/// Fills `bytes`, at least one, from a stream, and returns the descriptors
/// attached to the first; `None` at end of file. If this process could not open
/// all the descriptors, the bytes are filled nevertheless and only the
/// descriptors are an error.
pub(crate) fn receive_all(
    mut stream: &UnixStream,
    bytes: &mut [u8],
) -> io::Result<Option<io::Result<Vec<OwnedFd>>>> {
    let received = receive(stream.as_fd(), bytes, MsgFlags::empty())?;
    if received.len == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut bytes[received.len..])?;
    let too_many = io::Error::from_raw_os_error(libc::EMFILE);
    let is_complete = !received.has_lost_descriptors;
    Ok(Some(if is_complete { Ok(received.descriptors) } else { Err(too_many) }))
}
