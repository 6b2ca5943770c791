//! Conditions: who is woken, how many, and what deaths do to it.

use std::time::{Duration, Instant};

use multiproc::{
    AcquireError, Condition, Error, Event, Lock, Process, RLock, Semaphore, StartMethod,
};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::{SHORT, ends_well, event, killed, run, signal, sleep_for_ever, started};
use crate::with_every_start_method;

/// What CPython's tests pass to each of their sleepers.
#[derive(Clone, Serialize, Deserialize)]
struct Scene {
    condition: Condition,
    sleeping: Semaphore,
    woken: Semaphore,
}

impl Scene {
    fn new() -> Self {
        let semaphore = || Semaphore::new(0).unwrap();
        Self { condition: Condition::new().unwrap(), sleeping: semaphore(), woken: semaphore() }
    }

    /// Processes that wait.
    fn sleepers(&self, method: StartMethod, n: usize, timeout: Option<Duration>) -> Vec<Process> {
        let sleeps = |(scene, timeout): (Self, Option<Duration>)| {
            let guard = scene.condition.acquire().unwrap();
            scene.sleeping.release().unwrap();
            let guard = match timeout {
                None => scene.condition.wait(guard).unwrap(),
                Some(timeout) => {
                    let (guard, notified) = scene.condition.wait_timeout(guard, timeout).unwrap();
                    assert!(!notified);
                    guard
                }
            };
            scene.woken.release().unwrap();
            drop(guard);
        };
        let sleepers: Vec<Process> =
            (0..n).map(|_| started(method, sleeps, (self.clone(), timeout))).collect();
        for _ in 0..n {
            self.sleeping.acquire().unwrap().forget();
        }
        // They have the lock until they wait.
        drop(self.condition.acquire().unwrap());
        sleepers
    }

    fn notify(&self, n: usize) {
        let _guard = self.condition.acquire().unwrap();
        self.condition.notify(n);
    }

    /// Waits until `n` have woken, and checks that no more do.
    fn have_woken(&self, n: u32) {
        while self.woken.value() < n {
            std::thread::yield_now();
        }
        std::thread::sleep(SHORT);
        assert_eq!(self.woken.value(), n);
    }
}

#[test]
fn test_notify() {
    with_every_start_method(|method| {
        let scene = Scene::new();
        let sleepers = scene.sleepers(method, 2, None);
        scene.have_woken(0);
        scene.notify(1);
        scene.have_woken(1);
        scene.notify(1);
        scene.have_woken(2);
        sleepers.into_iter().for_each(ends_well);
    });
}

#[test]
fn test_notify_all() {
    with_every_start_method(|method| {
        let scene = Scene::new();
        scene.sleepers(method, 6, Some(SHORT)).into_iter().for_each(ends_well);
        scene.have_woken(6);
        let sleepers = scene.sleepers(method, 6, None);
        scene.have_woken(6);
        {
            let _guard = scene.condition.acquire().unwrap();
            scene.condition.notify_all();
        }
        scene.have_woken(12);
        sleepers.into_iter().for_each(ends_well);
    });
}

#[test]
fn test_notify_n() {
    with_every_start_method(|method| {
        let scene = Scene::new();
        let sleepers = scene.sleepers(method, 6, None);
        scene.have_woken(0);
        scene.notify(2);
        scene.have_woken(2);
        scene.notify(4);
        scene.have_woken(6);
        scene.notify(3);
        scene.have_woken(6);
        sleepers.into_iter().for_each(ends_well);
        // Three that waited for nobody wake nobody who comes later.
        let late = scene.sleepers(method, 1, None);
        scene.have_woken(6);
        scene.notify(1);
        late.into_iter().for_each(ends_well);
    });
}

