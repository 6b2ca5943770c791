//! What CPython's tests of these names check.

use std::time::{Duration, Instant};

use multiproc::{Error, JoinableQueue, Process, Queue, SimpleQueue};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ends_well, started};
use crate::with_every_start_method;

/// A wait that ends by time-out: short, but not nothing.
const SHORT: Duration = Duration::from_millis(100);

#[test]
fn test_put() {
    with_every_start_method(|method| {
        let queue = Queue::<i32>::bounded(6).unwrap();
        let child_can_start = SimpleQueue::<()>::new().unwrap();
        let parent_can_continue = SimpleQueue::<()>::new().unwrap();
        let process = started(
            method,
            |(queue, start, done): (Queue<i32>, SimpleQueue<()>, SimpleQueue<()>)| {
                start.get().unwrap();
                (1..=6).for_each(|expected| assert_eq!(queue.get().unwrap(), expected));
                done.put(&()).unwrap();
            },
            (queue.clone(), child_can_start.clone(), parent_can_continue.clone()),
        );
        assert!(queue.is_empty() && !queue.is_full());

        queue.put(&1).unwrap();
        queue.put(&2).unwrap();
        queue.put_timeout(&3, Duration::MAX).unwrap();
        queue.put_timeout(&4, SHORT).unwrap();
        queue.try_put(&5).unwrap();
        queue.try_put(&6).unwrap();
        assert!(!queue.is_empty() && queue.is_full());

        assert!(matches!(queue.try_put(&7), Err(Error::Full)));
        let start = Instant::now();
        assert!(matches!(queue.put_timeout(&7, SHORT), Err(Error::Full)));
        assert!(start.elapsed() >= SHORT);
        assert!(matches!(queue.put_timeout(&7, Duration::ZERO), Err(Error::Full)));

        child_can_start.put(&()).unwrap();
        parent_can_continue.get().unwrap();
        assert!(queue.is_empty() && !queue.is_full());
        ends_well(process);
    });
}

#[test]
fn test_get() {
    with_every_start_method(|method| {
        let queue = Queue::<i32>::new().unwrap();
        let child_can_start = SimpleQueue::<()>::new().unwrap();
        let process = started(
            method,
            |(queue, start): (Queue<i32>, SimpleQueue<()>)| {
                start.get().unwrap();
                (2..=5).for_each(|item| queue.put(&item).unwrap());
            },
            (queue.clone(), child_can_start.clone()),
        );
        assert!(queue.is_empty());
        child_can_start.put(&()).unwrap();
        ends_well(process);

        // Python's items may still be in a buffer here. Ours are there.
        assert_eq!(queue.len(), 4);
        assert_eq!(queue.try_get().unwrap(), 2);
        assert_eq!(queue.get().unwrap(), 3);
        assert_eq!(queue.get_timeout(SHORT).unwrap(), 4);
        assert_eq!(queue.get_timeout(Duration::MAX).unwrap(), 5);
        assert!(queue.is_empty());

        assert!(matches!(queue.try_get(), Err(Error::Empty)));
        assert!(matches!(queue.get_timeout(Duration::ZERO), Err(Error::Empty)));
        let start = Instant::now();
        assert!(matches!(queue.get_timeout(SHORT), Err(Error::Empty)));
        assert!(start.elapsed() >= SHORT);
    });
}

#[test]
fn test_fork() {
    with_every_start_method(|method| {
        let queue = Queue::<i32>::new().unwrap();
        (0..10).for_each(|item| queue.put(&item).unwrap());
        let puts_more = |queue: Queue<i32>| (10..20).for_each(|item| queue.put(&item).unwrap());
        let process = started(method, puts_more, queue.clone());
        (0..20).for_each(|item| assert_eq!(queue.get().unwrap(), item));
        assert!(matches!(queue.try_get(), Err(Error::Empty)));
        ends_well(process);
    });
}

#[test]
fn test_qsize() {
    with_every_start_method(|method| {
        let queue = Queue::<i32>::new().unwrap();
        assert_eq!(queue.len(), 0);
        ends_well(started(method, |queue: Queue<i32>| queue.put(&1).unwrap(), queue.clone()));
        assert_eq!(queue.len(), 1);
        queue.put(&5).unwrap();
        let gets = |queue: Queue<i32>| {
            assert_eq!(queue.len(), 2);
            queue.get().unwrap();
            assert_eq!(queue.len(), 1);
        };
        ends_well(started(method, gets, queue.clone()));
        assert_eq!(queue.len(), 1);
        queue.get().unwrap();
        ends_well(started(method, |queue: Queue<i32>| assert_eq!(queue.len(), 0), queue.clone()));
    });
}

