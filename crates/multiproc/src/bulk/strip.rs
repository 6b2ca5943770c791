//! Chunks as a task's function sees them, one after the other.

use std::{marker::PhantomData, ptr, slice};

use super::claims::Lease;

/// The chunks that a task's function is called for: input to read and output
/// to write.
///
/// The function is compiled together with the loop over them, so that a chunk
/// costs a few instructions more than its work.
///
/// Invariant: the bytes of each chunk that the source has are mapped for `'a`,
/// those of an output are nobody else's from when the source gives the chunk
/// until it gives the next, and inputs and outputs do not overlap.
pub(crate) struct Strip<'a> {
    input: Side,
    output: Side,
    source: Source<'a>,
    /// Called before each chunk.
    before: Option<&'a dyn Fn(u32)>,
    /// Whether outputs are all zeros when the function is called.
    clears: bool,
    bytes: PhantomData<&'a mut [u8]>,
}

/// Where the numbers of the chunks come from.
enum Source<'a> {
    /// Number 0, unless it was given.
    One(bool),
    Leased(Lease<'a>),
}

/// One array of chunks; the last may be shorter, and those behind it are empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side {
    pub(super) base: *mut u8,
    /// Bytes of one chunk.
    pub(super) stride: usize,
    /// Bytes of the array.
    pub(super) len: usize,
}

impl Side {
    /// Where the chunk begins, and its length.
    #[inline]
    pub(super) fn chunk(self, chunk: u32) -> (*mut u8, usize) {
        let start = (chunk as usize).saturating_mul(self.stride).min(self.len);
        (self.base.wrapping_add(start), self.stride.min(self.len - start))
    }
}

impl<'a> Strip<'a> {
    /// One chunk.
    pub(crate) fn one(input: &'a [u8], output: &'a mut [u8]) -> Self {
        let (input_len, output_len) = (input.len(), output.len());
        let input = Side { base: input.as_ptr().cast_mut(), stride: input_len, len: input_len };
        let output = Side { base: output.as_mut_ptr(), stride: output_len, len: output_len };
        Self {
            input,
            output,
            source: Source::One(false),
            before: None,
            clears: false,
            bytes: PhantomData,
        }
    }

    /// The chunks of a lease, with `before` called before each. Where there is
    /// an input, outputs are all zeros at first, whatever somebody has left
    /// there who has not come to the end.
    ///
    /// # Safety
    ///
    /// The chunks of the lease must be as the invariant says.
    pub(super) unsafe fn leased(
        input: Option<Side>,
        output: Side,
        lease: Lease<'a>,
        before: Option<&'a dyn Fn(u32)>,
    ) -> Self {
        let nothing = Side { base: ptr::dangling_mut(), stride: 0, len: 0 };
        let (clears, input) = (input.is_some(), input.unwrap_or(nothing));
        let source = Source::Leased(lease);
        Self { input, output, source, before, clears, bytes: PhantomData }
    }

    /// The next chunk, if there is one: its bytes in the input and in the
    /// output. The one before is done.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<(&[u8], &mut [u8])> {
        let chunk = match &mut self.source {
            Source::Leased(lease) => lease.next()?,
            Source::One(true) => return None,
            Source::One(is_given) => {
                *is_given = true;
                0
            }
        };
        if let Some(before) = self.before {
            before(chunk);
        }
        let (output, output_len) = self.output.chunk(chunk);
        let (input, input_len) = self.input.chunk(chunk);
        // SAFETY: the invariant. The borrow of `self` ends before the next
        // chunk is given, and inputs are not written.
        let (input, output) = unsafe {
            (slice::from_raw_parts(input, input_len), slice::from_raw_parts_mut(output, output_len))
        };
        if self.clears {
            output.fill(0);
        }
        Some((input, output))
    }

    /// The chunk that was given last, of a lease.
    pub(super) fn current(&self) -> Option<u32> {
        match &self.source {
            Source::Leased(lease) => lease.current(),
            Source::One(_) => None,
        }
    }
}
