//! How far one side of a queue has come: two numbers that change at once.
//!
//! The numbers lie in one of two slots, and the lowest bit of a version says
//! in which. To change them, both are written to the other slot, then the
//! version is raised: that one store is the change. So a process that dies in
//! between has changed nothing, and one that is stopped there keeps no reader
//! waiting (unlike a seqlock, whose writer leaves an odd version behind).

use crate::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// A point in the stream of items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Bytes before it.
    pub(super) position: u64,
    /// Items before it.
    pub(super) items: u64,
}

/// A [`Mark`] in shared memory with one writer at a time and any number of
/// readers. All bytes zero: the beginning.
///
/// A cache line of its own, since the other side reads it while this side
/// writes what lies beside it.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub(super) struct Progress {
    version: AtomicU64,
    slots: [Slot; 2],
}

#[repr(C)]
#[derive(Debug, Default)]
struct Slot {
    position: AtomicU64,
    items: AtomicU64,
}

impl Progress {
    /// The mark, from whoever reads.
    pub(super) fn read(&self) -> Mark {
        // Pairs with the Release store of `advance`: whoever sees the version
        // sees the numbers, and the items before them.
        let mut version = self.version.load(Acquire);
        loop {
            let slot = &self.slots[(version & 1) as usize];
            // Pairs with the Release stores to the slot: whoever sees a number
            // of the version after the next sees the next version below.
            let mark =
                Mark { position: slot.position.load(Acquire), items: slot.items.load(Acquire) };
            let now = self.version.load(Acquire);
            if now == version {
                return mark;
            }
            version = now;
        }
    }

    /// The mark, from the writer.
    pub(super) fn own(&self) -> Mark {
        let slot = &self.slots[(self.version.load(Relaxed) & 1) as usize];
        Mark { position: slot.position.load(Relaxed), items: slot.items.load(Relaxed) }
    }

    /// Changes it; for the one writer.
    pub(super) fn advance(&self, mark: Mark) {
        let next = self.version.load(Relaxed).wrapping_add(1);
        let slot = &self.slots[(next & 1) as usize];
        slot.position.store(mark.position, Release);
        slot.items.store(mark.items, Release);
        // The change. Pairs with the Acquire load in `read`.
        self.version.store(next, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_never_see_one_number_without_the_other() {
        let rounds = if cfg!(miri) { 300 } else { 100_000 };
        let progress = Progress::default();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut last = Mark::default();
                    while last.items < rounds {
                        let mark = progress.read();
                        assert_eq!(mark.position, mark.items * 8);
                        assert!(mark.items >= last.items, "it never goes back");
                        last = mark;
                    }
                });
            }
            for items in 1..=rounds {
                progress.advance(Mark { position: items * 8, items });
                assert_eq!(progress.own().items, items);
            }
        });
    }

    #[test]
    fn a_change_that_was_not_finished_is_none() {
        let progress = Progress::default();
        progress.advance(Mark { position: 16, items: 1 });
        // All that `advance` does but its last store.
        progress.slots[0].position.store(99, Release);
        assert_eq!(progress.read(), Mark { position: 16, items: 1 });
        assert_eq!(progress.own(), Mark { position: 16, items: 1 });
        progress.advance(Mark { position: 24, items: 2 });
        assert_eq!(progress.read(), Mark { position: 24, items: 2 });
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::{sync::Arc, thread};

    use super::*;

    #[test]
    fn loom_a_reader_sees_two_numbers_that_belong_together_and_what_was_written_before_them() {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(|| {
            let shared = Arc::new((Progress::default(), [AtomicU64::new(0), AtomicU64::new(0)]));
            let reader = thread::spawn({
                let shared = Arc::clone(&shared);
                move || {
                    let (progress, written) = &*shared;
                    let mark = progress.read();
                    assert_eq!(mark.position, mark.items * 8);
                    let before = &written[..mark.items as usize];
                    assert!(before.iter().all(|item| item.load(Relaxed) == 7));
                }
            });
            let (progress, written) = &*shared;
            for (item, items) in written.iter().zip(1..) {
                item.store(7, Relaxed);
                progress.advance(Mark { position: items * 8, items });
            }
            reader.join().unwrap();
        });
    }
}