#[test]
fn test_task_done() {
    with_every_start_method(|method| {
        let queue = JoinableQueue::<Option<u32>>::new().unwrap();
        let work = |(queue, results): (JoinableQueue<Option<u32>>, Queue<u32>)| {
            while let Some(item) = queue.get().unwrap() {
                results.put(&item).unwrap();
                queue.task_done().unwrap();
            }
        };
        let results = Queue::new().unwrap();
        let workers: Vec<Process> =
            (0..4).map(|_| started(method, work, (queue.clone(), results.clone()))).collect();
        (0..10).for_each(|item| queue.put(&Some(item)).unwrap());
        queue.join();
        assert_eq!(results.len(), 10, "what was done before `task_done` is done after `ends_well`");
        workers.iter().for_each(|_| queue.put(&None).unwrap());
        workers.into_iter().for_each(ends_well);

        // The four `None` that nobody has reported.
        assert_eq!(queue.unfinished(), 4);
        assert!(!queue.join_timeout(SHORT));
        (0..4).for_each(|_| queue.task_done().unwrap());
        assert!(queue.join_timeout(Duration::ZERO));
        assert!(matches!(queue.task_done(), Err(Error::TooManyTasksDone)));
    });
}

#[test]
fn test_timeout() {
    with_every_start_method(|method| {
        let queue = Queue::<i32>::new().unwrap();
        let waits = |queue: Queue<i32>| {
            let start = Instant::now();
            assert!(matches!(queue.get_timeout(2 * SHORT), Err(Error::Empty)));
            assert!(start.elapsed() >= 2 * SHORT);
        };
        let process = started(method, waits, queue.clone());
        waits(queue);
        ends_well(process);
    });
}

/// Refuses to be encoded, or else to be decoded.
#[derive(Debug, PartialEq)]
enum Stubborn {
    NotSerializable,
    NotDeserializable,
    Docile,
}

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::NotSerializable => Err(serde::ser::Error::custom("no")),
            Self::NotDeserializable => false.serialize(serializer),
            Self::Docile => true.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Stubborn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match bool::deserialize(deserializer)? {
            true => Ok(Self::Docile),
            false => Err(serde::de::Error::custom("no")),
        }
    }
}

#[test]
fn test_queue_feeder_donot_stop_onexc() {
    let queue = Queue::bounded(1).unwrap();
    let error = queue.put(&Stubborn::NotSerializable).unwrap_err();
    assert!(matches!(error, Error::Encode { .. }), "{error}");
    assert!(queue.is_empty(), "it takes no room");
    queue.try_put(&Stubborn::Docile).unwrap();
    assert_eq!(queue.len(), 1);
    assert_eq!(queue.get().unwrap(), Stubborn::Docile);
    assert!(queue.is_empty());
}

#[test]
fn an_item_that_cannot_be_decoded_fails_its_get_and_nothing_else() {
    let queue = Queue::new().unwrap();
    for item in [Stubborn::Docile, Stubborn::NotDeserializable, Stubborn::Docile] {
        queue.put(&item).unwrap();
    }
    assert_eq!(queue.get().unwrap(), Stubborn::Docile);
    let error = queue.get().unwrap_err();
    assert!(matches!(error, Error::Decode { .. }), "{error}");
    assert_eq!(queue.get().unwrap(), Stubborn::Docile);
    assert!(queue.is_empty());
}

#[test]
fn test_closed_queue_put_get_exceptions() {
    let (plain, joinable) = (Queue::<String>::new().unwrap(), JoinableQueue::new().unwrap());
    for queue in [&plain, &*joinable] {
        queue.close();
        let error = queue.put(&"foo".to_owned()).unwrap_err();
        assert!(error.to_string().contains("is closed"), "{error}");
        let error = queue.get().unwrap_err();
        assert!(error.to_string().contains("is closed"), "{error}");
    }
}

mod simple_queue {
    use super::*;

    #[test]
    fn test_empty() {
        with_every_start_method(|method| {
            let queue = SimpleQueue::<bool>::new().unwrap();
            let child_can_start = SimpleQueue::<()>::new().unwrap();
            let process = started(
                method,
                |(queue, start): (SimpleQueue<bool>, SimpleQueue<()>)| {
                    start.get().unwrap();
                    queue.put(&true).unwrap();
                    queue.put(&false).unwrap();
                },
                (queue.clone(), child_can_start.clone()),
            );
            assert!(queue.is_empty());
            child_can_start.put(&()).unwrap();
            ends_well(process);
            assert!(!queue.is_empty());
            assert!(queue.get().unwrap());
            assert!(!queue.get().unwrap());
            assert!(queue.is_empty());
        });
    }

    #[test]
    fn test_close() {
        with_every_start_method(|method| {
            let queue = SimpleQueue::<u8>::new().unwrap();
            let closes = |queue: SimpleQueue<u8>| {
                queue.close();
                queue.close();
            };
            let process = started(method, closes, queue.clone());
            // Until the child has closed it.
            assert!(matches!(queue.get(), Err(Error::Closed)));
            assert!(matches!(queue.put(&1), Err(Error::Closed)));
            ends_well(process);
        });
    }
}
