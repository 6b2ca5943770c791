//! Processes that die, stop or panic while they change what is shared.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use multiproc::{
    AcquireError, Error, Event, Item, ShareableList, SharedArray, SharedValue, StartMethod,
};
use nix::sys::signal::Signal;

use crate::{
    sync::{SHORT, ends_well, killed, run, signal, sleep_for_ever, started},
    with_every_start_method,
};

/// A process that has the value's lock and has changed half of it.
fn half_changed(method: StartMethod, value: &SharedValue<[u64; 2]>) -> multiproc::Process {
    let has_begun = Event::new().unwrap();
    let half = |(value, has_begun): (SharedValue<[u64; 2]>, Event)| {
        let mut guard = value.lock().unwrap();
        guard[0] = 2;
        has_begun.set();
        sleep_for_ever();
    };
    let process = started(method, half, (value.clone(), has_begun.clone()));
    has_begun.wait();
    process
}

#[test]
fn the_next_taker_of_a_value_is_told_that_its_owner_was_killed() {
    with_every_start_method(|method| {
        let value = SharedValue::new([1u64; 2]).unwrap();
        let pid = killed(half_changed(method, &value));
        let died = value.lock().unwrap_err();
        assert_eq!(died.pid(), pid);
        let mut guard = died.into_guard();
        assert_eq!(*guard, [2, 1], "half-changed");
        *guard = [2, 2];
        drop(guard);
        assert_eq!(value.get().unwrap(), [2, 2], "others are not told");
    });
}

#[test]
fn reading_and_writing_a_value_tell_of_a_dead_owner_once_and_change_nothing() {
    with_every_start_method(|method| {
        let value = SharedValue::new([1u64; 2]).unwrap();
        let dead = killed(half_changed(method, &value));
        let error = value.set([3, 3]).unwrap_err();
        assert!(matches!(error, Error::OwnerDied { pid } if pid == dead), "{error}");
        assert_eq!(value.get().unwrap(), [2, 1]);

        let dead = killed(half_changed(method, &value));
        let error = value.get().unwrap_err();
        assert!(matches!(error, Error::OwnerDied { pid } if pid == dead), "{error}");
        value.set([3, 3]).unwrap();
        assert_eq!(value.get().unwrap(), [3, 3]);
    });
}

#[test]
fn the_next_taker_of_an_array_is_told_that_its_owner_was_killed() {
    with_every_start_method(|method| {
        let array = SharedArray::<u8>::new(1_000).unwrap();
        for attempt in 0..3 {
            let has_begun = Event::new().unwrap();
            let half = |(array, has_begun): (SharedArray<u8>, Event)| {
                let mut guard = array.lock().unwrap();
                guard[..500].fill(1);
                has_begun.set();
                sleep_for_ever();
            };
            let process = started(method, half, (array.clone(), has_begun.clone()));
            has_begun.wait();
            let dead = killed(process);
            // By each way to the lock once.
            let told = match attempt {
                0 => array.lock().unwrap_err().pid(),
                1 => match array.try_lock() {
                    Err(AcquireError::OwnerDied(died)) => died.pid(),
                    other => panic!("{other:?}"),
                },
                _ => match array.lock_timeout(Duration::from_secs(60)) {
                    Err(AcquireError::OwnerDied(died)) => died.pid(),
                    other => panic!("{other:?}"),
                },
            };
            assert_eq!(told, dead);
            let mut guard = array.lock().unwrap();
            assert!(guard[..500].iter().all(|&x| x == 1) && guard[500..].iter().all(|&x| x == 0));
            guard.fill(0);
        }
    });
}

#[test]
fn a_list_whose_owner_was_killed_is_as_it_was() {
    with_every_start_method(|method| {
        let list = ShareableList::new(["before"]).unwrap();
        let has_begun = Event::new().unwrap();
        let half = |(list, has_begun): (ShareableList, Event)| {
            let die = |_: &Item| {
                has_begun.set();
                sleep_for_ever()
            };
            list.update(0, die).unwrap();
        };
        let process = started(method, half, (list.clone(), has_begun.clone()));
        has_begun.wait();
        killed(process);
        assert_eq!(list.get(0).unwrap(), "before".into());
        list.set(0, "after").unwrap();
        assert_eq!(list.get(0).unwrap(), "after".into());
    });
}

