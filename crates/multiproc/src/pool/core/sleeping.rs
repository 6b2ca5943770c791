//! What to sleep on until there is something to do, and for how long.

use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    time::{Duration, Instant},
};

use super::Core;
use crate::pool::{
    member::Member,
    transport::{Stream, Transport},
};

/// What to sleep on, and for how long.
pub(in crate::pool) struct Sleep {
    pub(in crate::pool) fds: Vec<libc::pollfd>,
    pub(in crate::pool) timeout: Option<Duration>,
    /// Which of the descriptors are sentinels, and of which process.
    sentinels: Vec<(usize, i32)>,
}

impl Sleep {
    /// Whether the bell is what has woken the sleeper, perhaps among others.
    pub(in crate::pool) fn has_rung(&self) -> bool {
        self.fds[BELL].revents != 0
    }

    /// Processes that have ended.
    pub(in crate::pool) fn dead(&self) -> Vec<i32> {
        let dead = self.sentinels.iter().filter(|(place, _)| self.fds[*place].revents != 0);
        dead.map(|&(_, pid)| pid).collect()
    }
}

/// The bell's place among the descriptors.
const BELL: usize = 0;

impl<T: Transport> Core<T> {
    /// Whether whoever sleeps on the workers must look up: there are other
    /// workers, something waits for room or for its time, or callbacks are due.
    pub(in crate::pool) fn takes_a_leader(&mut self) -> bool {
        std::mem::take(&mut self.has_new_members)
            || self.members.iter().any(|member| member.lane.has_output())
            || self.jobs.has_timed()
            || self.jobs.has_cancelled()
            || self.jobs.has_callbacks_due()
            || self.pauses.iter().any(Option::is_some)
            || self.members.is_empty()
            || !self.dying.is_empty()
    }

    /// What to sleep on until something happens; `None` if it has already.
    /// `bell` wakes the sleeper.
    pub(in crate::pool) fn plan_sleep(
        &mut self,
        bell: BorrowedFd<'_>,
        deadline: Option<Instant>,
    ) -> Option<Sleep> {
        let mut may_sleep = !self.jobs.has_callbacks_due() && self.look_around();
        for member in &mut self.members {
            let to_write = member.lane.has_output();
            may_sleep &= member.lane.stream_mut().prepare_sleep(to_write);
        }
        if !may_sleep {
            return None;
        }
        self.has_new_members = false;
        let poll = |fd: RawFd, events| libc::pollfd { fd, events, revents: 0 };
        let mut fds = vec![poll(bell.as_raw_fd(), libc::POLLIN)];
        fds.extend(self.transport.doorbell().map(|bell| poll(bell.as_raw_fd(), libc::POLLIN)));
        let mut sentinels = Vec::with_capacity(self.members.len());
        for member in &self.members {
            let stream = member.lane.stream();
            fds.extend(stream.readable().map(|fd| poll(fd.as_raw_fd(), libc::POLLIN)));
            if member.lane.has_output() {
                fds.extend(stream.writable().map(|fd| poll(fd.as_raw_fd(), libc::POLLOUT)));
            }
            sentinels.push((fds.len(), member.child.pid()));
            fds.push(poll(member.child.sentinel().as_fd().as_raw_fd(), libc::POLLIN));
        }
        // These are looked after whenever somebody wakes up.
        let dying = self.dying.iter().map(|dying| dying.member.child.sentinel());
        fds.extend(dying.map(|sentinel| poll(sentinel.as_fd().as_raw_fd(), libc::POLLIN)));
        let now = Instant::now();
        let left = |at: Instant| at.saturating_duration_since(now);
        let timeout = deadline.map(left).into_iter().chain(self.next_alarm(now)).min();
        Some(Sleep { fds, timeout, sentinels })
    }

    /// Looks for news a while, if there is a core to spare for that. Whether
    /// there are none.
    fn look_around(&mut self) -> bool {
        let is_busy = |member: &&Member<T::Stream>| member.lane.in_flight_len() > 0;
        let busy: Vec<_> = self.members.iter().filter(is_busy).collect();
        if busy.is_empty() {
            return true;
        }
        let limit = self.config.spins.parent;
        !self.patience.look(limit, || busy.iter().any(|member| member.lane.stream().has_news()))
    }

    /// When somebody must look even if nothing happens.
    fn next_alarm(&mut self, now: Instant) -> Option<Duration> {
        let hire = self.pauses.iter().flatten();
        let grace = self.dying.iter().filter_map(|dying| dying.grace.as_ref());
        let alarm = hire.chain(grace).min().map(|at| at.saturating_duration_since(now));
        alarm.into_iter().chain(self.keep_times()).min()
    }
}
