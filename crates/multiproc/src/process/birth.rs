//! What an executed child, or the fork server on behalf of a forked one, is
//! told over a socket.
//!
//! A fixed header with the descriptors attached to its first byte, then the
//! name, then the payload. The header carries the parent's idea of the
//! executable and of this crate's layout; a child that differs refuses.

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsRawFd, RawFd},
        linux::fs::MetadataExt,
        unix::net::UnixStream,
    },
};

use bytemuck::{Pod, Zeroable};
use nix::unistd::Pid;

use super::Inheritance;
use crate::{
    EntryPoint,
    code::{Place, family_key},
    socket::{receive_with_descriptors, send_with_descriptors},
};

/// "MANYHAND" in ASCII.
const MAGIC: u64 = u64::from_be_bytes(*b"MANYHAND");

/// Changes with the layout of anything that crosses to another process.
const LAYOUT_VERSION: u64 = 1;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Header {
    magic: u64,
    layout: u64,
    executable: [u64; 4],
    family_key: u64,
    entry: Place,
    parent: i64,
    name_len: u64,
    payload_len: u64,
}

/// Everything that a child needs to begin its life.
pub(crate) struct Birth {
    pub(crate) name: String,
    pub(crate) entry: Place,
    pub(crate) family_key: u64,
    pub(crate) parent: Pid,
    pub(crate) inheritance: Inheritance,
}

impl Birth {
    pub(super) fn new(name: &str, entry: EntryPoint, inheritance: Inheritance) -> Self {
        Self {
            name: name.to_owned(),
            entry: entry.place(),
            family_key: family_key(),
            parent: nix::unistd::getpid(),
            inheritance,
        }
    }

    pub(super) fn send(&self, mut socket: &UnixStream) -> io::Result<()> {
        let header = Header {
            magic: MAGIC,
            layout: LAYOUT_VERSION,
            executable: executable()?,
            family_key: self.family_key,
            entry: self.entry,
            parent: self.parent.as_raw().into(),
            name_len: self.name.len() as u64,
            payload_len: self.inheritance.payload.len() as u64,
        };
        let descriptors: Vec<RawFd> =
            self.inheritance.descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        send_with_descriptors(socket, bytemuck::bytes_of(&header), &descriptors)?;
        socket.write_all(self.name.as_bytes())?;
        socket.write_all(&self.inheritance.payload)
    }

    /// `None` at end of file: the sender is gone.
    pub(crate) fn receive(mut socket: &UnixStream) -> io::Result<Option<Self>> {
        let mut header = Header::zeroed();
        let Some(descriptors) =
            receive_with_descriptors(socket, bytemuck::bytes_of_mut(&mut header))?
        else {
            return Ok(None);
        };
        if header.magic != MAGIC || header.layout != LAYOUT_VERSION {
            return Err(io::Error::other(
                "the message does not come from this version of multiproc",
            ));
        }
        if header.executable != executable()? {
            return Err(io::Error::other("parent and child do not run the same executable"));
        }
        let name = read_exactly(&mut socket, header.name_len)?;
        let payload = read_exactly(&mut socket, header.payload_len)?;
        Ok(Some(Self {
            name: String::from_utf8_lossy(&name).into_owned(),
            entry: header.entry,
            family_key: header.family_key,
            parent: Pid::from_raw(header.parent as libc::pid_t),
            inheritance: Inheritance { payload, descriptors },
        }))
    }
}

/// Device, inode, size and time of the file that this process executes, which
/// stay what they are when the file is replaced or deleted.
fn executable() -> io::Result<[u64; 4]> {
    let file = std::fs::metadata("/proc/self/exe")?;
    Ok([
        file.st_dev(),
        file.st_ino(),
        file.st_size(),
        file.st_mtime_nsec() as u64 ^ file.st_mtime() as u64,
    ])
}

fn read_exactly(socket: &mut &UnixStream, len: u64) -> io::Result<Vec<u8>> {
    // Grows as bytes arrive, so a wrong length cannot exhaust the memory.
    let mut bytes = Vec::new();
    socket.take(len).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == len { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
