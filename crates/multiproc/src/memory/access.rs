//! Reading and writing shared memory while others do the same.

use std::{ops::Range, slice};

use super::{
    SharedMemory,
    words::{WORD, Words},
};
use crate::{Error, Result, atomic::AtomicU64};

impl SharedMemory {
    /// Copies the bytes from `offset` on into `into`.
    ///
    /// Several processes may read and write at once. Bytes that are written
    /// meanwhile arrive old or new; aligned groups of eight are never a
    /// mixture. Whoever reads what another process wrote also sees what that
    /// had written before.
    ///
    /// There is no `&[u8]` of shared memory to be had: a reference says that
    /// nobody changes what it leads to, and other processes do.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if not all the bytes are there.
    pub fn read_at(&self, offset: usize, into: &mut [u8]) -> Result<()> {
        self.check(offset, into.len())?;
        self.words().read(offset, into);
        Ok(())
    }

    /// Copies `bytes` to the memory from `offset` on.
    ///
    /// Several processes may write at once, even to neighbouring bytes.
    ///
    /// ```
    /// use multiproc::SharedMemory;
    ///
    /// let memory = SharedMemory::new(512)?;
    /// let same = memory.clone();
    /// memory.write_at(3, b"howdy")?;
    ///
    /// let mut read = [0; 5];
    /// same.read_at(3, &mut read)?;
    /// assert_eq!(&read, b"howdy");
    /// assert!(memory.write_at(510, b"howdy").is_err());
    /// # Ok::<(), multiproc::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if there is not room for all of them; then none
    /// is written.
    pub fn write_at(&self, offset: usize, bytes: &[u8]) -> Result<()> {
        self.check(offset, bytes.len())?;
        self.words().write(offset, bytes);
        Ok(())
    }

    /// A copy of all bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len()];
        self.words().read(0, &mut bytes);
        bytes
    }

    fn check(&self, offset: usize, len: usize) -> Result<()> {
        let range = Range { start: offset, end: offset.saturating_add(len) };
        if range.end <= self.len() {
            Ok(())
        } else {
            Err(Error::OutOfRange { range, len: self.len() })
        }
    }

    /// The last word may be longer than the memory.
    fn words(&self) -> Words<'_> {
        assert_eq!(size_of::<AtomicU64>(), WORD, "the processor's, not a model's");
        let words = self.base().cast::<AtomicU64>();
        // SAFETY: whole pages are mapped as long as `self` lives (invariant
        // of `Mapping`), so the last word is too, and the first one is
        // aligned. Nobody accesses the memory otherwise: what this crate has
        // typed references into is never given out as a `SharedMemory`, here
        // or, by its kind, in another process.
        Words::new(unsafe { slice::from_raw_parts(words.as_ptr(), self.len().div_ceil(WORD)) })
    }
}