#[test]
fn items_are_whole_although_their_writers_are_killed_at_random() {
    with_every_start_method(|method| {
        const LEN: usize = 100_000;
        let list = ShareableList::with_room([vec![0u8; LEN]], 0).unwrap();
        for round in 0..12u64 {
            let has_begun = Event::new().unwrap();
            let write = |(list, has_begun): (ShareableList, Event)| {
                for byte in (0..=u8::MAX).cycle() {
                    // Of different lengths, too.
                    list.set(0, vec![byte; LEN - usize::from(byte)]).unwrap();
                    has_begun.set();
                }
            };
            let writer = started(method, write, (list.clone(), has_begun.clone()));
            has_begun.wait();
            // No handshake: the kill is to come at any moment of a `set`.
            std::thread::sleep(Duration::from_micros(round * 97));
            killed(writer);
            let Item::Bytes(bytes) = list.get(0).unwrap() else { panic!("another item") };
            assert!(bytes.iter().all(|&byte| byte == bytes[0]), "torn");
            assert_eq!(bytes.len(), LEN - usize::from(bytes[0]));
        }
    });
}

#[test]
fn a_stopped_owner_is_waited_for_no_longer_than_asked() {
    with_every_start_method(|method| {
        let value = SharedValue::new([1u64; 2]).unwrap();
        let process = half_changed(method, &value);
        signal(&process, Signal::SIGSTOP);
        assert!(matches!(value.lock_timeout(SHORT), Err(AcquireError::TimedOut)));
        assert!(matches!(value.try_lock(), Err(AcquireError::WouldBlock)));
        killed(process);
        assert!(value.lock().is_err());
    });
}

#[test]
fn an_owner_that_panics_gives_the_lock_back() {
    with_every_start_method(|method| {
        let value = SharedValue::new(1u64).unwrap();
        let panics = |value: SharedValue<u64>| {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                value
                    .update(|value| {
                        *value = 2;
                        panic!("in the middle");
                    })
                    .unwrap()
            }));
            assert!(caught.is_err());
            assert_eq!(value.get().unwrap(), 2);
        };
        run(method, panics, value.clone());
        assert_eq!(value.get().unwrap(), 2);
    });
}

#[test]
fn a_thread_that_has_the_lock_already_is_told_instead_of_waiting_for_itself() {
    let value = SharedValue::new(1u64).unwrap();
    let mut guard = value.lock().unwrap();
    for again in 0..3 {
        let result = catch_unwind(AssertUnwindSafe(|| match again {
            0 => drop(value.get()),
            1 => drop(value.try_lock()),
            _ => drop(value.lock_timeout(SHORT)),
        }));
        let message = result.unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains("has the lock of this SharedValue already"), "{message}");
    }
    // It still has it, and gives it back.
    *guard = 2;
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(matches!(value.try_lock(), Err(AcquireError::WouldBlock))));
    });
    drop(guard);
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(value.get().unwrap(), 2));
    });
}

#[test]
fn a_list_that_is_used_by_its_own_change_is_told_so() {
    let list = ShareableList::new([1, 2]).unwrap();
    let result = catch_unwind(AssertUnwindSafe(|| list.update(0, |_| list.get(1).unwrap())));
    let message = result.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("has the lock of this ShareableList already"), "{message}");
    assert_eq!(list.get(0).unwrap(), 1.into());
}

/// Leaks a guard in a thread that ends; what it protects is still in use.
fn leak(value: &SharedValue<u64>) -> &mut u64 {
    // In safe code: a reference that outlives the thread, and so its lock.
    std::thread::scope(|scope| {
        scope.spawn(|| &mut **Box::leak(Box::new(value.lock().unwrap()))).join().unwrap()
    })
}

fn is_taken(value: SharedValue<u64>) {
    assert!(matches!(value.try_lock(), Err(AcquireError::WouldBlock)));
    assert!(matches!(value.lock_timeout(SHORT), Err(AcquireError::TimedOut)));
}

