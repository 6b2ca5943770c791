//! A pipe in packet mode: what one call writes, one call reads, whole or not
//! at all (pipe(2), `O_DIRECT`).
//!
//! Invariant of the unsafe code: a vector of one part leads to memory that is
//! borrowed, with its true length, until the call returns.

use std::{
    fs::{File, OpenOptions},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::Instant,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::{PollFd, PollFlags},
    sys::{
        signal::{SigHandler, Signal, signal},
        stat::{SFlag, fstat},
    },
    unistd,
};

use super::readiness::poll_until;
use crate::{Error, Result};

/// The longest packet: the kernel writes what is longer in several.
pub(super) const PIPE_PACKET_LIMIT: usize = libc::PIPE_BUF;

/// How large a pipe may become. A packet fills a page of it, however short it
/// is, so these are 256 of them; unprivileged users cannot have more.
const LARGEST: i32 = 1 << 20;

/// The reading and the writing end of a new pipe.
pub(super) fn packet_pipe() -> Result<(OwnedFd, OwnedFd)> {
    ignore_sigpipe();
    unistd::pipe2(OFlag::O_DIRECT | OFlag::O_CLOEXEC).map_err(Error::errno("create a connection"))
}

/// Whether that is the reading end of a pipe.
pub(super) fn is_reader(file: &impl AsFd) -> bool {
    is_pipe(file, OFlag::O_RDONLY)
}

/// Whether that is the writing end of a pipe in packet mode, which is a matter
/// of this end alone.
pub(super) fn is_packet_writer(file: &impl AsFd) -> bool {
    ignore_sigpipe();
    is_pipe(file, OFlag::O_WRONLY | OFlag::O_DIRECT)
}

fn is_pipe(file: &impl AsFd, wanted: OFlag) -> bool {
    let kind = fstat(file).map(|stat| SFlag::from_bits_truncate(stat.st_mode & libc::S_IFMT));
    let flags = fcntl(file, FcntlArg::F_GETFL).map(OFlag::from_bits_retain);
    let looked_at = OFlag::O_ACCMODE | OFlag::O_DIRECT;
    kind == Ok(SFlag::S_IFIFO) && flags.is_ok_and(|flags| flags & looked_at == wanted)
}

/// A pipe that nobody reads any more kills who writes, unless the signal is
/// ignored, which Rust's runtime and CPython's both see to at their start.
/// This is for a program that has undone it or has another `main`.
fn ignore_sigpipe() {
    let mut present = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: asks only, and has room for the answer.
    let asked = unsafe { libc::sigaction(libc::SIGPIPE, std::ptr::null(), present.as_mut_ptr()) };
    // SAFETY: filled in if the call succeeded.
    if asked == 0 && unsafe { present.assume_init() }.sa_sigaction == libc::SIG_DFL {
        // SAFETY: no handler is set, and none was.
        let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
    }
}

/// Receives one packet; none is an end of the file.
#[inline]
pub(super) fn read(
    pipe: BorrowedFd<'_>,
    buffer: &mut [u8],
    deadline: Option<Instant>,
) -> Result<usize> {
    loop {
        // One system call if nothing limits the time.
        let read = match deadline {
            None => unistd::read(pipe, buffer),
            Some(_) => read_now(pipe, buffer),
        };
        match read {
            Ok(len) => return Ok(len),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => await_event(pipe, PollFlags::POLLIN, deadline)?,
            Err(errno) => return Err(Error::errno("use a connection")(errno)),
        }
    }
}

/// Sends one packet. `may_be_full` costs some more, and makes a full pipe
/// larger instead of waiting at once.
#[inline]
pub(super) fn write(
    pipe: BorrowedFd<'_>,
    packet: &[u8],
    mut may_be_full: bool,
    deadline: Option<Instant>,
) -> Result<()> {
    loop {
        let written = match deadline {
            None if !may_be_full => unistd::write(pipe, packet),
            _ => write_now(pipe, packet),
        };
        match written {
            // A packet is never written in part.
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(Errno::EPIPE) => return Err(Error::Disconnected),
            Err(Errno::EAGAIN) if grow(pipe) => {}
            Err(Errno::EAGAIN) if may_be_full && deadline.is_none() => may_be_full = false,
            Err(Errno::EAGAIN) => await_event(pipe, PollFlags::POLLOUT, deadline)?,
            Err(errno) => return Err(Error::errno("use a connection")(errno)),
        }
    }
}

fn await_event(pipe: BorrowedFd<'_>, event: PollFlags, deadline: Option<Instant>) -> Result<()> {
    let is_ready = poll_until(&mut [PollFd::new(pipe, event)], deadline)?;
    if is_ready { Ok(()) } else { Err(Error::TimedOut) }
}

/// Doubles the size of a full pipe; whether it is larger now. Not done before
/// it is needed: all pipes of a user share a limit.
#[cold]
fn grow(pipe: BorrowedFd<'_>) -> bool {
    fcntl(pipe, FcntlArg::F_GETPIPE_SZ).is_ok_and(|present| {
        present < LARGEST && fcntl(pipe, FcntlArg::F_SETPIPE_SZ(2 * present)).is_ok()
    })
}

