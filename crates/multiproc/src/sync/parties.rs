//! Which parties of a barrier have come, and how it ended for them.
//!
//! The phase is authoritative, and for each party its record: the word says
//! that it has arrived, the note in which generation.

use super::{
    monitor::{MonitorState, Record, Records},
    phase::{Phase, WhyBroken},
};
use crate::{
    Error, Result,
    atomic::{
        AtomicU32, AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
};

#[repr(C)]
#[derive(Default)]
pub(super) struct Parties {
    /// A [`Phase`], changed by compare-and-swap.
    phase: AtomicU64,
    number: AtomicU32,
}

/// A record's word: its party has arrived.
const ARRIVED: u32 = 1;
/// The barrier was reset while its party waited; above these bits, who did it.
const WAS_RESET: u32 = 2;
const STATE_BITS: u32 = 2;

// SAFETY: atomic words, for which all values are valid.
unsafe impl MonitorState for Parties {
    const KIND: &'static str = "barrier";

    fn repair(&self, records: Records<'_>) {
        let phase = self.phase();
        if let Some(WhyBroken::Reset { pid }) = phase.why_broken() {
            self.finish_reset(phase, pid, records);
        }
    }
}

impl Parties {
    pub(super) fn initialise(&self, number: u32) {
        self.number.store(number, Relaxed);
    }

    /// How many it takes to go on.
    pub(super) fn number(&self) -> u32 {
        self.number.load(Relaxed)
    }

    pub(super) fn phase(&self) -> Phase {
        // Pairs with the Release of `replace`: who sees that a generation is
        // over sees what its parties did before they came.
        Phase::from_bits(self.phase.load(Acquire))
    }

    pub(super) fn replace(&self, from: Phase, to: Phase) -> bool {
        self.phase.compare_exchange(from.bits(), to.bits(), AcqRel, Relaxed).is_ok()
    }

    /// Makes it whole again, for who is inside. If that dies in the middle, the
    /// next one inside does the rest ([`repair`](MonitorState::repair)).
    pub(super) fn reset(&self, pid: i32, records: Records<'_>) {
        let mut phase = self.phase();
        let why = WhyBroken::Reset { pid };
        // Noted first, so that there is something to repair.
        while !self.replace(phase, phase.broken(why)) {
            phase = self.phase();
        }
        self.repair(records);
    }

    /// Tells each party that waits, then begins the next generation.
    fn finish_reset(&self, phase: Phase, pid: i32, records: Records<'_>) {
        for (_, record) in arrived(records, phase) {
            let told = (pid as u32) << STATE_BITS | WAS_RESET;
            // Fails if the party has gone already.
            let _ = record.word.compare_exchange(ARRIVED, told, Relaxed, Relaxed);
        }
        self.replace(phase, phase.next());
    }

    /// How it ended for the party with this record; `None`: not yet.
    pub(super) fn outcome(&self, record: &Record, generation: u32) -> Option<Result<()>> {
        // First the phase: who sees the next one sees too who was told of a reset.
        let phase = self.phase();
        let word = record.word.load(Acquire);
        if word & WAS_RESET != 0 {
            let why = WhyBroken::Reset { pid: (word >> STATE_BITS) as i32 };
            return Some(Err(Error::BrokenBarrier { why }));
        }
        if phase.generation() != generation {
            return Some(Ok(()));
        }
        phase.why_broken().map(|why| Err(Error::BrokenBarrier { why }))
    }
}

/// Notes that the owner of the record has come.
pub(super) fn arrive(record: &Record, generation: u32) {
    record.note.store(generation, Relaxed);
    record.word.store(ARRIVED, Relaxed);
}

/// The generation with which the owner of the record has come, if it has.
pub(super) fn arrival(record: &Record) -> Option<u32> {
    (record.word.load(Acquire) == ARRIVED).then(|| record.note.load(Relaxed))
}

/// Records of parties that have arrived in this phase's generation.
pub(super) fn arrived(records: Records<'_>, phase: Phase) -> impl Iterator<Item = (u32, &Record)> {
    records.filter(move |(_, record)| arrival(record) == Some(phase.generation()))
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::{sync::Arc, thread};

    use super::*;
    use crate::sync::{monitor::RecordTable, wait_queue::WaitQueue};

    struct Scene {
        parties: Parties,
        records: RecordTable,
        sleepers: WaitQueue,
        written: AtomicU32,
    }

    impl Scene {
        /// One party has come, in generation 0.
        fn new() -> Arc<Self> {
            let scene = Self {
                parties: Parties::default(),
                records: RecordTable::new(1),
                sleepers: WaitQueue::default(),
                written: AtomicU32::new(0),
            };
            arrive(scene.records.record(0), 0);
            Arc::new(scene)
        }

        /// What the party that has come is told.
        fn wait(&self) -> Result<()> {
            let outcome = || self.parties.outcome(self.records.record(0), 0);
            let told = self.sleepers.wait_until(None, outcome).expect("no deadline");
            self.records.record(0).free();
            told
        }

        /// What the last party does.
        fn go_on(&self) -> bool {
            self.written.store(1, Relaxed);
            let done = self.parties.replace(Phase::of(0), Phase::of(0).next());
            self.sleepers.notify_all();
            done
        }
    }

    fn model(check: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(check);
    }

    fn waiting(scene: &Arc<Scene>) -> thread::JoinHandle<Result<()>> {
        let scene = Arc::clone(scene);
        thread::spawn(move || {
            let told = scene.wait();
            let seen = scene.written.load(Relaxed);
            assert!(told.is_err() || seen == 1, "what the others did before they came");
            told
        })
    }

    #[test]
    fn loom_a_party_that_waits_is_told_of_a_reset_though_the_next_generation_goes_on() {
        model(|| {
            let scene = Scene::new();
            let party = waiting(&scene);
            scene.parties.reset(7, scene.records.all());
            let second = scene.parties.phase();
            scene.parties.replace(second, second.next());
            scene.sleepers.notify_all();
            let told = party.join().unwrap();
            let Err(Error::BrokenBarrier { why: WhyBroken::Reset { pid: 7 } }) = told else {
                panic!("{told:?}")
            };
        });
    }

    #[test]
    fn loom_all_parties_agree_whether_it_broke() {
        model(|| {
            let scene = Scene::new();
            let party = waiting(&scene);
            let breaker = thread::spawn({
                let scene = Arc::clone(&scene);
                move || {
                    let broken = Phase::of(0).broken(WhyBroken::Aborted { pid: 7 });
                    let done = scene.parties.replace(Phase::of(0), broken);
                    scene.sleepers.notify_all();
                    done
                }
            });
            let went_on = scene.go_on();
            assert_ne!(breaker.join().unwrap(), went_on);
            assert_eq!(party.join().unwrap().is_ok(), went_on);
        });
    }
}
