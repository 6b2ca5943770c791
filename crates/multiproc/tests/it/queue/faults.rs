//! Processes that die, stop or run out of something in the middle of a queue's
//! work.

use std::{collections::HashMap, time::Duration};

use multiproc::{Error, Process, Queue, SimpleQueue, StartMethod};
use nix::{
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::{Signal, kill},
    },
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use super::{ends_well, memory_of_queues, started};
use crate::{dice::Dice, in_a_process_of_its_own, with_every_start_method};

/// How long a storm of kills lasts, with each start method.
const STORM: Duration = Duration::from_millis(800);

/// An item that tells whether it is whole.
#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    producer: u32,
    number: u64,
    text: String,
}

impl Sealed {
    fn new(producer: u32, number: u64) -> Self {
        // Up to 4 kB, so that some wrap around the end of the memory.
        let len = (number * 7919 + u64::from(producer)) % 4096;
        let letter = char::from(b'a' + (number % 26) as u8);
        Self { producer, number, text: String::from(letter).repeat(len as usize) }
    }

    /// Panics if it is torn.
    fn check(self) -> (u32, u64) {
        assert_eq!(self.text, Self::new(self.producer, self.number).text, "torn");
        (self.producer, self.number)
    }
}

fn killed(mut process: Process) {
    process.kill();
    process.join().unwrap();
    assert_eq!(process.exit_code(), Some(-9), "it still ran");
}

fn send(signal: Signal, process: &Process) {
    kill(Pid::from_raw(process.pid().unwrap()), signal).unwrap();
}

type Relay = (Queue<Sealed>, Queue<Sealed>);

/// Gets and puts until it is killed or there is nothing to come.
fn relay((from, to): Relay) {
    for item in &from {
        to.put(&item.unwrap()).unwrap();
    }
}

#[test]
fn consumers_killed_at_random_lose_at_most_the_item_they_had_in_hand() {
    with_every_start_method(|method| {
        let (work, done) = (Queue::bounded(50).unwrap(), Queue::new().unwrap());
        let produce = |(who, work, stop): (u32, Queue<Sealed>, Queue<u64>)| {
            let mut number = 0;
            while stop.is_empty() {
                work.put(&Sealed::new(who, number)).unwrap();
                number += 1;
            }
            stop.put(&number).unwrap();
        };
        let stops = [Queue::new().unwrap(), Queue::new().unwrap()];
        let producers: Vec<Process> = (0..2)
            .map(|who| started(method, produce, (who, work.clone(), stops[who as usize].clone())))
            .collect();
        let consumer = || started(method, relay, (work.clone(), done.clone()));
        let mut consumers: Vec<Process> = (0..3).map(|_| consumer()).collect();

        let (mut dice, mut kills, mut seen) = (Dice::new(0x5EED), 0, HashMap::new());
        let mut see = |item: Sealed| {
            let times: &mut u32 = seen.entry(item.check()).or_default();
            *times += 1;
            assert_eq!(*times, 1, "an item was got twice");
        };
        let start = std::time::Instant::now();
        while start.elapsed() < STORM {
            let victim = dice.below(3) as usize;
            // The other two go on: what they do meanwhile takes as long as it takes.
            (0..dice.below(100)).for_each(|_| see(done.get().unwrap()));
            killed(std::mem::replace(&mut consumers[victim], consumer()));
            kills += 1;
        }
        stops.iter().for_each(|stop| stop.put(&0).unwrap());
        producers.into_iter().for_each(ends_well);
        work.close();
        consumers.into_iter().for_each(ends_well);
        done.close();
        done.iter().for_each(|item| see(item.unwrap()));

        stops.iter().for_each(Queue::close);
        let put: u64 = stops.iter().flatten().map(Result::unwrap).sum();
        let lost = put - seen.len() as u64;
        assert!(lost <= kills, "{lost} of {put} items lost by {kills} kills");
    });
}

