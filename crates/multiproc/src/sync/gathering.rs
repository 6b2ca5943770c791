//! How the parties of a barrier come together, or do not.

use std::time::Instant;

use super::{
    Barrier,
    monitor::{Inside, Record},
    parties::{self, Parties},
    phase::{Phase, WhyBroken},
    spin::spin,
};
use crate::{
    Error, Result,
    process::{Identity, this_process},
};

/// A party that has come.
struct Arrival<'a> {
    record: &'a Record,
    generation: u32,
    /// How many came before.
    place: u32,
    is_last: bool,
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        // Also if the action panics.
        self.record.free();
    }
}

impl Barrier {
    pub(super) fn wait_until(
        &self,
        deadline: Option<Instant>,
        action: impl FnOnce(),
    ) -> Result<usize> {
        let arrival = self.arrive(deadline)?;
        if arrival.is_last {
            self.go_on(&arrival, deadline, action)?;
        } else {
            self.wait_for_others(&arrival, deadline)?;
        }
        Ok(arrival.place as usize)
    }

    /// Comes, as soon as there is room: none is left while an action runs.
    fn arrive(&self, deadline: Option<Instant>) -> Result<Arrival<'_>> {
        let arrived = self.monitor.sleepers.wait_until(deadline, || {
            let inside = self.monitor.enter_until(deadline)?;
            let arrival = self.try_arrive(&inside);
            drop(inside);
            if arrival.is_none() {
                self.look_for_dead(deadline);
            }
            arrival
        });
        arrived.unwrap_or_else(|| {
            self.stay_away();
            Err(Error::TimedOut)
        })
    }

    /// Breaks the barrier for those who wait for a party that could not come:
    /// somebody was stopped in the middle of a call. Where there was no room
    /// nobody waits for it.
    fn stay_away(&self) {
        let state = &self.monitor.state;
        let phase = state.phase();
        if (parties::arrived(self.monitor.records(), phase).count() as u32) < state.number() {
            self.break_in(phase, WhyBroken::TimedOut { pid: this_process() as i32 });
        }
    }

    fn try_arrive<'a>(&self, inside: &Inside<'a, Parties>) -> Option<Result<Arrival<'a>>> {
        let phase = inside.state.phase();
        if let Some(why) = phase.why_broken() {
            return Some(Err(Error::BrokenBarrier { why }));
        }
        let place = parties::arrived(inside.records(), phase).count() as u32;
        let number = inside.state.number();
        if place >= number {
            return None;
        }
        let record = match inside.claim() {
            Ok((_, record)) => record,
            Err(error) => return Some(Err(error)),
        };
        parties::arrive(record, phase.generation());
        let is_last = place + 1 == number;
        Some(Ok(Arrival { record, generation: phase.generation(), place, is_last }))
    }

    /// What the last one does.
    fn go_on(
        &self,
        arrival: &Arrival<'_>,
        deadline: Option<Instant>,
        action: impl FnOnce(),
    ) -> Result<()> {
        let state = &self.monitor.state;
        // One who was killed while it was the only one to wait has been missed
        // by nobody yet.
        self.bury(self.monitor.find_dead_now(deadline), deadline);
        if let Some(outcome) = state.outcome(arrival.record, arrival.generation) {
            return outcome;
        }
        let phase = Phase::of(arrival.generation);
        let fuse = Fuse { barrier: self, phase };
        action();
        std::mem::forget(fuse);
        if !state.replace(phase, phase.next()) {
            // Somebody has broken it in the meantime.
            return state.outcome(arrival.record, arrival.generation).unwrap_or(Ok(()));
        }
        self.monitor.sleepers.notify_all();
        Ok(())
    }

    fn wait_for_others(&self, arrival: &Arrival<'_>, deadline: Option<Instant>) -> Result<()> {
        let state = &self.monitor.state;
        let outcome = || state.outcome(arrival.record, arrival.generation);
        let waited = spin(outcome).or_else(|| {
            self.monitor.sleepers.wait_until(deadline, || {
                outcome().or_else(|| {
                    self.look_for_dead(deadline);
                    outcome()
                })
            })
        });
        waited.unwrap_or_else(|| {
            let why = WhyBroken::TimedOut { pid: this_process() as i32 };
            if self.break_in(Phase::of(arrival.generation), why) {
                return Err(Error::TimedOut);
            }
            // Something else happened in the very last moment.
            outcome().unwrap_or(Err(Error::TimedOut))
        })
    }

    /// Breaks the barrier if it is in `phase` and not broken yet; whether it
    /// was, or is broken already.
    pub(super) fn break_in(&self, phase: Phase, why: WhyBroken) -> bool {
        if phase.why_broken().is_some() {
            return true;
        }
        let done = self.monitor.state.replace(phase, phase.broken(why));
        if done {
            self.tell_broken(why);
        }
        done
    }

    fn tell_broken(&self, why: WhyBroken) {
        self.monitor.sleepers.notify_all();
        let (pid, cause) = (why.pid(), why.cause());
        tracing::warn!(target: "multiproc", pid, cause, "barrier broken");
    }

    /// Breaks the barrier if a party died that had arrived, and gives back the
    /// records of the dead.
    fn look_for_dead(&self, deadline: Option<Instant>) {
        self.bury(self.monitor.find_dead(deadline), deadline);
    }

    fn bury(&self, dead: Vec<(u32, Identity)>, deadline: Option<Instant>) {
        for (index, owner) in dead {
            let Some(inside) = self.monitor.enter_until(deadline) else { return };
            let record = inside.record(index);
            let came = if record.owner() == owner { parties::arrival(record) } else { None };
            let why = WhyBroken::PartyDied { pid: owner.pid as i32 };
            // Before it is buried: if this process dies here too, the next one
            // finds the same.
            let broke = came.is_some_and(|generation| {
                let phase = Phase::of(generation);
                inside.state.replace(phase, phase.broken(why))
            });
            inside.bury((index, owner));
            drop(inside);
            if broke {
                self.tell_broken(why);
            }
        }
    }
}

/// Breaks the barrier if the action panics.
struct Fuse<'a> {
    barrier: &'a Barrier,
    phase: Phase,
}

impl Drop for Fuse<'_> {
    fn drop(&mut self) {
        let why = WhyBroken::ActionPanicked { pid: this_process() as i32 };
        self.barrier.break_in(self.phase, why);
    }
}
