//! What an executed child, or the fork server on behalf of a forked one, is
//! told over a socket.
//!
//! A fixed header, then the biography, then the payload, in one message with
//! the descriptors attached to its first byte. The header carries the
//! parent's idea of the executable and of this crate's layout; a child that
//! differs refuses.

use std::{
    io::{self, IoSlice, Read},
    os::{
        fd::{AsRawFd, RawFd},
        linux::fs::MetadataExt,
        unix::net::UnixStream,
    },
    sync::OnceLock,
};

use bytemuck::{Pod, Zeroable};

use super::{Biography, Inheritance};
use crate::{
    EntryPoint,
    code::{Place, family_key},
    socket::{receive_all, send_all},
};

/// "MANYHAND" in ASCII.
const MAGIC: u64 = u64::from_be_bytes(*b"MANYHAND");

/// Changes with the layout of anything that crosses to another process.
const LAYOUT_VERSION: u64 = 2;

/// As much is reserved for a payload before any of it has arrived.
const BELIEVED_LEN: usize = 1 << 20;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Header {
    magic: u64,
    layout: u64,
    executable: [u64; 4],
    family_key: u64,
    entry: Place,
    biography_len: u64,
    payload_len: u64,
    /// Not 0: the child keeps the socket that this came over, as the last of
    /// its descriptors.
    keeps_line: u64,
}

/// Everything that a child needs to begin its life.
pub(crate) struct Birth {
    pub(crate) biography: Biography,
    pub(crate) entry: Place,
    pub(crate) family_key: u64,
    pub(crate) keeps_line: bool,
    pub(crate) inheritance: Inheritance,
}

impl Birth {
    pub(super) fn new(biography: Biography, entry: EntryPoint, inheritance: Inheritance) -> Self {
        Self {
            biography,
            entry: entry.place(),
            family_key: family_key(),
            keeps_line: false,
            inheritance,
        }
    }

    /// Sends this, with the descriptors attached to the first byte.
    pub(super) fn send(&self, socket: &UnixStream) -> io::Result<()> {
        let biography = postcard::to_stdvec(&self.biography).map_err(io::Error::other)?;
        let header = Header {
            magic: MAGIC,
            layout: LAYOUT_VERSION,
            executable: executable()?,
            family_key: self.family_key,
            entry: self.entry,
            biography_len: biography.len() as u64,
            payload_len: self.inheritance.payload.len() as u64,
            keeps_line: self.keeps_line.into(),
        };
        let descriptors: Vec<RawFd> =
            self.inheritance.descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        let parts = [bytemuck::bytes_of(&header), &biography, &self.inheritance.payload];
        send_all(socket, &mut parts.map(IoSlice::new), &descriptors)
    }

    /// `None` at end of file: the sender is gone. If it is only this process
    /// that has no room for the descriptors, it can receive the next one.
    pub(crate) fn receive(socket: &UnixStream) -> io::Result<Option<io::Result<Self>>> {
        let mut header = Header::zeroed();
        let Some(descriptors) = receive_all(socket, bytemuck::bytes_of_mut(&mut header))? else {
            return Ok(None);
        };
        let mut birth = Self::receive_rest(socket, &header)?;
        Ok(Some(descriptors.map(|descriptors| {
            birth.inheritance.descriptors = descriptors;
            birth
        })))
    }

    fn receive_rest(mut socket: &UnixStream, header: &Header) -> io::Result<Self> {
        if header.magic != MAGIC || header.layout != LAYOUT_VERSION {
            return Err(io::Error::other(
                "the message does not come from this version of multiproc",
            ));
        }
        if header.executable != executable()? {
            return Err(io::Error::other("parent and child do not run the same executable"));
        }
        let biography = read_exactly(&mut socket, header.biography_len)?;
        let payload = read_exactly(&mut socket, header.payload_len)?;
        Ok(Self {
            biography: postcard::from_bytes(&biography).map_err(io::Error::other)?,
            entry: header.entry,
            family_key: header.family_key,
            keeps_line: header.keeps_line != 0,
            inheritance: Inheritance { payload, descriptors: Vec::new() },
        })
    }
}

/// Device, inode, size and time of the file that this process executes, which
/// stay what they are when the file is replaced or deleted.
fn executable() -> io::Result<[u64; 4]> {
    static EXECUTABLE: OnceLock<[u64; 4]> = OnceLock::new();
    if let Some(known) = EXECUTABLE.get() {
        return Ok(*known);
    }
    let file = std::fs::metadata("/proc/self/exe")?;
    let executable = [
        file.st_dev(),
        file.st_ino(),
        file.st_size(),
        file.st_mtime_nsec() as u64 ^ file.st_mtime() as u64,
    ];
    Ok(*EXECUTABLE.get_or_init(|| executable))
}

fn read_exactly(socket: &mut &UnixStream, len: u64) -> io::Result<Vec<u8>> {
    // Grows as bytes arrive, so a wrong length cannot exhaust the memory.
    let believed = usize::try_from(len).unwrap_or(usize::MAX).min(BELIEVED_LEN);
    let mut bytes = Vec::with_capacity(believed);
    socket.take(len).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == len { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