#[test]
fn producers_killed_at_random_leave_whole_items_in_order_and_others_go_on() {
    with_every_start_method(|method| {
        let queue = Queue::bounded(50).unwrap();
        let produce = |(who, queue): (u32, Queue<Sealed>)| {
            for number in 0.. {
                queue.put(&Sealed::new(who, number)).unwrap();
            }
        };
        let mut count = 0;
        let mut producer = || {
            count += 1;
            (count, started(method, produce, (count, queue.clone())))
        };
        let mut next: HashMap<u32, u64> = HashMap::new();
        let mut see = |item: Sealed| {
            let (producer, number) = item.check();
            let next = next.entry(producer).or_default();
            assert_eq!(number, *next, "of producer {producer}");
            *next += 1;
        };
        let mut producers = [producer(), producer()];
        let mut dice = Dice::new(0xD1CE);
        let start = std::time::Instant::now();
        while start.elapsed() < STORM {
            let victim = dice.below(2) as usize;
            (0..dice.below(200)).for_each(|_| see(queue.get().unwrap()));
            killed(std::mem::replace(&mut producers[victim], producer()).1);
        }
        producers.into_iter().for_each(|(_, process)| killed(process));
        queue.close();
        queue.iter().for_each(|item| see(item.unwrap()));
    });
}

#[test]
fn a_producer_killed_while_the_queue_grows_loses_nothing_and_leaks_no_memory() {
    with_every_start_method(|method| {
        let queue = Queue::<(u64, String)>::new().unwrap();
        for round in 0..15 {
            let has_begun = SimpleQueue::new().unwrap();
            let grow = |(queue, has_begun): (Queue<(u64, String)>, SimpleQueue<()>)| {
                has_begun.put(&()).unwrap();
                for number in 0.. {
                    let letter = char::from(b'a' + (number % 26) as u8);
                    let text = String::from(letter).repeat(200_000);
                    queue.put(&(number, text)).unwrap();
                    if number == 200 {
                        std::thread::sleep(Duration::MAX);
                    }
                }
            };
            let process = started(method, grow, (queue.clone(), has_begun.clone()));
            has_begun.get().unwrap();
            // No handshake: the kill is to come at any moment.
            std::thread::sleep(Duration::from_micros(round * 713));
            killed(process);
            let mut next = 0;
            while let Ok((number, text)) = queue.try_get() {
                assert_eq!(number, next);
                let letter = b'a' + (number % 26) as u8;
                assert!(text.len() == 200_000 && text.bytes().all(|byte| byte == letter), "torn");
                next += 1;
            }
        }
        // The next who comes tidies up what the dead have left.
        queue.put(&(0, "x".repeat(40 << 20))).unwrap();
        queue.get().unwrap();
        queue.put(&(0, String::new())).unwrap();
        queue.get().unwrap();
        assert!(memory_of_queues() < 1 << 20, "{} bytes", memory_of_queues());
    });
}

#[test]
fn a_killed_parent_takes_its_children_along_and_the_queue_goes_on() {
    with_every_start_method(|method| {
        let queue = Queue::<u64>::bounded(5).unwrap();
        let has_children = SimpleQueue::new().unwrap();
        let parent = started(
            method,
            |(method, queue, has_children): (u8, Queue<u64>, SimpleQueue<()>)| {
                let put = |queue: Queue<u64>| {
                    for number in 0.. {
                        queue.put(&number).unwrap();
                    }
                };
                let children =
                    [0; 2].map(|_| started(StartMethod::ALL[method as usize], put, queue.clone()));
                has_children.put(&()).unwrap();
                children.into_iter().for_each(ends_well);
            },
            (method as u8, queue.clone(), has_children.clone()),
        );
        has_children.get().unwrap();
        for _ in 0..100 {
            queue.get().unwrap();
        }
        killed(parent);
        // The grandchildren end soon after; what they have put is there.
        while queue.get_timeout(Duration::from_millis(200)).is_ok() {}
        queue.put(&7).unwrap();
        assert_eq!(queue.try_get().unwrap(), 7);
    });
}

#[test]
fn a_stopped_process_is_waited_for_no_longer_than_asked() {
    with_every_start_method(|method| {
        let queue = Queue::<String>::bounded(2).unwrap();
        let put = |queue: Queue<String>| {
            let item = "x".repeat(4 << 20);
            while queue.put(&item).is_ok() {}
        };
        let process = started(method, put, queue.clone());
        let (mut dice, mut found_stuck) = (Dice::new(0x57_0B), false);
        // Until it was stopped while it was its turn: most of its time.
        for _ in 0..300 {
            queue.get().unwrap();
            std::thread::sleep(Duration::from_micros(dice.below(2000)));
            send(Signal::SIGSTOP, &process);
            while queue.try_get().is_ok() {}
            let outcome = queue.put_timeout(&String::new(), Duration::from_millis(5));
            found_stuck |= matches!(outcome, Err(Error::TimedOut));
            assert!(matches!(outcome, Ok(()) | Err(Error::TimedOut)), "{outcome:?}");
            assert!(queue.len() <= 2);
            send(Signal::SIGCONT, &process);
            if found_stuck {
                break;
            }
        }
        assert!(found_stuck);
        queue.close();
        while queue.get().is_ok() {}
        ends_well(process);
    });
}

