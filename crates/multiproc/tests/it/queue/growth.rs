//! Queues that grow and shrink.

use multiproc::{Error, Queue};

use super::memory_of_queues;
use crate::in_a_process_of_its_own;

#[test]
fn items_of_all_sizes_pass_unchanged_while_the_queue_grows_and_shrinks() {
    in_a_process_of_its_own(|| {
        let queue = Queue::<String>::new().unwrap();
        let item = |round: usize, index: usize| {
            let len = (index * index * 37 + round) % 70_000;
            format!("{round} {index} ").repeat(len / 8 + 1)
        };
        for round in 0..4 {
            // Twice the first area, then much more than is kept.
            let count = if round % 2 == 0 { 10 } else { 600 };
            for index in 0..count {
                queue.put(&item(round, index)).unwrap();
                // Another process would do the same: get some in between.
                if index % 5 == 4 {
                    assert_eq!(queue.get().unwrap(), item(round, index / 5));
                }
            }
            for index in count / 5..count {
                assert_eq!(queue.get().unwrap(), item(round, index));
            }
            assert!(matches!(queue.try_get(), Err(Error::Empty)));
        }
    });
}

#[test]
fn a_queue_that_was_large_gives_its_memory_back_when_it_is_empty() {
    in_a_process_of_its_own(|| {
        let queue = Queue::<String>::new().unwrap();
        let small = memory_of_queues();
        let item = "x".repeat(1 << 20);
        (0..100).for_each(|_| queue.put(&item).unwrap());
        assert!(memory_of_queues() > 100 << 20);
        (0..100).for_each(|_| assert_eq!(queue.get().unwrap(), item));
        assert_eq!(memory_of_queues(), small);
        queue.put(&item).unwrap();
        assert_eq!(queue.get().unwrap(), item);
    });
}
