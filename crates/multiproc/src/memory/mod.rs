//! Memory that processes share.
//!
//! An anonymous memory file (memfd): it has no name in any file system, so
//! nothing is left when the last process that holds it is gone. All of its
//! pages are reserved when it is made and its size is sealed, so a full
//! memory is an error there and then, and no access can raise `SIGBUS` later.

mod access;
mod available;
mod huge;
mod placed;
mod words;

use std::{
    io,
    num::NonZeroUsize,
    ops::Range,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::NonNull,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use nix::{
    errno::Errno,
    fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl},
    sys::{
        memfd::{MFdFlags, memfd_create},
        mman::{MapFlags, ProtFlags, mmap, munmap},
    },
    unistd::ftruncate,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) use available::{file_size_limit, may_be_file, may_be_taken, physical};
pub(crate) use huge::{may_be_reclaimed, prefer_huge_pages};
pub(crate) use placed::{Placed, SharedLayout, fingerprint};
pub(crate) use words::{WORD, Words};

use crate::{Error, ParentEnd, Result, codec};

const SIZE_IS_SEALED: SealFlag = SealFlag::F_SEAL_SHRINK.union(SealFlag::F_SEAL_GROW);

/// What one call takes at a time, in bytes.
const PIECE: usize = 1 << 20;

/// A piece of memory that processes share, mapped for reading and writing.
///
/// Clones are the same memory. So is what another process decodes, to which
/// it was given at its start or sent over a connection. The memory is gone
/// with the last handle in any process.
#[derive(Clone, Debug)]
pub struct SharedMemory {
    mapping: Arc<Mapping>,
}

/// Invariant: `base` is page-aligned and `len` bytes from it on are mapped,
/// readable and writable until this value is dropped, in a file whose size is
/// sealed.
#[derive(Debug)]
struct Mapping {
    file: ParentEnd<OwnedFd>,
    base: NonNull<u8>,
    len: usize,
    /// Says whether something in the memory at this address forbids to unmap it.
    is_pinned: OnceLock<fn(NonNull<u8>) -> bool>,
    /// Nobody needs it any more but those who have handles here.
    is_last: AtomicBool,
}

// SAFETY: the mapping belongs to the process, not to a thread, and this type
// gives out its address only (see `base`).
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl SharedMemory {
    /// `len` zero bytes, every page reserved and present.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`] if they cannot be had.
    pub fn new(len: usize) -> Result<Self> {
        let create = || {
            available::may_be_mapped(len as u64)?;
            let file = sealed_file(len, len)?;
            Self::map(file, len, MapFlags::MAP_POPULATE)
        };
        create().map_err(|source| Error::Memory { bytes: len, source })
    }

    /// `len` bytes of address space of which the first `committed` are
    /// memory; the others must not be touched until [`commit`](Self::commit)
    /// has made them so.
    pub(crate) fn reserve(len: usize, committed: usize) -> Result<Self> {
        let create = || {
            let file = sealed_file(len, committed)?;
            Self::map(file, len, MapFlags::MAP_NORESERVE)
        };
        create().map_err(|source| Error::Memory { bytes: len, source })
    }

    /// Makes a range of reserved address space memory, for all processes.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`], and [`Error::NotInherited`] in a forked child of the
    /// process that this handle belongs to, which has the mapping but not the
    /// file.
    pub(crate) fn commit(&self, range: Range<usize>) -> Result<()> {
        assert!(range.end <= self.len(), "within what was reserved");
        if !self.is_of_this_process() {
            return Err(Error::NotInherited);
        }
        let bytes = range.len();
        take(&*self.mapping.file, range).map_err(|source| Error::Memory { bytes, source })
    }

    /// Gives the memory of a range back; what was in it is gone, and it must
    /// not be touched until it is committed again. Where
    /// [`commit`](Self::commit) would refuse, the memory stays.
    pub(crate) fn release(&self, range: Range<usize>) {
        self.mapping.release(range);
    }

    /// Gives all of it back with the last handle of this process, whoever has
    /// it mapped: those who have were forked meanwhile and do not need it.
    pub(crate) fn release_with_last_handle(&self) {
        // Relaxed: whoever drops the last handle sees what others did before they
        // dropped theirs.
        self.mapping.is_last.store(true, Relaxed);
    }

    /// Maps the first `len` bytes of memory that another process made, all of
    /// it if no length is given.
    ///
    /// # Errors
    ///
    /// If it is not sealed, smaller than `len`, or cannot be mapped.
    pub(crate) fn from_descriptor(file: OwnedFd, len: impl Into<Option<usize>>) -> Result<Self> {
        let len = len.into();
        let checked = || -> io::Result<usize> {
            let seals = SealFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GET_SEALS)?);
            let size = nix::sys::stat::fstat(&file)?.st_size as usize;
            if !seals.contains(SIZE_IS_SEALED) || len.is_some_and(|len| len > size) {
                return Err(io::Error::other("the shared memory is not sealed or too small"));
            }
            Ok(len.unwrap_or(size))
        };
        checked()
            .and_then(|len| Self::map(file, len, MapFlags::empty()))
            .map_err(Error::system("map shared memory"))
    }

    fn map(file: OwnedFd, len: usize, flags: MapFlags) -> io::Result<Self> {
        let mapped = NonZeroUsize::new(len).unwrap_or(NonZeroUsize::MIN);
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches
        // no memory that is in use.
        let base = unsafe { mmap(None, mapped, access, MapFlags::MAP_SHARED | flags, &file, 0)? };
        let mapping = Mapping {
            file: ParentEnd::new(file),
            base: base.cast(),
            len,
            is_pinned: OnceLock::new(),
            is_last: AtomicBool::new(false),
        };
        Ok(Self { mapping: Arc::new(mapping) })
    }

    /// Whether this process has mapped it, and was not forked from the one that
    /// has.
    pub(crate) fn is_of_this_process(&self) -> bool {
        self.mapping.file.is_of_this_process()
    }

    /// Keeps the memory mapped for ever if `is_pinned` says so of its first
    /// byte when the last handle is dropped.
    pub(crate) fn keep_mapped_if(&self, is_pinned: fn(NonNull<u8>) -> bool) {
        self.mapping.is_pinned.get_or_init(|| is_pinned);
    }

    /// The first byte; page-aligned.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.mapping.base
    }

    /// Bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.mapping.len
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A memory file of `len` bytes, of which the first `committed` are present.
fn sealed_file(len: usize, committed: usize) -> io::Result<OwnedFd> {
    // A file cannot be mapped if it is empty.
    let size = i64::try_from(len.max(1)).map_err(|_| io::ErrorKind::OutOfMemory)?;
    may_be_file(size as u64)?;
    let file = memfd_create(c"multiproc", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    ftruncate(&file, size)?;
    if committed > 0 {
        take(&file, 0..committed)?;
    }
    fcntl(&file, FcntlArg::F_ADD_SEALS(SIZE_IS_SEALED | SealFlag::F_SEAL_SEAL))?;
    Ok(file)
}

/// Takes memory for a range of the file.
fn take(file: impl AsFd, range: Range<usize>) -> io::Result<()> {
    may_be_taken(range.len() as u64)?;
    // A signal undoes the call that it interrupts. With pieces that take a
    // fraction of a millisecond there is progress between any two signals.
    range.clone().step_by(PIECE).try_for_each(|start| {
        let (start, len) = (start as i64, PIECE.min(range.end - start) as i64);
        loop {
            match fallocate(&file, FallocateFlags::empty(), start, len) {
                Err(Errno::EINTR) => {}
                taken => return Ok(taken?),
            }
        }
    })
}

impl AsFd for SharedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.mapping.file.as_fd()
    }
}