#[test]
fn a_getter_killed_while_it_sleeps_takes_no_item_and_no_wake_up_with_it() {
    with_every_start_method(|method| {
        let (items, results) = (Queue::<u64>::new().unwrap(), Queue::<u64>::new().unwrap());
        let sleepers = || {
            started(
                method,
                |(items, results): (Queue<u64>, Queue<u64>)| {
                    items.iter().for_each(|item| results.put(&item.unwrap()).unwrap());
                },
                (items.clone(), results.clone()),
            )
        };
        let survivor = sleepers();
        for round in 0..20 {
            let victim = sleepers();
            std::thread::sleep(Duration::from_millis(round % 4));
            victim.kill();
            items.put(&round).unwrap();
            killed(victim);
        }
        items.close();
        ends_well(survivor);
        results.close();
        let results: Vec<u64> = results.iter().map(Result::unwrap).collect();
        // A victim may have had one in hand when the signal came.
        assert!(!results.is_empty() && results.is_sorted(), "{results:?}");
    });
}

#[test]
fn an_item_for_which_there_is_no_memory_fails_its_put_and_nothing_else() {
    in_a_process_of_its_own(|| {
        // A limit of file sizes is one of memory files, too, and `SIGXFSZ`
        // would kill a process that did not care.
        let (before, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
        setrlimit(Resource::RLIMIT_FSIZE, 3 << 20, hard).unwrap();
        let queue = Queue::<String>::new().unwrap();
        queue.put(&"first".to_owned()).unwrap();
        let large = "x".repeat(2 << 20);
        let error = queue.put(&large).unwrap_err();
        assert!(matches!(error, Error::Memory { .. }), "{error}");
        assert!(error.to_string().contains("help:"), "{error}");
        let fits = "y".repeat(500_000);
        queue.put(&fits).unwrap();
        let error = queue.put(&large).unwrap_err();
        assert!(matches!(error, Error::Memory { .. }), "{error}");
        assert_eq!(queue.get().unwrap(), "first");
        assert_eq!(queue.get().unwrap(), fits);
        assert!(queue.is_empty());
        setrlimit(Resource::RLIMIT_FSIZE, before, hard).unwrap();
    });
}

#[test]
fn little_address_space_makes_a_smaller_queue_that_leaves_some() {
    in_a_process_of_its_own(|| {
        let (before, hard) = getrlimit(Resource::RLIMIT_AS).unwrap();
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        let used = statm.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096;
        setrlimit(Resource::RLIMIT_AS, used + (64 << 20), hard).unwrap();
        let queue = Queue::<String>::new().unwrap();
        let item = "x".repeat(500_000);
        queue.put(&item).unwrap();
        assert_eq!(queue.get().unwrap(), item);
        let error = queue.put(&"x".repeat(10 << 20)).unwrap_err();
        assert!(matches!(error, Error::Memory { .. }), "{error}");
        setrlimit(Resource::RLIMIT_AS, before, hard).unwrap();
    });
}

#[test]
fn memory_refused_at_creation_is_an_error_that_says_what_to_do() {
    in_a_process_of_its_own(|| {
        let (before, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
        setrlimit(Resource::RLIMIT_FSIZE, 100_000, hard).unwrap();
        let error = Queue::<String>::new().unwrap_err();
        setrlimit(Resource::RLIMIT_FSIZE, before, hard).unwrap();
        assert!(matches!(error, Error::Memory { .. }), "{error}");
        assert!(error.to_string().contains("help:"), "{error}");
        Queue::<String>::new().unwrap();
    });
}

#[test]
fn running_out_of_descriptors_at_creation_is_an_error_that_says_so() {
    in_a_process_of_its_own(|| {
        let mut taken = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            taken.push(file);
        }
        let error = Queue::<u8>::new().unwrap_err();
        drop(taken);
        assert!(error.to_string().contains("open files"), "{error}");
        Queue::<u8>::new().unwrap().put(&1).unwrap();
    });
}