#[test]
fn test_timeout() {
    with_every_start_method(|_| {
        let condition = Condition::new().unwrap();
        let guard = condition.acquire().unwrap();
        let start = Instant::now();
        let (guard, notified) = condition.wait_timeout(guard, 4 * SHORT).unwrap();
        assert!(!notified);
        assert!(start.elapsed() >= 4 * SHORT);
        drop(guard);
    });
}

/// The number that a semaphore's value is used as.
fn set_to(state: &Semaphore, value: u32) {
    while state.value() < value {
        state.release().unwrap();
    }
}

#[test]
fn test_waitfor() {
    with_every_start_method(|method| {
        let (condition, state) = (Condition::new().unwrap(), Semaphore::new(0).unwrap());
        let waits = |(condition, state): (Condition, Semaphore)| {
            let guard = condition.acquire().unwrap();
            set_to(&state, 1);
            condition.notify_one();
            let _guard = condition.wait_for(guard, || state.value() == 5).unwrap();
            assert_eq!(state.value(), 5);
        };
        let child = started(method, waits, (condition.clone(), state.clone()));
        let guard = condition.acquire().unwrap();
        drop(condition.wait_for(guard, || state.value() == 1).unwrap());
        for value in 2..=5 {
            std::thread::sleep(SHORT / 2);
            let _guard = condition.acquire().unwrap();
            set_to(&state, value);
            condition.notify_one();
        }
        ends_well(child);
    });
}

#[test]
fn test_waitfor_timeout() {
    with_every_start_method(|method| {
        let (condition, state) = (Condition::new().unwrap(), Semaphore::new(0).unwrap());
        let ready = event();
        let waits = |(condition, state, ready): (Condition, Semaphore, Event)| {
            ready.set();
            let guard = condition.acquire().unwrap();
            let start = Instant::now();
            let expected = Duration::from_millis(100);
            let predicate = || state.value() == 4;
            let (_guard, reached) = condition.wait_for_timeout(guard, expected, predicate).unwrap();
            assert!(!reached);
            assert!(start.elapsed() >= expected);
        };
        let arguments = (condition.clone(), state.clone(), ready.clone());
        let child = started(method, waits, arguments);
        ready.wait();
        for value in 1..=3 {
            std::thread::sleep(SHORT / 2);
            let _guard = condition.acquire().unwrap();
            set_to(&state, value);
            condition.notify_one();
        }
        ends_well(child);
    });
}

#[test]
fn test_wait_result() {
    with_every_start_method(|method| {
        let condition = Condition::new().unwrap();
        let guard = condition.acquire().unwrap();
        let (guard, notified) = condition.wait_timeout(guard, Duration::ZERO).unwrap();
        assert!(!notified);
        let (guard, notified) = condition.wait_timeout(guard, SHORT).unwrap();
        assert!(!notified);
        let notifies = |condition: Condition| {
            let _guard = condition.acquire().unwrap();
            condition.notify_one();
        };
        let child = started(method, notifies, condition.clone());
        let (guard, notified) = condition.wait_timeout(guard, crate::WATCHDOG).unwrap();
        assert!(notified);
        drop(guard);
        ends_well(child);
    });
}

#[test]
fn a_condition_shares_its_lock_with_others_and_a_recursive_one_is_given_back_altogether() {
    with_every_start_method(|method| {
        let lock = RLock::new().unwrap();
        let condition = Condition::with_lock(lock.clone()).unwrap();
        let outer = lock.acquire().unwrap();
        let inner = condition.acquire().unwrap();
        let notifies = |condition: Condition<RLock>| {
            let _guard = condition.lock().acquire().unwrap();
            condition.notify_one();
        };
        let child = started(method, notifies, condition.clone());
        let inner = condition.wait(inner).unwrap();
        ends_well(child);
        let is_taken = |lock: RLock| assert!(lock.try_acquire().is_err());
        run(method, is_taken, lock.clone());
        drop(inner);
        run(method, is_taken, lock.clone());
        drop(outer);
        run(method, |lock: RLock| drop(lock.try_acquire().unwrap()), lock.clone());
    });
}

