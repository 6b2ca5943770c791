//! Memory that processes share.
//!
//! An anonymous memory file (memfd): it has no name in any file system, so
//! nothing is left when the last process that holds it is gone. All of its
//! pages are reserved when it is made and its size is sealed, so a full
//! memory is an error there and then, and no access can raise `SIGBUS` later.

mod array;
mod available;

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::NonNull,
};

use nix::{
    fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl},
    sys::{
        memfd::{MFdFlags, memfd_create},
        mman::{MapFlags, ProtFlags, mmap, munmap},
    },
};

pub(crate) use array::Detached;
pub use array::{RegionId, SharedArray};
use available::available_memory;

use crate::{Error, Result};

const SIZE_IS_SEALED: SealFlag = SealFlag::F_SEAL_SHRINK.union(SealFlag::F_SEAL_GROW);

/// So little is not worth a look at what is available, which costs some
/// hundred microseconds and would be part of every pool's start.
const ALWAYS_FITS: usize = 1 << 20;

/// A memory file, mapped for reading and writing.
///
/// Invariant: `base` is page-aligned and `len` bytes from it on are mapped,
/// readable and writable until this value is dropped, in a file whose size is
/// sealed.
#[derive(Debug)]
pub struct SharedMemory {
    file: OwnedFd,
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread, and this type
// gives out its address only (see `base`).
unsafe impl Send for SharedMemory {}
// SAFETY: as above.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// `len` zero bytes, every page reserved and present.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`] if they cannot be had.
    pub fn new(len: usize) -> Result<Self> {
        Self::create(len).map_err(|source| Error::Memory { bytes: len, source })
    }

    fn create(len: usize) -> io::Result<Self> {
        let file = memfd_create(c"multiproc", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
        // A file cannot be mapped if it is empty.
        let size = libc::off_t::try_from(len.max(1)).map_err(|_| io::ErrorKind::OutOfMemory)?;
        // Refused before anything is taken: a kernel that overcommits would
        // hand out the pages and then kill somebody for them.
        if len > ALWAYS_FITS && len as u64 > available_memory() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        fallocate(&file, FallocateFlags::empty(), 0, size)?;
        fcntl(&file, FcntlArg::F_ADD_SEALS(SIZE_IS_SEALED | SealFlag::F_SEAL_SEAL))?;
        Self::map(file, len, MapFlags::MAP_POPULATE)
    }

    /// Maps memory that another process made.
    ///
    /// # Errors
    ///
    /// If it is not sealed, smaller than `len`, or cannot be mapped.
    pub(crate) fn from_descriptor(file: OwnedFd, len: usize) -> Result<Self> {
        let checked = || -> io::Result<()> {
            let seals = SealFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GET_SEALS)?);
            let size = File::from(file.try_clone()?).metadata()?.len();
            if !seals.contains(SIZE_IS_SEALED) || size < len as u64 {
                return Err(io::Error::other("the shared memory is not sealed or too small"));
            }
            Ok(())
        };
        checked()
            .and_then(|()| Self::map(file, len, MapFlags::empty()))
            .map_err(Error::system("map shared memory"))
    }

    fn map(file: OwnedFd, len: usize, flags: MapFlags) -> io::Result<Self> {
        let mapped = std::num::NonZeroUsize::new(len).unwrap_or(std::num::NonZeroUsize::MIN);
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches
        // no memory that is in use.
        let base = unsafe { mmap(None, mapped, access, MapFlags::MAP_SHARED | flags, &file, 0)? };
        Ok(Self { file, base: base.cast(), len })
    }

    /// The first byte; page-aligned.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl AsFd for SharedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: unmaps exactly what `map` has mapped (invariant), once. It
        // cannot fail for such a range.
        let _ = unsafe { munmap(self.base.cast(), self.len.max(1)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_shared_between_two_mappings_of_one_file() {
        let one = SharedMemory::new(4096).unwrap();
        let file = one.as_fd().try_clone_to_owned().unwrap();
        let two = SharedMemory::from_descriptor(file, 4096).unwrap();
        // SAFETY: both mappings are 4096 bytes long; nobody else knows of them.
        unsafe {
            one.base().add(4095).write(42);
            assert_eq!(two.base().add(4095).read(), 42);
        }
    }

    #[test]
    fn more_memory_than_there_is_is_an_error() {
        let error = SharedMemory::new(1 << 46).unwrap_err();
        assert!(matches!(error, Error::Memory { .. }), "{error}");
        assert!(error.to_string().contains("help:"));
    }

    #[test]
    fn memory_that_could_shrink_is_refused() {
        let file = memfd_create(c"unsealed", MFdFlags::MFD_CLOEXEC).unwrap();
        nix::unistd::ftruncate(&file, 4096).unwrap();
        assert!(SharedMemory::from_descriptor(file, 4096).is_err());
    }
}
