//! Giving out tasks.

use std::num::NonZeroUsize;

use super::Core;
use crate::pool::{
    jobs::{JobId, Jobs},
    lane::Appetite,
    member::Member,
    transport::{Stream, Transport},
};

impl<T: Transport> Core<T> {
    /// How many tasks of a job its stream should have under way.
    pub(in crate::pool) fn reach(&self, job: JobId) -> usize {
        let series = self.jobs.series(job);
        let chunk_len = self.jobs.policy(job).chunk_len;
        let depth = |member: &Member<T::Stream>| {
            chunk_len.map_or_else(|| member.lane.depth(series), NonZeroUsize::get)
        };
        let depths = self.members.iter().map(depth);
        // One set that is executed, and one that is ready to follow.
        2 * depths.sum::<usize>()
    }

    /// Gives out tasks and writes what can be written without blocking.
    pub(super) fn hand_out(&mut self) {
        self.deal();
        if self.config.max_tasks.is_some() {
            // Those who were given their last tasks just now have successors.
            self.fill_seats();
        }
        let mut lost = Vec::new();
        for member in &mut self.members {
            if let Err(broken) = member.lane.write(&self.jobs) {
                lost.push((member.child.pid(), broken));
            }
        }
        if lost.is_empty() {
            return;
        }
        for (pid, why) in lost {
            self.lose(pid, why);
        }
        self.fill_seats();
        // Their tasks are others' now, who may have nothing to do.
        self.hand_out();
    }

    /// Gives out tasks, some to each worker in turn, as long as somebody should
    /// have more.
    ///
    /// A worker is given at most its share of half of what is left, so that
    /// large batches at the beginning become small ones towards the end
    /// (guided self-scheduling; Polychronopoulos and Kuck, 1987), within limits
    /// that depend on its [pace](crate::pool::pace).
    fn deal(&mut self) {
        // Who runs an errand would keep a task waiting, nobody knows how long.
        let may_be_given = |member: &Member<T::Stream>| {
            member.can_work() && member.lane.stream().errand().is_none()
        };
        let workers = self.members.iter().filter(|member| may_be_given(member)).count().max(1);
        loop {
            let before = self.jobs.waiting();
            for member in self.members.iter_mut().filter(|member| may_be_given(member)) {
                let left = usize::try_from(self.jobs.waiting()).unwrap_or(usize::MAX);
                let Some(next) = self.jobs.next() else { return };
                let series = next.kinship.series;
                let mut appetite = member.lane.appetite(&next, left / (2 * workers));
                if next.chunk_len.is_none() {
                    appetite.tasks = appetite.tasks.min(left.div_ceil(workers));
                }
                let most_in_life = self.config.max_tasks.map(u64::from);
                give(appetite, series, member, &mut self.jobs, most_in_life);
            }
            if self.jobs.waiting() == before {
                return;
            }
        }
    }
}

/// Gives `member` at most so many tasks of `series`, as long as they come next,
/// and no more than `most_in_life` since its birth.
fn give<S: Stream>(
    Appetite { tasks, at_a_time }: Appetite,
    series: u64,
    member: &mut Member<S>,
    jobs: &mut Jobs,
    most_in_life: Option<u64>,
) {
    let allowance = most_in_life.map_or(u64::MAX, |most| most - member.given);
    let mut left = usize::try_from(allowance).unwrap_or(usize::MAX).min(tasks);
    while left > 0 {
        let is_next = jobs.next().is_some_and(|next| next.kinship.series == series);
        if !is_next {
            break;
        }
        let before = member.lane.in_flight_len();
        let staged = member.lane.stage_tasks(jobs, left.min(at_a_time));
        if staged == 0 {
            break;
        }
        left -= staged as usize;
        // Those whose arguments cannot be encoded it never sees.
        member.given += (member.lane.in_flight_len() - before) as u64;
    }
    if most_in_life.is_some_and(|most| member.given == most) {
        // Its successor is started while it does the last of them.
        member.dismiss();
    }
}