#[test]
fn a_guard_of_another_lock_is_refused_and_one_through_another_handle_is_not() {
    with_every_start_method(|method| {
        let (own, other) = (Lock::new().unwrap(), Lock::new().unwrap());
        let condition = Condition::with_lock(own.clone()).unwrap();
        let ready = event();
        // What arrives as two values are two mappings of one lock.
        let waits = |(condition, own, other, ready): (Condition, Lock, Lock, Event)| {
            refuses(&condition, &other);
            let guard = own.acquire().unwrap();
            ready.set();
            let (guard, notified) = condition.wait_timeout(guard, crate::WATCHDOG).unwrap();
            assert!(notified);
            drop(condition.wait_for(guard, || true).unwrap());
        };
        let arguments = (condition.clone(), own.clone(), other.clone(), ready.clone());
        let child = started(method, waits, arguments);
        refuses(&condition, &other);
        ready.wait();
        let guard = own.acquire().unwrap();
        condition.notify_one();
        drop(guard);
        ends_well(child);

        let (own, other) = (RLock::new().unwrap(), RLock::new().unwrap());
        let condition = Condition::with_lock(own.clone()).unwrap();
        let refuses_both = |(condition, own, other): (Condition<RLock>, RLock, RLock)| {
            let error = condition.wait(other.acquire().unwrap()).unwrap_err();
            assert!(matches!(error, AcquireError::Failed(Error::ForeignGuard)), "{error}");
            let plain = Lock::new().unwrap();
            let error = condition.wait(plain.acquire().unwrap()).unwrap_err();
            assert!(matches!(error, AcquireError::Failed(Error::ForeignGuard)), "{error}");
            let outer = condition.acquire().unwrap();
            let inner = own.acquire().unwrap();
            let (inner, notified) = condition.wait_timeout(inner, SHORT).unwrap();
            assert!(!notified);
            drop((inner, outer));
            drop(own.try_acquire().unwrap());
        };
        run(method, refuses_both, (condition, own, other));
    });
}

/// The foreign lock is refused by every form of waiting, and given back.
fn refuses(condition: &Condition, other: &Lock) {
    let refusals = [
        condition.wait(other.acquire().unwrap()).map(drop).map_err(Error::from),
        condition.wait_timeout(other.acquire().unwrap(), SHORT).map(drop).map_err(Error::from),
        condition.wait_for(other.acquire().unwrap(), || true).map(drop).map_err(Error::from),
        condition
            .wait_for_timeout(other.acquire().unwrap(), SHORT, || true)
            .map(drop)
            .map_err(Error::from),
    ];
    for refusal in refusals {
        let error = refusal.unwrap_err();
        assert!(matches!(error, Error::ForeignGuard), "{error}");
        assert_eq!(error.kind(), "misuse");
        assert!(error.to_string().contains("help: wait with a guard"), "{error}");
    }
    assert!(!matches!(other.try_acquire(), Err(AcquireError::OwnerDied(_))));
}

#[test]
fn a_waiter_that_is_killed_costs_the_others_no_notification() {
    with_every_start_method(|method| {
        let scene = Scene::new();
        let killed_one = scene.sleepers(method, 1, None).remove(0);
        let lives = scene.sleepers(method, 1, None);
        killed(killed_one);
        // Meant for the one that came first, if its death was not noticed yet.
        scene.notify(1);
        lives.into_iter().for_each(ends_well);
        assert_eq!(scene.woken.value(), 1);
    });
}

#[test]
fn a_notification_that_was_for_a_dead_waiter_wakes_nobody_who_came_later() {
    with_every_start_method(|method| {
        let scene = Scene::new();
        killed(scene.sleepers(method, 1, None).remove(0));
        scene.notify(1);
        let late = scene.sleepers(method, 1, None);
        // Longer than it takes the late one to notice the death.
        std::thread::sleep(8 * SHORT);
        assert_eq!(scene.woken.value(), 0);
        scene.notify(1);
        late.into_iter().for_each(ends_well);
    });
}

