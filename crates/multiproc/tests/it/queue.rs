//! Queues between processes, with every start method. Tests with names like
//! `test_put` keep what CPython's tests of that name check.

use std::time::{Duration, Instant};

use multiproc::{Error, JoinableQueue, Process, Queue, SimpleQueue, StartMethod};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use crate::{in_a_process_of_its_own, with_every_start_method};

/// A wait that ends by time-out: short, but not nothing.
const SHORT: Duration = Duration::from_millis(100);

pub(crate) fn started<A, F>(method: StartMethod, target: F, arguments: A) -> Process
where
    A: Serialize + DeserializeOwned + Send + 'static,
    F: Fn(A) + Copy + Send + 'static,
{
    let mut process = Process::new(target, arguments).start_method(method);
    process.start().unwrap();
    process
}

/// Waits for a process that is expected to end well.
pub(crate) fn join(mut process: Process) {
    process.join().unwrap();
    assert_eq!(process.exit_code(), Some(0), "its message is above");
}

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
        join(process);
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
        join(process);

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
        join(process);
    });
}

#[test]
fn test_qsize() {
    let queue = Queue::<i32>::new().unwrap();
    assert_eq!(queue.len(), 0);
    queue.put(&1).unwrap();
    assert_eq!(queue.len(), 1);
    queue.put(&5).unwrap();
    assert_eq!(queue.len(), 2);
    queue.get().unwrap();
    assert_eq!(queue.len(), 1);
    queue.get().unwrap();
    assert_eq!(queue.len(), 0);
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
        assert_eq!(results.len(), 10, "what was done before `task_done` is done after `join`");
        workers.iter().for_each(|_| queue.put(&None).unwrap());
        workers.into_iter().for_each(join);

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
    let queue = Queue::<i32>::new().unwrap();
    let start = Instant::now();
    assert!(matches!(queue.get_timeout(Duration::from_millis(200)), Err(Error::Empty)));
    assert!(start.elapsed() >= Duration::from_millis(200));
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
            join(process);
            assert!(!queue.is_empty());
            assert!(queue.get().unwrap());
            assert!(!queue.get().unwrap());
            assert!(queue.is_empty());
        });
    }

    #[test]
    fn test_close() {
        let queue = SimpleQueue::<u8>::new().unwrap();
        queue.close();
        queue.close();
        assert!(matches!(queue.put(&1), Err(Error::Closed)));
        assert!(matches!(queue.get(), Err(Error::Closed)));
    }
}

#[test]
fn closing_wakes_those_who_wait_in_other_processes_and_loses_nothing() {
    with_every_start_method(|method| {
        let full = Queue::<u8>::bounded(1).unwrap();
        let empty = Queue::<u8>::new().unwrap();
        full.put(&1).unwrap();
        let waiters = [
            started(
                method,
                |full: Queue<u8>| assert!(matches!(full.put(&2), Err(Error::Closed))),
                full.clone(),
            ),
            started(method, |empty: Queue<u8>| assert_eq!(empty.iter().count(), 0), empty.clone()),
        ];
        full.close();
        empty.close();
        waiters.into_iter().for_each(join);
        assert_eq!(full.iter().map(Result::unwrap).collect::<Vec<_>>(), [1]);
    });
}

#[test]
fn siblings_and_grandchildren_use_the_queue_that_their_ancestor_made() {
    with_every_start_method(|method| {
        let queue = Queue::<(u8, u32)>::bounded(10).unwrap();
        let put = |(who, queue): (u8, Queue<(u8, u32)>)| {
            (0..1000).for_each(|number| queue.put(&(who, number)).unwrap());
        };
        let sibling = started(method, put, (1, queue.clone()));
        let child = started(
            method,
            |(method, queue): (u8, Queue<(u8, u32)>)| {
                let put = |(who, queue): (u8, Queue<(u8, u32)>)| {
                    (0..1000).for_each(|number| queue.put(&(who, number)).unwrap());
                };
                join(started(StartMethod::ALL[method as usize], put, (2, queue)));
            },
            (method as u8, queue.clone()),
        );
        let mut next = [0; 3];
        for _ in 0..2000 {
            let (who, number) = queue.get().unwrap();
            assert_eq!(number, next[who as usize], "in the order of {who}");
            next[who as usize] += 1;
        }
        assert_eq!(next, [0, 1000, 1000]);
        join(sibling);
        join(child);
    });
}