/// Reads without waiting. `O_NONBLOCK` would be for everybody who has this end.
fn read_now(pipe: BorrowedFd<'_>, buffer: &mut [u8]) -> nix::Result<usize> {
    let part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: the module's invariant; −1 is where the file is.
    let read = unsafe { libc::preadv2(pipe.as_raw_fd(), &raw const part, 1, -1, libc::RWF_NOWAIT) };
    match Errno::result(read) {
        Err(Errno::EOPNOTSUPP) => read_by_another_description(pipe, buffer),
        read => Ok(read? as usize),
    }
}

/// Writes without waiting.
fn write_now(pipe: BorrowedFd<'_>, packet: &[u8]) -> nix::Result<usize> {
    let part = libc::iovec { iov_base: packet.as_ptr().cast_mut().cast(), iov_len: packet.len() };
    // SAFETY: the module's invariant, and the kernel only reads; −1 as above.
    let written =
        unsafe { libc::pwritev2(pipe.as_raw_fd(), &raw const part, 1, -1, libc::RWF_NOWAIT) };
    match Errno::result(written) {
        Err(Errno::EOPNOTSUPP) => write_by_another_description(pipe, packet),
        written => Ok(written? as usize),
    }
}

/// For Linux before 6.5, whose pipes do not know `RWF_NOWAIT`.
#[cold]
fn read_by_another_description(pipe: BorrowedFd<'_>, buffer: &mut [u8]) -> nix::Result<usize> {
    let opened = reopen(pipe, OpenOptions::new().read(true))?;
    unistd::read(opened, buffer)
}

/// The same for writing.
#[cold]
fn write_by_another_description(pipe: BorrowedFd<'_>, packet: &[u8]) -> nix::Result<usize> {
    let opened = reopen(pipe, OpenOptions::new().write(true))?;
    unistd::write(opened, packet)
}

/// The same end as an open file of our own, which may be non-blocking without
/// making that of others so.
fn reopen(pipe: BorrowedFd<'_>, options: &OpenOptions) -> nix::Result<File> {
    let opened = options.open(format!("/proc/self/fd/{}", pipe.as_raw_fd()));
    let opened = opened.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    // `open` itself refuses packet mode.
    fcntl(&opened, FcntlArg::F_SETFL(OFlag::O_NONBLOCK | OFlag::O_DIRECT))?;
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Option<Instant> {
        Some(Instant::now() + Duration::from_millis(2))
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs pipes")]
    fn a_full_pipe_grows_to_its_limit_and_then_a_writer_waits() {
        let (reader, writer) = packet_pipe().unwrap();
        let mut fits = 0;
        while write(writer.as_fd(), b"x", true, soon()).is_ok() {
            fits += 1;
        }
        let size = fcntl(&writer, FcntlArg::F_GETPIPE_SZ).unwrap();
        assert_eq!(fits, size / 4096, "a page each");
        assert!(size == LARGEST || !nix::unistd::geteuid().is_root());
        for _ in 0..fits {
            assert_eq!(read(reader.as_fd(), &mut [0; 8], soon()).unwrap(), 1);
        }
        assert!(matches!(read(reader.as_fd(), &mut [0; 8], soon()), Err(Error::TimedOut)));
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs pipes")]
    fn an_older_kernel_is_not_kept_waiting_either() {
        let (reader, writer) = packet_pipe().unwrap();
        let mut buffer = [0; 8];
        let read = |buffer: &mut [u8]| read_by_another_description(reader.as_fd(), buffer);
        assert_eq!(read(&mut buffer), Err(Errno::EAGAIN));
        assert_eq!(write_by_another_description(writer.as_fd(), b"one"), Ok(3));
        assert_eq!(write_by_another_description(writer.as_fd(), b"two"), Ok(3));
        assert_eq!(read(&mut buffer), Ok(3), "a packet and not two");
        while write_by_another_description(writer.as_fd(), b"x").is_ok() {}
        assert_eq!(write_by_another_description(writer.as_fd(), b"x"), Err(Errno::EAGAIN));
        let flags = OFlag::from_bits_retain(fcntl(&writer, FcntlArg::F_GETFL).unwrap());
        assert!(!flags.contains(OFlag::O_NONBLOCK), "not for the others");
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs pipes")]
    fn only_the_right_end_of_a_packet_pipe_is_one() {
        let (reader, writer) = packet_pipe().unwrap();
        assert!(is_reader(&reader) && is_packet_writer(&writer));
        assert!(!is_reader(&writer) && !is_packet_writer(&reader));
        let (_plain_reader, plain_writer) = unistd::pipe().unwrap();
        assert!(!is_packet_writer(&plain_writer));
        let null = File::open("/dev/null").unwrap();
        assert!(!is_reader(&null) && !is_packet_writer(&null));
    }
}