/// On its way to another process, memory that is its user's own. Other kinds
/// are the numbers of what this crate has placed in it, which must not become
/// memory that anybody may write to.
const PLAIN: u64 = 0;

impl SharedMemory {
    /// As what lies in it, the place of its descriptor, and its length.
    fn serialize_as<S: Serializer>(&self, kind: u64, serializer: S) -> Result<S::Ok, S::Error> {
        let place = codec::attach::<S::Error>(&self.mapping.file)?;
        (kind, place, self.len() as u64).serialize(serializer)
    }

    /// The opposite; `name` is the expected kind's.
    fn deserialize_as<'de, D: Deserializer<'de>>(
        kind: u64,
        name: &str,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        let (sent, place, len) = <(u64, u32, u64)>::deserialize(deserializer)?;
        let file = codec::detach(place)?;
        if sent != kind {
            return Err(codec::refuse_to_decode(format!("what was sent is not a {name}")));
        }
        // What is placed in memory relies on having all of it.
        let len = (kind == PLAIN).then_some(len as usize);
        Self::from_descriptor(file, len).map_err(codec::refuse_to_decode)
    }
}

impl Serialize for SharedMemory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize_as(PLAIN, serializer)
    }
}

impl<'de> Deserialize<'de> for SharedMemory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize_as(PLAIN, "SharedMemory", deserializer)
    }
}

impl Mapping {
    fn release(&self, range: Range<usize>) {
        if !self.file.is_of_this_process() {
            return;
        }
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        // If it fails the memory stays until the file is gone.
        let _ = fallocate(&*self.file, flags, range.start as i64, range.len() as i64);
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.is_pinned.get().is_some_and(|is_pinned| is_pinned(self.base)) {
            return;
        }
        if *self.is_last.get_mut() {
            self.release(0..self.len);
        }
        // SAFETY: unmaps exactly what `map` has mapped (invariant), once. It
        // cannot fail for such a range.
        let _ = unsafe { munmap(self.base.cast(), self.len.max(1)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
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
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn more_memory_than_there_is_is_an_error() {
        let error = SharedMemory::new(1 << 46).unwrap_err();
        assert!(matches!(error, Error::Memory { .. }), "{error}");
        assert!(error.to_string().contains("help:"));
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn memory_that_could_shrink_is_refused() {
        let file = memfd_create(c"unsealed", MFdFlags::MFD_CLOEXEC).unwrap();
        nix::unistd::ftruncate(&file, 4096).unwrap();
        assert!(SharedMemory::from_descriptor(file, 4096).is_err());
    }
}
