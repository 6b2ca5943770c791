//! What a worker has said and not written yet.

use std::io::{self, IoSlice};

use super::{
    frame::{Failure, MAX_FAILURE, PaceReport, ReplyHeader, RunHeader, reply},
    large::Large,
    status::Tag,
};

/// Replies are gathered up to here.
pub(super) const OUTBOX_BYTES: usize = 64 * 1024;

/// Replies, one behind the other.
#[derive(Default)]
pub(super) struct Outbox {
    pub(super) bytes: Vec<u8>,
}

impl Outbox {
    pub(super) fn say(&mut self, kind: u32, tag: Tag, len: usize) {
        let header = ReplyHeader { kind, tag, len: len as u64 };
        self.bytes.extend_from_slice(bytemuck::bytes_of(&header));
    }

    pub(super) fn say_failure(&mut self, kind: u32, tag: Tag, failure: Failure) {
        let bytes = postcard::to_stdvec(&failure.cut()).expect("texts can be encoded");
        self.say(kind, tag, bytes.len());
        self.bytes.extend_from_slice(&bytes);
    }

    pub(super) fn say_pace(&mut self, report: PaceReport) {
        self.say(reply::PACE, 0, size_of::<PaceReport>());
        self.bytes.extend_from_slice(bytemuck::bytes_of(&report));
    }

    /// Says what `compute` appends, or why it did not: then that must be
    /// nothing. If it returns a large output instead, that is to be written
    /// behind what was said.
    pub(super) fn say_output(
        &mut self,
        tag: Tag,
        compute: impl FnOnce(&mut Vec<u8>) -> Result<Option<Box<dyn Large>>, Failure>,
    ) -> Option<Box<dyn Large>> {
        let start = self.bytes.len();
        self.say(reply::DONE, tag, 0);
        match compute(&mut self.bytes) {
            Ok(large) => {
                let here = self.bytes.len() - start - size_of::<ReplyHeader>();
                let len = large.as_ref().map_or(here, |large| large.bytes().len()) as u64;
                self.put(start, bytemuck::bytes_of(&ReplyHeader { kind: reply::DONE, tag, len }));
                large
            }
            Err(failure) => {
                self.bytes.truncate(start);
                self.say_failure(reply::FAILED, tag, failure);
                None
            }
        }
    }

    /// Says the outputs that `compute` puts in the place of `count` of `size`
    /// zeros each, and which of them, the first so many, it has put there.
    pub(super) fn say_outputs(
        &mut self,
        tag: Tag,
        (count, size): (usize, usize),
        compute: impl FnOnce(&mut [u8]) -> usize,
    ) {
        let start = self.bytes.len();
        let outputs = start + size_of::<ReplyHeader>() + size_of::<RunHeader>();
        self.bytes.resize(outputs + count * size, 0);
        let done = compute(&mut self.bytes[outputs..]);
        if done == 0 {
            return self.bytes.truncate(start);
        }
        self.bytes.truncate(outputs + done * size);
        let run = RunHeader { count: done as u32, size: size as u32 };
        let len = (self.bytes.len() - start - size_of::<ReplyHeader>()) as u64;
        self.put(start, bytemuck::bytes_of(&ReplyHeader { kind: reply::RUN, tag, len }));
        self.put(start + size_of::<ReplyHeader>(), bytemuck::bytes_of(&run));
    }

    fn put(&mut self, start: usize, bytes: &[u8]) {
        self.bytes[start..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Writes what was said, and `more` behind it from where it lies: with one
    /// system call, if that is what a write is.
    pub(super) fn write_with(&mut self, more: &[u8], port: &mut impl io::Write) -> io::Result<()> {
        let mut parts = [IoSlice::new(&self.bytes), IoSlice::new(more)];
        let mut parts = &mut parts[..];
        // Empty parts are none.
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            match port.write_vectored(parts) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut parts, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.bytes.clear();
        // One large result must not be paid for as long as the worker lives.
        self.bytes.shrink_to(16 * OUTBOX_BYTES);
        Ok(())
    }
}

impl Failure {
    /// With texts short enough for [`MAX_FAILURE`].
    pub(super) fn cut(mut self) -> Self {
        let texts = match &mut self {
            Self::Panicked { message, backtrace } => [Some(message), backtrace.as_mut()],
            Self::Value { why, .. } => [Some(why), None],
        };
        for text in texts.into_iter().flatten() {
            text.truncate(text.floor_char_boundary(MAX_FAILURE / 2 - 64));
        }
        self
    }
}
