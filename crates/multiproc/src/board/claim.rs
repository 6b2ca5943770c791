//! A worker's range of unclaimed tasks: `lo..hi` in one atomic word.

use crate::atomic::{AtomicU64, Ordering};

/// Unclaimed tasks. The worker that it belongs to takes from the front, thieves
/// take the back half.
///
/// Orderings: a claim needs none of its own, since it only decides who
/// executes a task. What the task reads was published with the generation and
/// what it writes is published with `completed`.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Range(AtomicU64);

const fn pack(lo: u32, hi: u32) -> u64 {
    (hi as u64) << 32 | lo as u64
}

const fn unpack(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

impl Range {
    /// Replaces the range. Only while it is empty or nobody is active: a
    /// thief's compare-and-swap could bring back what this overwrites.
    pub(super) fn set(&self, lo: u32, hi: u32) {
        self.0.store(pack(lo, hi), Ordering::Relaxed);
    }

    /// Claims the first task.
    #[inline]
    pub(super) fn take_first(&self) -> Option<u32> {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let (lo, hi) = unpack(word);
            if lo >= hi {
                return None;
            }
            match self.claim(word, pack(lo + 1, hi)) {
                Ok(_) => return Some(lo),
                Err(now) => word = now,
            }
        }
    }

    /// Claims the back half, rounded up.
    pub(super) fn steal_half(&self) -> Option<std::ops::Range<u32>> {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let (lo, hi) = unpack(word);
            if lo >= hi {
                return None;
            }
            let middle = lo + (hi - lo) / 2;
            match self.claim(word, pack(lo, middle)) {
                Ok(_) => return Some(middle..hi),
                Err(now) => word = now,
            }
        }
    }

    #[inline]
    fn claim(&self, from: u64, to: u64) -> Result<u64, u64> {
        self.0.compare_exchange_weak(from, to, Ordering::Relaxed, Ordering::Relaxed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn thieves_and_owner_claim_every_task_exactly_once() {
        const TASKS: u32 = if cfg!(miri) { 300 } else { 100_000 };
        let ranges = [(); 4].map(|()| Range(AtomicU64::new(0)));
        ranges[0].set(0, TASKS);
        let start = Barrier::new(ranges.len());
        let claimed: Vec<Vec<u32>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..ranges.len())
                .map(|me| {
                    scope.spawn({
                        let (ranges, start) = (&ranges, &start);
                        move || {
                            start.wait();
                            claim_all(ranges, me)
                        }
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        let mut all: Vec<u32> = claimed.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..TASKS));
    }

    fn claim_all(ranges: &[Range], me: usize) -> Vec<u32> {
        let mut mine = Vec::new();
        loop {
            while let Some(task) = ranges[me].take_first() {
                mine.push(task);
            }
            let stolen =
                (1..ranges.len()).find_map(|k| ranges[(me + k) % ranges.len()].steal_half());
            let Some(stolen) = stolen else { return mine };
            mine.push(stolen.start);
            ranges[me].set(stolen.start + 1, stolen.end);
        }
    }

    #[test]
    fn the_last_task_can_be_stolen() {
        let range = Range(AtomicU64::new(0));
        range.set(7, 8);
        assert_eq!(range.steal_half(), Some(7..8));
        assert_eq!(range.take_first(), None);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::{sync::Arc, thread};

    use super::*;

    /// Takes and steals until there is nothing left, as a worker does.
    fn claim_all(ranges: &[Range], me: usize) -> Vec<u32> {
        let mut mine = Vec::new();
        loop {
            while let Some(task) = ranges[me].take_first() {
                mine.push(task);
            }
            let other = (me + 1) % ranges.len();
            let Some(stolen) = ranges[other].steal_half() else { return mine };
            mine.push(stolen.start);
            ranges[me].set(stolen.start + 1, stolen.end);
        }
    }

    #[test]
    fn loom_no_task_is_claimed_twice_and_none_is_lost() {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(|| {
            let ranges = Arc::new([(); 2].map(|()| Range(AtomicU64::new(0))));
            ranges[0].set(0, 4);
            let thief = thread::spawn({
                let ranges = Arc::clone(&ranges);
                move || claim_all(&*ranges, 1)
            });
            let mut all = claim_all(&*ranges, 0);
            all.extend(thief.join().unwrap());
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2, 3]);
        });
    }
}
