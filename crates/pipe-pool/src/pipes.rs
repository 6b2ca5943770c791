//! Two pipes a worker, one to it and one from it.

use std::{
    io::{self, IoSlice, PipeReader, PipeWriter, Read, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use multiproc::{
    Error, ParentEnd, Result,
    pool::{Patience, Port, Transport, TransportStream},
};
use nix::{
    fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, vmsplice},
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

/// What a pipe can hold, if the system allows: fewer switches between the two
/// sides, 4.3 GB/s instead of 1.4 where it was measured.
const PIPE_BYTES: i32 = 1 << 20;

/// To lend the pages of fewer bytes costs no less than to copy them.
const SPLICED_BYTES: usize = 64 * 1024;

const SPLICE_F_NONBLOCK: SpliceFFlags = SpliceFFlags::SPLICE_F_NONBLOCK;

/// Moves requests and replies through pipes.
#[derive(Debug)]
pub struct Pipes;

/// The parent's ends of a worker's pipes.
#[derive(Debug)]
pub struct PipeStream {
    requests: ParentEnd<PipeWriter>,
    replies: ParentEnd<PipeReader>,
    /// The last read has brought less than there was room for: it has emptied
    /// the pipe, and the next call need not ask the system.
    is_drained: bool,
}

/// A worker's ends of its pipes.
#[derive(Debug)]
pub struct PipePort {
    requests: PipeReader,
    replies: PipeWriter,
    /// For how long it looks at an empty pipe before sleeping on it.
    spin: Duration,
    patience: Patience,
}

/// A worker that is to look for less than this has no core to itself. It would
/// bridge nothing, for a look at a pipe is a system call, and keep the core from
/// whoever it waits for.
const SHORTEST_SPIN: Duration = Duration::from_micros(20);

impl Transport for Pipes {
    const NAME: &'static str = "pipe-pool";
    type Stream = PipeStream;
    type Port = PipePort;

    fn new() -> Result<Self> {
        Ok(Self)
    }

    fn connect(&self) -> Result<(PipeStream, Vec<OwnedFd>)> {
        let system = |what| move |source| Error::System { what, source };
        let (their_requests, requests) = io::pipe().map_err(system("create a pipe"))?;
        let (replies, their_replies) = io::pipe().map_err(system("create a pipe"))?;
        for fd in [requests.as_fd(), replies.as_fd()] {
            // Refused beyond the user's share of pipe memory; smaller ones do.
            let _ = fcntl(fd, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
            fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
                .map_err(|errno| system("configure a pipe")(errno.into()))?;
        }
        let (requests, replies) = (ParentEnd::new(requests), ParentEnd::new(replies));
        let stream = PipeStream { requests, replies, is_drained: false };
        Ok((stream, vec![their_requests.into(), their_replies.into()]))
    }

    fn open(descriptors: Vec<OwnedFd>) -> Result<PipePort> {
        let [requests, replies] = <[OwnedFd; 2]>::try_from(descriptors).map_err(|_| {
            let source = io::ErrorKind::InvalidInput.into();
            Error::System { what: "find the pipes of the parent", source }
        })?;
        Ok(PipePort {
            requests: requests.into(),
            replies: replies.into(),
            spin: Duration::ZERO,
            patience: Patience::default(),
        })
    }
}

impl TransportStream for PipeStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<Option<usize>> {
        if std::mem::take(&mut self.is_drained) {
            return Ok(None);
        }
        let read = unless_blocked(|| (&*self.replies).read(into))?;
        self.is_drained = read.is_some_and(|bytes| (1..into.len()).contains(&bytes));
        Ok(read)
    }

    fn write(&mut self, from: &[u8]) -> io::Result<Option<usize>> {
        unless_blocked(|| (&*self.requests).write(from))
    }

    fn write_lent(&mut self, from: &[u8]) -> io::Result<Option<usize>> {
        if from.len() < SPLICED_BYTES {
            return self.write(from);
        }
        let splice = || vmsplice(&*self.requests, &[IoSlice::new(from)], SPLICE_F_NONBLOCK);
        match unless_blocked(|| Ok(splice()?)) {
            // Nobody has promised that pages can be lent.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.write(from),
            spliced => spliced,
        }
    }

    fn has_news(&self) -> bool {
        is_readable(self.replies.as_fd())
    }

    fn readable(&self) -> Option<BorrowedFd<'_>> {
        Some(self.replies.as_fd())
    }

    fn writable(&self) -> Option<BorrowedFd<'_>> {
        Some(self.requests.as_fd())
    }
}

impl Port for PipePort {
    const WRITES_ARE_CHEAP: bool = false;

    fn set_spin(&mut self, limit: Duration) {
        self.spin = if limit < SHORTEST_SPIN { Duration::ZERO } else { limit };
    }
}

impl Read for PipePort {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.patience.look(self.spin, || is_readable(self.requests.as_fd()));
        self.requests.read(into)
    }
}

impl Write for PipePort {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.replies.write(from)
    }

    fn write_vectored(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        self.replies.write_vectored(from)
    }

    /// A pipe's reader notices every write.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a read would not block, as far as the system tells.
fn is_readable(pipe: BorrowedFd<'_>) -> bool {
    poll(&mut [PollFd::new(pipe, PollFlags::POLLIN)], PollTimeout::ZERO)
        .is_ok_and(|ready| ready > 0)
}

/// Moves bytes until it works, or `None` if it would block.
fn unless_blocked(mut step: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match step() {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
