//! The floor below pipes: another process at the other end of two of them,
//! without a library in between.

use std::{
    fs::File,
    io::{IoSlice, Read, Write, pipe},
    os::fd::AsFd,
};

use multiproc::{Descriptor, Process, StartMethod};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, SpliceFFlags, fcntl, vmsplice},
};

use crate::trouble::{Result, Trouble};

/// A process at the other end, until this is dropped.
pub(crate) struct Peer {
    process: Process,
    to: File,
    from: File,
}

/// What the other process gets: its ends, and bytes of a message.
type Ends = (Descriptor, Descriptor, u64);

/// The size of a pipe that a process may choose without being privileged.
const PIPE_BYTES: i32 = 1 << 20;

/// How bytes get into a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// `write`, so many bytes a call.
    Write(usize),
    /// `vmsplice`: the pages themselves, so many bytes a call. They must not
    /// change before the other side has read them, which its answer says.
    Splice(usize),
}

impl Way {
    /// Those that may be the best.
    pub(crate) const ALL: [Self; 6] = [
        Self::Write(64 << 10),
        Self::Write(256 << 10),
        Self::Write(1 << 20),
        Self::Write(64 << 20),
        Self::Splice(256 << 10),
        Self::Splice(1 << 20),
    ];

    pub(crate) fn name(self) -> String {
        match self {
            Self::Write(bytes) => format!("bare pipe, write {} KiB", bytes >> 10),
            Self::Splice(bytes) => format!("bare pipe, vmsplice {} KiB", bytes >> 10),
        }
    }
}

impl Peer {
    /// One that answers every message of 8 bytes with the same.
    pub(crate) fn echo() -> Result<Self> {
        Self::start(8, |(reader, writer, _)| {
            let (mut reader, mut writer) = (reader.into_file(), writer.into_file());
            let mut bytes = [0; 8];
            while reader.read_exact(&mut bytes).is_ok() && writer.write_all(&bytes).is_ok() {}
        })
    }

    /// One that reads messages of `bytes` into memory of its own and answers
    /// each with its first 8 bytes.
    pub(crate) fn sink(bytes: usize) -> Result<Self> {
        Self::start(bytes as u64, |(reader, writer, bytes)| {
            let (mut reader, mut writer) = (reader.into_file(), writer.into_file());
            let mut message = vec![1; bytes as usize];
            while reader.read_exact(&mut message).is_ok() && writer.write_all(&message[..8]).is_ok()
            {
            }
        })
    }

    fn start(bytes: u64, target: impl Fn(Ends) + Copy + Send + 'static) -> Result<Self> {
        let ((there, to), (from, back)) = (pipe()?, pipe()?);
        fcntl(&to, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES))?;
        let ends = (Descriptor::new(there), Descriptor::new(back), bytes);
        let mut process = Process::new(target, ends).start_method(StartMethod::Spawn);
        process.start()?;
        let file = |end| File::from(std::os::fd::OwnedFd::from(end));
        Ok(Self { process, to: File::from(std::os::fd::OwnedFd::from(to)), from: file(from) })
    }

    /// Sends 8 bytes and waits for the answer.
    pub(crate) fn ask(&mut self, number: u64) -> Result<u64> {
        self.to.write_all(&number.to_ne_bytes())?;
        self.answer()
    }

    /// Sends `message` in one `way` and waits for the answer.
    pub(crate) fn send(&mut self, mut message: &[u8], way: Way) -> Result<u64> {
        while !message.is_empty() {
            let sent = match way {
                Way::Write(bytes) => self.to.write(&message[..bytes.min(message.len())])?,
                Way::Splice(bytes) => {
                    let part = IoSlice::new(&message[..bytes.min(message.len())]);
                    match vmsplice(self.to.as_fd(), &[part], SpliceFFlags::empty()) {
                        Err(Errno::EINTR) => 0,
                        spliced => spliced?,
                    }
                }
            };
            message = &message[sent..];
        }
        self.answer()
    }

    fn answer(&mut self) -> Result<u64> {
        let mut bytes = [0; 8];
        self.from.read_exact(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.process.kill();
        let _ = self.process.join();
    }
}

/// That an answer is the expected one.
pub(crate) fn expect(answer: u64, expected: u64) -> Result<()> {
    match answer == expected {
        true => Ok(()),
        false => Err(Trouble::WrongAnswer(format!("{answer} instead of {expected}"))),
    }
}
