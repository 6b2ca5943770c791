//! Bytes in a circle: a stretch of memory in which position `p` of an endless
//! stream of bytes lies at offset `p` modulo its capacity.

use std::{marker::PhantomData, ptr::NonNull};

/// Items begin at multiples of this, so that a length word never wraps.
pub(super) const ALIGNMENT: usize = size_of::<u64>();

/// A circle of bytes.
///
/// Invariant: `capacity` bytes from `base` on, which is aligned to
/// [`ALIGNMENT`], are readable and writable for `'a`; `capacity` is a power of
/// two and at least [`ALIGNMENT`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Area<'a> {
    base: NonNull<u8>,
    capacity: usize,
    memory: PhantomData<&'a u8>,
}

impl Area<'_> {
    /// # Safety
    ///
    /// The invariant of the type.
    pub(super) unsafe fn new(base: NonNull<u8>, capacity: usize) -> Self {
        assert!(capacity.is_power_of_two() && capacity >= ALIGNMENT);
        Self { base, capacity, memory: PhantomData }
    }

    /// Bytes.
    pub(super) fn capacity(self) -> usize {
        self.capacity
    }

    /// Writes `bytes` from `position` on.
    ///
    /// # Safety
    ///
    /// Nobody else reads or writes that stretch meanwhile.
    pub(super) unsafe fn write(self, position: u64, bytes: &[u8]) {
        let (offset, before_end) = self.split(position, bytes.len());
        let (first, rest) = bytes.split_at(before_end);
        // SAFETY: `split` keeps both parts in bounds; `bytes` lies elsewhere,
        // since nobody else reads the stretch (contract).
        unsafe {
            self.base.add(offset).copy_from_nonoverlapping(start_of(first), first.len());
            self.base.copy_from_nonoverlapping(start_of(rest), rest.len());
        }
    }

    /// Appends the `len` bytes from `position` on to `buffer`, which has room
    /// for them.
    ///
    /// # Safety
    ///
    /// Nobody writes that stretch meanwhile.
    pub(super) unsafe fn read(self, position: u64, len: usize, buffer: &mut Vec<u8>) {
        let (offset, before_end) = self.split(position, len);
        assert!(buffer.capacity() - buffer.len() >= len, "there is room");
        let spare = NonNull::from(buffer.spare_capacity_mut()).cast::<u8>();
        // SAFETY: `split` keeps both parts in bounds; `spare` has room for
        // them and is nobody else's; afterwards they are initialised.
        unsafe {
            spare.copy_from_nonoverlapping(self.base.add(offset), before_end);
            spare.add(before_end).copy_from_nonoverlapping(self.base, len - before_end);
            buffer.set_len(buffer.len() + len);
        }
    }

    /// # Safety
    ///
    /// As for [`write`](Self::write).
    pub(super) unsafe fn write_word(self, position: u64, word: u64) {
        let offset = self.split(position, ALIGNMENT).0;
        // SAFETY: aligned and in bounds (`split`), as the capacity is a
        // multiple of the alignment.
        unsafe { self.base.add(offset).cast::<u64>().write(word) };
    }

    /// # Safety
    ///
    /// As for [`read`](Self::read).
    pub(super) unsafe fn read_word(self, position: u64) -> u64 {
        let offset = self.split(position, ALIGNMENT).0;
        // SAFETY: as in `write_word`.
        unsafe { self.base.add(offset).cast::<u64>().read() }
    }

    /// Copies a stretch to the same positions of `other`.
    ///
    /// # Safety
    ///
    /// Nobody else reads or writes either meanwhile, and they do not overlap.
    pub(super) unsafe fn copy_to(self, other: Area<'_>, position: u64, len: usize) {
        let (mut position, mut left) = (position, len);
        while left > 0 {
            let (from, here) = self.split(position, left);
            let (to, part) = other.split(position, here);
            // SAFETY: `split` keeps the part in the bounds of both areas,
            // which do not overlap (contract).
            unsafe { other.base.add(to).copy_from_nonoverlapping(self.base.add(from), part) };
            position += part as u64;
            left -= part;
        }
    }

    /// Where `position`, a multiple of the alignment, lies, and how many of
    /// `len` bytes fit between there and the end.
    fn split(self, position: u64, len: usize) -> (usize, usize) {
        assert!(len <= self.capacity, "the stretch fits");
        assert!(position.is_multiple_of(ALIGNMENT as u64), "positions are aligned");
        let offset = position as usize & (self.capacity - 1);
        (offset, len.min(self.capacity - offset))
    }
}

fn start_of(bytes: &[u8]) -> NonNull<u8> {
    NonNull::from(bytes).cast()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory as aligned as a mapping.
    fn memory(words: usize) -> Vec<u64> {
        vec![0; words]
    }

    fn area(memory: &mut [u64]) -> Area<'_> {
        // SAFETY: aligned, that long, and borrowed for as long as the area.
        unsafe { Area::new(NonNull::from(&mut *memory).cast(), size_of_val(memory)) }
    }

    #[test]
    fn what_is_written_over_the_end_is_read_back_whole() {
        let mut memory = memory(4);
        let area = area(&mut memory);
        let mut buffer = vec![7];
        for start in [0, 8, 24, 32, 1 << 40, u64::MAX - 7] {
            for len in 0..=32 {
                let bytes: Vec<u8> = (1..=len).collect();
                buffer.truncate(1);
                buffer.reserve(32);
                // SAFETY: nobody else has the memory.
                unsafe {
                    area.write(start, &bytes);
                    area.read(start, bytes.len(), &mut buffer);
                }
                assert_eq!(buffer[0], 7);
                assert_eq!(buffer[1..], bytes);
            }
        }
    }

    #[test]
    fn a_word_is_the_bytes_that_lie_there() {
        let mut memory = memory(2);
        let area = area(&mut memory);
        // SAFETY: nobody else has the memory.
        unsafe {
            area.write(8, &0x1122_3344_u64.to_ne_bytes());
            assert_eq!(area.read_word(24), 0x1122_3344);
            area.write_word(16, 5);
            assert_eq!(area.read_word(0), 5);
        }
    }

    #[test]
    fn a_larger_area_takes_over_the_same_positions() {
        let (mut small, mut large) = (memory(4), memory(8));
        let (small, large) = (area(&mut small), area(&mut large));
        for start in (0..128).step_by(8) {
            let bytes: Vec<u8> = (0..29).collect();
            let mut buffer = Vec::with_capacity(29);
            // SAFETY: nobody else has the memory.
            unsafe {
                small.write(start, &bytes);
                small.copy_to(large, start, 29);
                large.read(start, 29, &mut buffer);
            }
            assert_eq!(buffer, bytes, "from {start}");
        }
    }

    #[test]
    #[should_panic(expected = "the stretch fits")]
    fn more_than_the_capacity_is_refused() {
        let mut memory = memory(1);
        // SAFETY: nobody else has the memory.
        unsafe { area(&mut memory).write(0, &[0; 9]) };
    }
}
