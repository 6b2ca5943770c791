//! What is too large for a socket's buffer: a memory file that is written
//! once, sealed, and sent as a descriptor.
//!
//! Invariant of the unsafe code: a [`Parcel`] is a file whose size and content
//! are sealed, so a mapping of it stays valid and never changes.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    num::NonZeroUsize,
    ops::Deref,
    os::fd::OwnedFd,
    ptr::NonNull,
};

use nix::{
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::{
        memfd::{MFdFlags, memfd_create},
        mman::{MapFlags, ProtFlags, mmap, munmap},
    },
};

use crate::{
    Error, Result,
    memory::{file_size_limit, may_be_file, may_be_taken},
};

const SEALED: SealFlag =
    SealFlag::F_SEAL_SHRINK.union(SealFlag::F_SEAL_GROW).union(SealFlag::F_SEAL_WRITE);

/// So much is written between two looks at what memory is available, which
/// cost some hundred microseconds each.
const BETWEEN_LOOKS: u64 = 16 << 20;

/// A parcel that is being filled.
#[derive(Debug)]
pub(super) struct Packing {
    file: File,
    len: u64,
    /// What the memory was found to have room for.
    granted: u64,
}

impl Packing {
    pub(super) fn new() -> Result<Self> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let file = memfd_create(c"multiproc-message", flags)
            .map_err(Error::errno("make a memory file for a large message"))?;
        Ok(Self { file: file.into(), len: 0, granted: BETWEEN_LOOKS.min(file_size_limit()) })
    }

    /// Appends `bytes`, after making sure that there is room for all of them.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let len = self.len + bytes.len() as u64;
        let mut write = || {
            if len > self.granted {
                self.granted = grant(self.len, len)?;
            }
            (&self.file).write_all(bytes)
        };
        write().map_err(|source| Error::Memory { bytes: len as usize, source })?;
        self.len = len;
        Ok(())
    }

    /// Nobody can change it any more.
    pub(super) fn seal(self) -> Result<OwnedFd> {
        fcntl(&self.file, FcntlArg::F_ADD_SEALS(SEALED | SealFlag::F_SEAL_SEAL))
            .map_err(Error::errno("seal a large message"))?;
        Ok(self.file.into())
    }
}

/// How large a file of `present` bytes may become without another question,
/// if it may become `wanted`.
fn grant(present: u64, wanted: u64) -> io::Result<u64> {
    may_be_file(wanted)?;
    may_be_taken(wanted - present)?;
    Ok(wanted.saturating_add(BETWEEN_LOOKS).min(file_size_limit()))
}

/// A sealed memory file, as its receiver has it.
#[derive(Debug)]
pub(super) struct Parcel {
    file: File,
    len: usize,
}

impl Parcel {
    /// `None` if that is not a sealed memory file with something in it.
    pub(super) fn open(file: OwnedFd) -> Option<Self> {
        let seals = fcntl(&file, FcntlArg::F_GET_SEALS).ok()?;
        let file = File::from(file);
        let len = usize::try_from(file.metadata().ok()?.len()).ok()?;
        let is_sealed = SealFlag::from_bits_retain(seals).contains(SEALED);
        (is_sealed && len > 0).then_some(Self { file, len })
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// A copy of the content.
    pub(super) fn to_vec(&self) -> Result<Vec<u8>> {
        let read = || -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(self.len).map_err(|_| io::ErrorKind::OutOfMemory)?;
            (&self.file).rewind()?;
            (&self.file).take(self.len as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|source| Error::Memory { bytes: self.len, source })
    }

    /// Copies the content to `bytes`, which is as long.
    pub(super) fn read(&self, bytes: &mut [u8]) -> Result<()> {
        let mut read = || {
            (&self.file).rewind()?;
            (&self.file).read_exact(bytes)
        };
        read().map_err(Error::system("read a large message"))
    }

    /// The content in place.
    pub(super) fn map(&self) -> Result<MappedParcel> {
        let len = NonZeroUsize::new(self.len).expect("a parcel is not empty");
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_POPULATE;
        // SAFETY: a new mapping at an address of the kernel's choice touches
        // no memory that is in use.
        let base = unsafe { mmap(None, len, ProtFlags::PROT_READ, flags, &self.file, 0) }
            .map_err(|errno| Error::Memory { bytes: self.len, source: errno.into() })?;
        Ok(MappedParcel { base: base.cast(), len: self.len })
    }
}

/// Invariant: `len` bytes from `base` on are mapped for reading until this
/// value is dropped, and never change.
pub(super) struct MappedParcel {
    base: NonNull<u8>,
    len: usize,
}

impl Deref for MappedParcel {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the invariant.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.len) }
    }
}

impl Drop for MappedParcel {
    fn drop(&mut self) {
        // SAFETY: exactly what was mapped, once; the bytes were only lent.
        let _ = unsafe { munmap(self.base.cast(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn a_parcel_holds_what_was_packed() {
        let mut packing = Packing::new().unwrap();
        packing.write(b"many ").unwrap();
        packing.write(b"hands").unwrap();
        let parcel = Parcel::open(packing.seal().unwrap()).unwrap();
        assert_eq!(parcel.len(), 10);
        assert_eq!(parcel.to_vec().unwrap(), b"many hands");
        assert_eq!(*parcel.map().unwrap(), *b"many hands");
        let mut bytes = [0; 10];
        parcel.read(&mut bytes).unwrap();
        assert_eq!(bytes, *b"many hands");
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn what_could_change_is_no_parcel() {
        let mut packing = Packing::new().unwrap();
        packing.write(b"not sealed").unwrap();
        assert!(Parcel::open(packing.file.into()).is_none());
        assert!(Parcel::open(Packing::new().unwrap().seal().unwrap()).is_none(), "empty");
        assert!(Parcel::open(File::open("/dev/null").unwrap().into()).is_none());
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn a_sealed_parcel_takes_no_more_bytes() {
        let mut packing = Packing::new().unwrap();
        packing.write(b"done").unwrap();
        let mut file = File::from(packing.seal().unwrap());
        assert!(file.write_all(b"more").is_err());
        assert!(file.set_len(0).is_err());
    }
}
