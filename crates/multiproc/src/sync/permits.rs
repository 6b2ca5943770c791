//! How many permits a semaphore has, and which process has how many.
//!
//! The total and, for each process, its record's word, which is the number of
//! permits that it has, are all there is. What is available follows from them
//! and is stored nowhere. So a permit is given back or added by a single
//! store, from outside the monitor: nobody who was stopped or killed inside
//! keeps another from doing so. Only to take one is to go inside, where no two
//! can take the same.

use super::monitor::{MonitorState, Record, Records};
use crate::{
    Error, Result,
    atomic::{
        AtomicU32,
        Ordering::{Acquire, Relaxed, Release, SeqCst},
        fence,
    },
};

#[repr(C)]
#[derive(Default)]
pub(super) struct Permits {
    total: AtomicU32,
    /// What `total` must not exceed.
    bound: AtomicU32,
}

// SAFETY: atomic words, for which all values are valid.
unsafe impl MonitorState for Permits {
    const KIND: &'static str = "semaphore";

    fn repair(&self, _: Records<'_>) {
        // Nothing follows from anything else here.
    }
}

impl Permits {
    pub(super) fn initialise(&self, permits: u32, bound: u32) {
        self.total.store(permits, Relaxed);
        self.bound.store(bound, Relaxed);
    }

    /// Permits that nobody has. Fewer than there are if some are given back in
    /// this very moment, who then notifies; never more, for who is inside.
    pub(super) fn available(&self, records: Records<'_>) -> u32 {
        // First the records. Pairs with the Release in `give_back`: who sees
        // that a forgotten permit has left its record sees the smaller total.
        let held = records.map(|(_, record)| record.word.load(Acquire)).fold(0, u32::wrapping_add);
        // Pairs with the Release in `add`: who gets a permit sees what came before it.
        self.total.load(Acquire).saturating_sub(held)
    }

    /// Takes a permit, of which one is available, for the owner of `record`;
    /// by who is inside.
    pub(super) fn take(record: &Record) {
        // If its owner dies before this, nothing has happened.
        record.word.fetch_add(1, Relaxed);
    }

    /// Gives a permit of the record back.
    pub(super) fn give_back(record: &Record) {
        // Pairs with the Acquire in `available`.
        record.word.fetch_sub(1, Release);
    }

    /// Gives a permit of the record up; whether that has made another one
    /// available for who looked in the middle of it.
    pub(super) fn forget(&self, record: &Record, records: Records<'_>) -> bool {
        // The total comes first, or the permit would be there for a moment.
        self.lower();
        Self::give_back(record);
        // Of several that do this at once, one sees what the others have done.
        // Pairs with itself.
        fence(SeqCst);
        self.available(records) > 0
    }

    /// The decision to forget a permit: who dies before it still has it, and
    /// the record of who dies after it holds what is nobody's.
    pub(super) fn lower(&self) {
        self.total.fetch_sub(1, Relaxed);
    }

    /// Adds a permit.
    pub(super) fn add(&self) -> Result<()> {
        let bound = self.bound.load(Relaxed);
        let more = |total: u32| (total < bound).then(|| total + 1);
        // Pairs with the Acquire in `available`.
        let added = self.total.fetch_update(Release, Relaxed, more);
        added.map(drop).map_err(|_| match bound {
            u32::MAX => {
                let most = bound as usize;
                Error::TooLarge { what: "permits", got: most + 1, most }
            }
            bound => Error::ReleasedTooOften { bound },
        })
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::{
        sync::{Arc, Mutex},
        thread,
    };

    use super::*;
    use crate::sync::{monitor::RecordTable, wait_queue::WaitQueue};

    /// A semaphore whose first record has a permit.
    struct Scene {
        permits: Permits,
        records: RecordTable,
        inside: Mutex<()>,
        sleepers: WaitQueue,
    }

    impl Scene {
        fn with_total(total: u32) -> Arc<Self> {
            let scene = Self {
                permits: Permits::default(),
                records: RecordTable::new(2),
                inside: Mutex::new(()),
                sleepers: WaitQueue::default(),
            };
            scene.permits.initialise(total, u32::MAX);
            Permits::take(scene.records.record(0));
            Arc::new(scene)
        }

        fn try_take(&self, record: usize) -> Option<()> {
            let _inside = self.inside.lock().unwrap();
            (self.permits.available(self.records.all()) > 0)
                .then(|| Permits::take(self.records.record(record)))
        }

        fn take(&self, record: usize) {
            self.sleepers.wait_until(None, || self.try_take(record)).expect("no deadline");
        }

        fn forget(&self) {
            if self.permits.forget(self.records.record(0), self.records.all()) {
                self.sleepers.notify_one();
            }
        }
    }

    fn model(check: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(check);
    }

    #[test]
    fn loom_a_permit_that_is_forgotten_is_never_somebody_elses() {
        model(|| {
            let scene = Scene::with_total(1);
            let other = thread::spawn({
                let scene = Arc::clone(&scene);
                move || assert!(scene.try_take(1).is_none())
            });
            scene.forget();
            other.join().unwrap();
        });
    }

    #[test]
    fn loom_who_waits_while_a_permit_is_forgotten_gets_the_other() {
        model(|| {
            let scene = Scene::with_total(2);
            let waiter = thread::spawn({
                let scene = Arc::clone(&scene);
                move || scene.take(1)
            });
            scene.forget();
            waiter.join().unwrap();
            assert_eq!(scene.permits.available(scene.records.all()), 0);
        });
    }

    #[test]
    fn loom_a_permit_given_back_wakes_who_waits_and_shows_what_came_before() {
        model(|| {
            let scene = Scene::with_total(1);
            let written = Arc::new(AtomicU32::new(0));
            let waiter = thread::spawn({
                let (scene, written) = (Arc::clone(&scene), Arc::clone(&written));
                move || {
                    scene.take(1);
                    assert_eq!(written.load(Relaxed), 1);
                }
            });
            written.store(1, Relaxed);
            Permits::give_back(scene.records.record(0));
            scene.sleepers.notify_one();
            waiter.join().unwrap();
        });
    }
}