#[test]
fn a_stopped_waiter_delays_nobody_and_hears_of_its_notification_later() {
    with_every_start_method(|method| {
        let scene = Scene::new();
        let stopped = scene.sleepers(method, 1, None).remove(0);
        signal(&stopped, Signal::SIGSTOP);
        let other = scene.sleepers(method, 1, None);
        scene.notify(2);
        other.into_iter().for_each(ends_well);
        signal(&stopped, Signal::SIGCONT);
        ends_well(stopped);
    });
}

/// A process that takes the condition's lock and dies with it.
fn owner_that_dies(method: StartMethod, lock: Lock) -> i32 {
    let taken = event();
    let holds = |(lock, taken): (Lock, Event)| {
        let _guard = lock.acquire();
        taken.set();
        sleep_for_ever();
    };
    let owner = started(method, holds, (lock, taken.clone()));
    taken.wait();
    killed(owner)
}

#[test]
fn waiters_are_told_of_an_owner_that_died_instead_of_notifying() {
    with_every_start_method(|method| {
        let condition = Condition::new().unwrap();
        let (ready, told) = (event(), event());
        let waits = |(condition, ready, told): (Condition, Event, Event)| {
            let guard = condition.acquire().unwrap();
            ready.set();
            let Err(AcquireError::OwnerDied(died)) = condition.wait_for(guard, || false) else {
                panic!("not told")
            };
            assert!(died.pid() > 0);
            told.set();
        };
        let arguments = (condition.clone(), ready.clone(), told.clone());
        let waiter = started(method, waits, arguments);
        ready.wait();
        owner_that_dies(method, condition.lock().clone());
        told.wait();
        ends_well(waiter);

        let sleeps = |(condition, ready): (Condition, Event)| {
            let guard = condition.acquire().unwrap();
            ready.set();
            assert!(matches!(condition.wait(guard), Err(AcquireError::OwnerDied(_))));
        };
        ready.clear();
        let sleeper = started(method, sleeps, (condition.clone(), ready.clone()));
        ready.wait();
        owner_that_dies(method, condition.lock().clone());
        ends_well(sleeper);
    });
}

#[test]
fn a_change_whose_notification_never_came_is_seen_by_who_waits_for_it() {
    with_every_start_method(|method| {
        let (condition, changed) = (Condition::new().unwrap(), event());
        let changes_and_dies = |(condition, changed): (Condition, Event)| {
            let guard = condition.acquire().unwrap();
            changed.set();
            drop(guard);
            std::process::abort();
        };
        let guard = condition.acquire().unwrap();
        let mut child = started(method, changes_and_dies, (condition.clone(), changed.clone()));
        drop(condition.wait_for(guard, || changed.is_set()).unwrap());
        child.join().unwrap();
    });
}

#[test]
fn waiters_killed_at_random_moments_leave_the_condition_in_order() {
    with_every_start_method(|method| {
        let scene = Scene::new();
        let hammers = |scene: Scene| {
            loop {
                let guard = match scene.condition.acquire() {
                    Ok(guard) => guard,
                    Err(died) => died.into_guard(),
                };
                scene.condition.notify_one();
                let _ = scene.condition.wait_timeout(guard, Duration::from_micros(100));
            }
        };
        for round in 0..25_u64 {
            let victims = [(); 3].map(|()| started(method, hammers, scene.clone()));
            std::thread::sleep(Duration::from_micros(300 * (round % 7)));
            for victim in victims {
                killed(victim);
            }
        }
        // Told of the last one that died with the lock, or not.
        drop(scene.condition.acquire());
        let sleepers = scene.sleepers(method, 3, None);
        scene.notify(2);
        scene.have_woken(2);
        scene.notify(1);
        sleepers.into_iter().for_each(ends_well);
    });
}
