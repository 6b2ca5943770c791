//! Queues between parents, children, siblings, grandchildren and threads.

use multiproc::{Error, JoinableQueue, Process, Queue, SimpleQueue, StartMethod};
use serde::{Deserialize, Serialize};

use super::{ends_well, started};
use crate::with_every_start_method;

/// Numbers, each with who has put it.
type Numbered = Queue<(u8, u32)>;

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
        waiters.into_iter().for_each(ends_well);
        assert_eq!(full.iter().map(Result::unwrap).collect::<Vec<_>>(), [1]);
    });
}

#[test]
fn siblings_and_grandchildren_use_the_queue_that_their_ancestor_made() {
    with_every_start_method(|method| {
        let queue = Numbered::bounded(10).unwrap();
        let put = |(who, queue): (u8, Numbered)| {
            (0..1000).for_each(|number| queue.put(&(who, number)).unwrap());
        };
        let sibling = started(method, put, (1, queue.clone()));
        let child = started(
            method,
            |(method, queue): (u8, Numbered)| {
                let put = |(who, queue): (u8, Numbered)| {
                    (0..1000).for_each(|number| queue.put(&(who, number)).unwrap());
                };
                ends_well(started(StartMethod::ALL[method as usize], put, (2, queue)));
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
        ends_well(sibling);
        ends_well(child);
    });
}

#[test]
fn two_producers_and_two_consumers_pass_every_item_once_and_in_order() {
    with_every_start_method(|method| {
        const EACH: u32 = 20_000;
        let items = Numbered::bounded(100).unwrap();
        let sums = Queue::<(u64, u64)>::new().unwrap();
        let consume = |(items, sums): (Numbered, Queue<(u64, u64)>)| {
            let (mut last, mut count, mut sum) = ([None; 2], 0, 0);
            for (producer, number) in items.iter().map(Result::unwrap) {
                let last = last[producer as usize].replace(number);
                assert!(last < Some(number), "{producer}: {number} after {last:?}");
                count += 1;
                sum += u64::from(number);
            }
            sums.put(&(count, sum)).unwrap();
        };
        let produce = |(who, items): (u8, Numbered)| {
            (0..EACH).for_each(|number| items.put(&(who, number)).unwrap());
        };
        let consumers: Vec<Process> =
            (0..2).map(|_| started(method, consume, (items.clone(), sums.clone()))).collect();
        let producers: Vec<Process> =
            (0..2).map(|who| started(method, produce, (who, items.clone()))).collect();
        producers.into_iter().for_each(ends_well);
        items.close();
        consumers.into_iter().for_each(ends_well);
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
        ends_well(started(method, put, queue.clone()));
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
        ends_well(started(method, |job: Job| job.answers.unwrap().put(&job.name).unwrap(), job));
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