#[test]
fn two_producers_and_two_consumers_pass_every_item_once_and_in_order() {
    with_every_start_method(|method| {
        const EACH: u32 = 20_000;
        let items = Queue::<(u8, u32)>::bounded(100).unwrap();
        let sums = Queue::<(u64, u64)>::new().unwrap();
        let consume = |(items, sums): (Queue<(u8, u32)>, Queue<(u64, u64)>)| {
            let (mut last, mut count, mut sum) = ([None; 2], 0, 0);
            for (producer, number) in items.iter().map(Result::unwrap) {
                let last = last[producer as usize].replace(number);
                assert!(last < Some(number), "{producer}: {number} after {last:?}");
                count += 1;
                sum += u64::from(number);
            }
            sums.put(&(count, sum)).unwrap();
        };
        let produce = |(who, items): (u8, Queue<(u8, u32)>)| {
            (0..EACH).for_each(|number| items.put(&(who, number)).unwrap());
        };
        let consumers: Vec<Process> =
            (0..2).map(|_| started(method, consume, (items.clone(), sums.clone()))).collect();
        let producers: Vec<Process> =
            (0..2).map(|who| started(method, produce, (who, items.clone()))).collect();
        producers.into_iter().for_each(join);
        items.close();
        consumers.into_iter().for_each(join);
        let [one, two] = [sums.get().unwrap(), sums.get().unwrap()];
        assert_eq!(one.0 + two.0, u64::from(2 * EACH));
        assert_eq!(one.1 + two.1, (0..u64::from(EACH)).sum::<u64>() * 2);
    });
}

#[test]
fn a_process_that_put_ten_megabytes_is_joined_before_anybody_gets_them() {
    with_every_start_method(|method| {
        let queue = Queue::<String>::new().unwrap();
        let put = |queue: Queue<String>| {
            queue.put(&"x".repeat(10 << 20)).unwrap();
            (0..1000).for_each(|number| queue.put(&number.to_string()).unwrap());
        };
        join(started(method, put, queue.clone()));
        assert_eq!(queue.len(), 1001);
        assert_eq!(queue.get().unwrap().len(), 10 << 20);
        (0..1000).for_each(|number| assert_eq!(queue.get().unwrap(), number.to_string()));
    });
}

#[test]
fn a_queue_travels_inside_a_users_own_type() {
    #[derive(Serialize, Deserialize)]
    struct Job {
        name: String,
        answers: Option<JoinableQueue<String>>,
    }

    with_every_start_method(|method| {
        let answers = JoinableQueue::new().unwrap();
        let job = Job { name: "seven".to_owned(), answers: Some(answers.clone()) };
        join(started(method, |job: Job| job.answers.unwrap().put(&job.name).unwrap(), job));
        assert_eq!(answers.get().unwrap(), "seven");
    });
}

#[test]
fn a_handle_cannot_be_an_item_and_the_error_says_what_can_be_done() {
    let queue = Queue::<SimpleQueue<u8>>::new().unwrap();
    let error = queue.put(&SimpleQueue::new().unwrap()).unwrap_err();
    assert!(matches!(error, Error::Encode { .. }), "{error}");
    assert!(error.to_string().contains("sent over a connection"), "{error}");
    assert!(queue.is_empty());
}

#[test]
fn threads_of_one_process_share_a_queue() {
    let queue = Queue::<u64>::bounded(3).unwrap();
    let sum: u64 = std::thread::scope(|scope| {
        let getters: Vec<_> =
            (0..3).map(|_| scope.spawn(|| queue.iter().map(Result::unwrap).sum::<u64>())).collect();
        let putters: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| (1..=1000).for_each(|number| queue.put(&number).unwrap())))
            .collect();
        putters.into_iter().for_each(|putter| putter.join().unwrap());
        queue.close();
        getters.into_iter().map(|getter| getter.join().unwrap()).sum()
    });
    assert_eq!(sum, 3 * 500_500);
}

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

/// Bytes of memory in the shared memory files that this process has open.
pub(crate) fn memory_of_queues() -> u64 {
    use std::os::unix::fs::MetadataExt;
    let files = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    files
        .filter(|file| {
            let target = std::fs::read_link(file.path()).unwrap_or_default();
            target.to_string_lossy().contains("memfd:")
        })
        .map(|file| std::fs::metadata(file.path()).unwrap().blocks() * 512)
        .sum()
}
