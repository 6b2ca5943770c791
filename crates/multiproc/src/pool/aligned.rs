//! Memory that a worker reuses from task to task.

use super::frame::MOST_KEPT_BYTES;
use crate::memory::{may_be_reclaimed, prefer_huge_pages};

/// More than this is given back at the end of the task that has needed it. To
/// have 64 MiB anew for every task takes longer than to read them from a pipe.
const MOST_REUSED_BYTES: usize = 128 << 20;

/// Bytes that are aligned for every plain type up to 16 bytes.
#[derive(Default)]
pub(super) struct AlignedBytes(Vec<u128>);

impl AlignedBytes {
    /// The first `len` of them, with whatever the last task has left there;
    /// `None` if there is no memory for so many.
    pub(super) fn make(&mut self, len: usize) -> Option<&mut [u8]> {
        self.make_room(len)?;
        Some(self.first_mut(len))
    }

    /// The same, all of them zeros.
    pub(super) fn make_zeros(&mut self, len: usize) -> Option<&mut [u8]> {
        let is_new = self.make_room(len)?;
        let bytes = self.first_mut(len);
        if !is_new {
            bytes.fill(0);
        }
        Some(bytes)
    }

    /// The first `len` of them, which were made.
    pub(super) fn first(&self, len: usize) -> &[u8] {
        &bytemuck::cast_slice(&self.0)[..len]
    }

    /// Gives back what a task has taken that needed much: the next one, which
    /// does not, may need it for itself. Whether there was anything.
    pub(super) fn forget_much(&mut self) -> bool {
        self.forget_beyond(MOST_KEPT_BYTES)
    }

    /// Gives back what is too much even for a next task that needs as much.
    pub(super) fn forget_most(&mut self) {
        self.forget_beyond(MOST_REUSED_BYTES);
    }

    /// Nobody reads them any more, and the system may take back what is much
    /// should it run short before a next task comes.
    pub(super) fn rest(&mut self) {
        if self.size() > MOST_KEPT_BYTES {
            may_be_reclaimed(bytemuck::cast_slice_mut(&mut self.0));
        }
    }

    /// Whether they are new, and zeros.
    fn make_room(&mut self, len: usize) -> Option<bool> {
        let words = len.div_ceil(size_of::<u128>());
        if words < self.0.len() / 2 {
            self.forget_much();
        }
        if words <= self.0.len() {
            return Some(false);
        }
        // First: there may not be memory for both.
        self.0 = Vec::new();
        // The system's own zeros cost nothing before they are written.
        self.0 = bytemuck::allocation::try_zeroed_vec(words).ok()?;
        prefer_huge_pages(bytemuck::cast_slice_mut(&mut self.0));
        Some(true)
    }

    fn forget_beyond(&mut self, most: usize) -> bool {
        let is_beyond = self.size() > most;
        if is_beyond {
            self.0 = Vec::new();
        }
        is_beyond
    }

    fn size(&self) -> usize {
        size_of_val(&*self.0)
    }

    fn first_mut(&mut self, len: usize) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.0)[..len]
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_zeros_whatever_was_there() {
        let mut bytes = AlignedBytes::default();
        bytes.make(100).unwrap().fill(7);
        assert_eq!(bytes.make(40).unwrap(), [7; 40]);
        assert_eq!(bytes.make_zeros(40).unwrap(), [0; 40]);
        assert_eq!(bytes.first(48)[40..], [7; 8]);
        assert_eq!(bytes.make_zeros(1_000).unwrap(), [0; 1_000]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes the memory")]
    fn what_one_task_has_needed_is_there_for_the_next_that_needs_it_and_for_no_other() {
        const MUCH: usize = MOST_KEPT_BYTES + 16;
        let mut bytes = AlignedBytes::default();
        bytes.make(MUCH).unwrap()[0] = 7;
        bytes.forget_most();
        assert_eq!(bytes.make(MUCH).unwrap()[0], 7);
        bytes.make(100).unwrap();
        assert!(bytes.size() < MOST_KEPT_BYTES);
        bytes.make(MOST_REUSED_BYTES + 16).unwrap();
        bytes.forget_most();
        assert_eq!(bytes.size(), 0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes the memory")]
    fn what_rests_can_be_used_again() {
        let mut bytes = AlignedBytes::default();
        bytes.make(MOST_KEPT_BYTES + 16).unwrap();
        bytes.rest();
        bytes.make(MOST_KEPT_BYTES + 16).unwrap().fill(7);
        assert!(bytes.first(MOST_KEPT_BYTES + 16).iter().all(|&byte| byte == 7));
    }

    #[test]
    fn what_cannot_be_had_is_none_and_leaves_nothing() {
        let mut bytes = AlignedBytes::default();
        assert!(bytes.make(isize::MAX as usize).is_none());
        assert_eq!(bytes.size(), 0);
    }
}
