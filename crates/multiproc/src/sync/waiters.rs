//! Who waits at a condition, and who is notified.
//!
//! Each record's word, which is one of the three below, is authoritative for
//! one waiter. Its note is the waiter's number, or, once it is notified, the
//! number from which on waiters came later than the notification.

use std::time::{Duration, Instant};

use super::{
    monitor::{Inside, MonitorState, Record, Records},
    spin::spin,
    wait_queue::LONGEST_SLEEP,
};
use crate::{
    Result,
    atomic::{
        AtomicU32,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
    futex,
    process::Identity,
};

/// On its way to sleep.
const WAITING: u32 = 1;
/// To be woken by a system call.
const SLEEPING: u32 = 2;
const NOTIFIED: u32 = 3;

#[repr(C)]
pub(super) struct Waiters {
    /// The number of the next waiter.
    next: AtomicU32,
}

// SAFETY: an atomic word, for which all values are valid.
unsafe impl MonitorState for Waiters {
    const KIND: &'static str = "condition";

    fn repair(&self, _: Records<'_>) {
        // Nothing follows from anything else here.
    }
}

impl Waiters {
    /// The number from which on waiters come later than now.
    pub(super) fn now(&self) -> u32 {
        self.next.load(Relaxed)
    }
}

/// A record for one who waits from now on.
pub(super) fn enlist<'a>(inside: &Inside<'a, Waiters>) -> Result<&'a Record> {
    let (_, record) = inside.claim()?;
    let number = inside.state.now();
    inside.state.next.store(number.wrapping_add(1), Relaxed);
    wait_as(record, number);
    Ok(record)
}

fn wait_as(record: &Record, number: u32) {
    record.note.store(number, Relaxed);
    record.word.store(WAITING, Relaxed);
}

/// Sleeps until the record is notified, until `deadline`, or until `look`
/// finds something, which is asked from time to time.
pub(super) fn sleep<T>(
    record: &Record,
    deadline: Option<Instant>,
    mut look: impl FnMut() -> Option<T>,
) -> Option<T> {
    // Pairs with the Release in `become_notified`.
    let is_notified = || record.word.load(Acquire) == NOTIFIED;
    if spin(|| is_notified().then_some(())).is_some() {
        return None;
    }
    // Whoever notifies it later makes the system call.
    let _ = record.word.compare_exchange(WAITING, SLEEPING, Relaxed, Relaxed);
    while !is_notified() {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return None;
        }
        let nap = left.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
        futex::wait(&record.word, SLEEPING, Some(nap));
        if !is_notified() {
            let found = look();
            if found.is_some() {
                return found;
            }
        }
    }
    None
}

/// Gives the record back and says in the same step whether somebody has
/// notified it.
pub(super) fn leave(record: &Record) -> bool {
    // Pairs with the Release in `become_notified`.
    record.word.swap(0, AcqRel) == NOTIFIED
}

/// Notifies the `n` that have waited longest of those that came before the
/// number `before`; returns those that are to be [woken](wake).
pub(super) fn notify<'a>(records: Records<'a>, n: usize, before: u32) -> Vec<&'a Record> {
    let mut waiting: Vec<(u32, &Record)> = records
        .filter(|(_, record)| matches!(record.word.load(Relaxed), WAITING | SLEEPING))
        .map(|(_, record)| (before.wrapping_sub(record.note.load(Relaxed)), record))
        // Numbers wrap: half of them are before.
        .filter(|&(age, _)| age != 0 && age <= u32::MAX / 2)
        .collect();
    waiting.sort_unstable_by_key(|&(age, _)| std::cmp::Reverse(age));
    let mut notified = 0;
    let mut to_be_woken = Vec::new();
    for (_, record) in waiting {
        if notified == n {
            break;
        }
        record.note.store(before, Relaxed);
        let was = become_notified(record);
        notified += usize::from(was.is_some());
        if was == Some(SLEEPING) {
            to_be_woken.push(record);
        }
    }
    to_be_woken
}

/// Gives the record of a dead waiter back. If it was notified, another that
/// waited at that time is notified instead.
pub(super) fn bury<'a>(inside: &Inside<'a, Waiters>, dead: (u32, Identity)) -> Vec<&'a Record> {
    let monitor = inside.monitor();
    let before = monitor.record(dead.0).note.load(Relaxed);
    match inside.bury(dead) {
        Some(NOTIFIED) => notify(monitor.records(), 1, before),
        _ => Vec::new(),
    }
}

/// The system calls for those that were notified in their sleep, for which
/// others need not wait inside.
pub(super) fn wake(to_be_woken: Vec<&Record>) {
    for record in to_be_woken {
        futex::wake(&record.word, 1);
    }
}

/// What the record was before; `None` if its waiter waits no more.
fn become_notified(record: &Record) -> Option<u32> {
    let mut was = record.word.load(Relaxed);
    while matches!(was, WAITING | SLEEPING) {
        // Pairs with the Acquire in `sleep` and `leave`.
        match record.word.compare_exchange(was, NOTIFIED, AcqRel, Relaxed) {
            Ok(_) => return Some(was),
            Err(now) => was = now,
        }
    }
    None
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::{sync::Arc, thread};

    use super::*;
    use crate::sync::monitor::RecordTable;

    /// Waiters with the numbers 0, 1, …, of which each does `wait` in a thread
    /// while `then` happens; what they say.
    fn while_waiting<T: 'static>(
        waiters: usize,
        wait: fn(&Record) -> T,
        then: impl FnOnce(&RecordTable),
    ) -> Vec<T> {
        let table = Arc::new(RecordTable::new(waiters));
        (0..waiters).for_each(|number| wait_as(table.record(number), number as u32));
        let threads: Vec<_> = (0..waiters)
            .map(|number| {
                let table = Arc::clone(&table);
                thread::spawn(move || wait(table.record(number)))
            })
            .collect();
        then(&table);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    }

    fn sleeps(record: &Record) -> bool {
        assert_eq!(sleep(record, None, || None::<()>), None);
        leave(record)
    }

    #[test]
    fn loom_each_notification_reaches_the_waiter_that_it_is_for() {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(|| {
            let told = while_waiting(2, sleeps, |table| {
                wake(notify(table.all(), 1, 2));
                wake(notify(table.all(), 1, 2));
            });
            assert_eq!(told, [true, true]);
        });
    }

    #[test]
    fn loom_who_leaves_was_notified_or_leaves_the_notification_to_another() {
        loom::model(|| {
            let written = Arc::new(AtomicU32::new(0));
            let table = Arc::new(RecordTable::new(1));
            wait_as(table.record(0), 0);
            let waiter = thread::spawn({
                let (table, written) = (Arc::clone(&table), Arc::clone(&written));
                move || {
                    let notified = leave(table.record(0));
                    assert!(!notified || written.load(Relaxed) == 1, "what came before is seen");
                    notified
                }
            });
            written.store(1, Relaxed);
            let reached = become_notified(table.record(0)).is_some();
            assert_eq!(waiter.join().unwrap(), reached);
        });
    }
}