#[test]
fn a_lock_stays_taken_whose_guard_was_leaked_by_a_thread_that_has_ended() {
    with_every_start_method(|method| {
        let value = SharedValue::new(1u64).unwrap();
        let still_in_use = leak(&value);
        // Others first: they must not get it because nobody has noticed yet.
        run(method, is_taken, value.clone());
        is_taken(value.clone());
        let attempts: [fn(&SharedValue<u64>); 2] =
            [|value| drop(value.lock()), |value| drop(value.get())];
        for attempt in attempts {
            let result = catch_unwind(AssertUnwindSafe(|| attempt(&value)));
            let message = result.unwrap_err().downcast::<String>().unwrap();
            assert!(message.contains("this SharedValue was leaked by a thread"), "{message}");
        }
        run(method, is_taken, value.clone());
        *still_in_use = 2;
    });
}

#[test]
fn who_waits_for_a_leaked_lock_is_told_and_gets_it_when_its_process_has_ended() {
    with_every_start_method(|method| {
        let value = SharedValue::new(1u64).unwrap();
        let (leaked, waiting) = (Event::new().unwrap(), Event::new().unwrap());
        let leaks = |(value, leaked): (SharedValue<u64>, Event)| {
            *leak(&value) = 2;
            leaked.set();
            sleep_for_ever();
        };
        let leaker = started(method, leaks, (value.clone(), leaked.clone()));
        leaked.wait();
        is_taken(value.clone());
        let waits = |(value, pid, waiting): (SharedValue<u64>, i32, Event)| {
            waiting.set();
            let died = value.lock().unwrap_err();
            assert_eq!(died.pid(), pid);
            assert_eq!(*died.into_guard(), 2);
        };
        let pid = leaker.pid().unwrap();
        let waiter = started(method, waits, (value.clone(), pid, waiting.clone()));
        waiting.wait();
        std::thread::sleep(SHORT);
        assert_eq!(killed(leaker), pid);
        ends_well(waiter);
        assert_eq!(value.get().unwrap(), 2, "told once");
    });
}

#[test]
fn a_guard_that_was_leaked_is_a_dead_owner_once_its_process_has_ended() {
    with_every_start_method(|method| {
        let value = SharedValue::new(1u64).unwrap();
        let leaks = |value: SharedValue<u64>| {
            std::thread::scope(|scope| {
                scope.spawn(|| **Box::leak(Box::new(value.lock().unwrap())) = 2);
            });
        };
        let process = started(method, leaks, value.clone());
        let pid = process.pid().unwrap();
        ends_well(process);
        assert_eq!(value.lock().unwrap_err().pid(), pid);
        assert_eq!(value.get().unwrap(), 2);
    });
}

#[test]
fn a_guard_lets_other_threads_read_and_share_out_the_elements() {
    let array = SharedArray::<u64>::new(100).unwrap();
    let mut guard = array.lock().unwrap();
    std::thread::scope(|scope| {
        for (index, half) in guard.chunks_mut(50).enumerate() {
            scope.spawn(move || half.fill(index as u64));
        }
    });
    let shared = &guard;
    std::thread::scope(|scope| {
        scope.spawn(move || assert_eq!(shared.iter().sum::<u64>(), 50));
    });
}

#[test]
fn handles_that_come_and_go_leave_no_mapping_behind() {
    with_every_start_method(|method| {
        let mappings = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
        let value = SharedValue::new(0u64).unwrap();
        let add = |value: SharedValue<u64>| value.update(|n| *n += 1).unwrap();
        ends_well(started(method, add, value.clone()));
        let before = mappings();
        for _ in 0..20 {
            let array = SharedArray::<u64>::new(1_000).unwrap();
            drop(array.lock().unwrap());
            let list = ShareableList::new([1, 2, 3]).unwrap();
            let nothing = |_: (SharedArray<u64>, ShareableList)| ();
            ends_well(started(method, nothing, (array, list)));
        }
        assert!(mappings() <= before, "{} mappings after {before}", mappings());
        assert_eq!(value.get().unwrap(), 1);
    });
}
