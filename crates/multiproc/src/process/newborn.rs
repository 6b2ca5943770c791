//! The id of what the fork server has forked last, in memory that it shares
//! with its parent.
//!
//! The kernel writes it before the child runs. So if the server dies before it
//! has answered, its parent knows whether there is a child, and which.

use std::{
    fs::File,
    io::{self, Write},
    num::NonZeroUsize,
    os::fd::OwnedFd,
    ptr::NonNull,
    sync::atomic::{AtomicI32, Ordering::Relaxed},
};

use nix::sys::{
    memfd::{MFdFlags, memfd_create},
    mman::{MapFlags, ProtFlags, mmap, munmap},
};

use crate::memory::may_be_file;

const LEN: NonZeroUsize = NonZeroUsize::new(size_of::<AtomicI32>()).unwrap();

/// Invariant: `word` is mapped until this value is dropped, in a file that is
/// as large, and changes through atomics and by the kernel only.
#[derive(Debug)]
pub(super) struct Newborn {
    word: NonNull<AtomicI32>,
}

// SAFETY: the mapping belongs to the process, not to a thread, and is accessed
// through an atomic.
unsafe impl Send for Newborn {}
// SAFETY: as above.
unsafe impl Sync for Newborn {}

impl Newborn {
    /// The parent's, and the file that the server opens it from.
    pub(super) fn new() -> io::Result<(Self, OwnedFd)> {
        may_be_file(LEN.get() as u64)?;
        let mut file = File::from(memfd_create(c"multiproc-newborn", MFdFlags::MFD_CLOEXEC)?);
        // Written, and so reserved: an access cannot raise `SIGBUS`.
        file.write_all(&[0; LEN.get()])?;
        let file = OwnedFd::from(file);
        Ok((Self::open(&file)?, file))
    }

    /// The server's.
    pub(super) fn open(file: &OwnedFd) -> io::Result<Self> {
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no
        // memory that is in use.
        let word = unsafe { mmap(None, LEN, access, MapFlags::MAP_SHARED, file, 0)? };
        Ok(Self { word: word.cast() })
    }

    /// Before a fork is asked for: there is none.
    pub(super) fn clear(&self) {
        // The request and the answer, system calls both, keep the order.
        self.get().store(0, Relaxed);
    }

    /// The child that was forked since, when the server has ended.
    pub(super) fn pid(&self) -> Option<libc::pid_t> {
        Some(self.get().load(Relaxed)).filter(|&pid| pid != 0)
    }

    /// Where the kernel is to write it.
    pub(super) fn word(&self) -> *mut libc::pid_t {
        self.word.as_ptr().cast()
    }

    fn get(&self) -> &AtomicI32 {
        // SAFETY: mapped, aligned to a page, and accessed through atomics in all
        // processes (the type's invariant).
        unsafe { self.word.as_ref() }
    }
}

impl Drop for Newborn {
    fn drop(&mut self) {
        // SAFETY: this value's own mapping, to which no reference is left.
        let _ = unsafe { munmap(self.word.cast(), LEN.get()) };
    }
}
