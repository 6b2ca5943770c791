//! How the pool gets on.

use std::time::Instant;

use super::Core;
use crate::pool::{
    lane::News,
    member::Member,
    statistics::{Statistics, WorkerStatistics},
    transport::Transport,
};

#[derive(Default)]
pub(super) struct Tallies {
    pub(super) answered: u64,
    pub(super) failed: u64,
    pub(super) healed: u64,
    pub(super) retired: u64,
}

impl<T: Transport> Core<T> {
    /// The workers' processes, by seat.
    pub(in crate::pool) fn pids(&self) -> Vec<i32> {
        let mut seats: Vec<_> =
            self.members.iter().map(|member| (member.seat, member.child.pid())).collect();
        seats.sort_unstable();
        seats.into_iter().map(|(_, pid)| pid).collect()
    }

    pub(in crate::pool) fn statistics(&self) -> Statistics {
        let failed = self.tallies.failed + self.jobs.failed_unanswered;
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_unstable_by_key(|member| member.seat);
        let worker = |member: &Member<T::Stream>| {
            let busy = member.busy();
            WorkerStatistics {
                pid: member.child.pid(),
                name: member.child.name().to_owned(),
                tasks: member.answered,
                busy,
                idle: member.born.elapsed().saturating_sub(busy),
            }
        };
        let in_flight = self.all_members().map(|member| member.lane.in_flight_len() as u64);
        Statistics {
            tasks_done: self.tallies.answered - self.tallies.failed,
            tasks_failed: failed,
            tasks_retried: self.jobs.retried,
            queue_depth: self.jobs.waiting(),
            in_flight: in_flight.sum(),
            workers_healed: self.tallies.healed,
            workers_retired: self.tallies.retired,
            workers: members.into_iter().map(worker).collect(),
        }
    }

    pub(super) fn tally(&mut self, news: &News, born: Instant) {
        self.tallies.answered += news.answered;
        self.tallies.failed += news.failed;
        if news.answered > 0 {
            self.has_borne_fruit(born);
        }
    }
}
