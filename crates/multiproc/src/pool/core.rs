//! Dealing tasks to workers, collecting what they answer, and replacing those
//! that die.
//!
//! Nothing happens here by itself: somebody [waits](super::shared), and moves
//! the exchange on for everybody.

use std::{
    num::NonZeroUsize,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    time::{Duration, Instant},
};

use super::{
    config::Config,
    jobs::{JobId, Jobs, Order},
    lane::{Broken, News},
    member::{Member, Remains},
    statistics::{Statistics, WorkerStatistics},
    status::Status,
    transport::{Stream, Transport},
    worker::serve,
};
use crate::{
    EntryPoint, Error, ExitStatus, Result,
    process::{Starter, this_process},
};

/// The workers, the streams to them, and what they are to do.
pub(super) struct Core<T: Transport> {
    pub(super) config: Config,
    pub(super) transport: T,
    /// Until the pool ends.
    starter: Option<Starter>,
    members: Vec<Member<T::Stream>>,
    pub(super) jobs: Jobs,
    stage: Stage,
    /// Workers that have ended, or could not be started, before they had begun
    /// what they were started for, since the first of the last row of them.
    fruitless: Option<(u32, Instant)>,
    /// No worker is started before then.
    hire_at: Option<Instant>,
    /// The error that has ended the pool, or its first worker's before it was built.
    failure: Option<Error>,
    owner: u32,
    tallies: Tallies,
    /// Since somebody last went to sleep on them.
    has_new_members: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// The first workers are being started: one that ends is not replaced.
    Starting,
    Open,
    /// No jobs are accepted any more.
    Closed,
    /// All jobs are done, the workers were told to end.
    Ending,
    /// There are no workers any more.
    Ended,
}

#[derive(Default)]
struct Tallies {
    answered: u64,
    failed: u64,
    healed: u64,
    retired: u64,
}

/// So many workers in a row may end before they have begun anything, if none
/// is left. The breaks between them add up to a quarter of a second.
const MOST_FRUITLESS: u32 = 8;

/// Before a worker that has died idle is replaced, if it never did anything:
/// nobody waits for it, and the next may be no better.
const IDLE_PAUSE: Duration = Duration::from_millis(10);

/// What to sleep on, and for how long.
pub(super) struct Sleep {
    pub(super) fds: Vec<libc::pollfd>,
    pub(super) timeout: Option<Duration>,
    /// Which of the descriptors are sentinels, and of which process.
    sentinels: Vec<(usize, i32)>,
}

impl Sleep {
    /// Processes that have ended.
    pub(super) fn dead(&self) -> Vec<i32> {
        let dead = self.sentinels.iter().filter(|(place, _)| self.fds[*place].revents != 0);
        dead.map(|&(_, pid)| pid).collect()
    }
}

/// The life of a pool.
impl<T: Transport> Core<T> {
    /// Starts the workers, which are not ready yet.
    pub(super) fn start(config: Config) -> Result<Self> {
        let mut core = Self {
            transport: T::new()?,
            starter: Some(Starter::new(config.start_method)?),
            config,
            members: Vec::new(),
            jobs: Jobs::default(),
            stage: Stage::Starting,
            fruitless: None,
            hire_at: None,
            failure: None,
            owner: this_process(),
            tallies: Tallies::default(),
            has_new_members: false,
        };
        for seat in 0..core.config.workers.get() {
            core.hire(seat)?;
        }
        Ok(core)
    }

    /// Whether all workers are ready, or one has failed.
    pub(super) fn has_started(&self) -> bool {
        self.failure.is_some() || self.members.iter().all(|member| member.is_ready)
    }

    /// Ends the start: the pool is open if all workers are ready.
    pub(super) fn open(&mut self) -> Result<()> {
        let silent = self.members.iter().find(|member| !member.is_ready);
        let error = self.failure.take().or_else(|| {
            let seconds = self.config.start_timeout.as_secs();
            silent.map(|member| Error::StartTimedOut { pid: member.child.pid(), seconds })
        });
        match error {
            None => {
                self.stage = Stage::Open;
                Ok(())
            }
            Some(error) => {
                self.kill(Error::Broken);
                Err(error)
            }
        }
    }

    /// Why no job can be accepted, if none can.
    pub(super) fn refusal(&self) -> Option<Error> {
        if self.owner != this_process() {
            return Some(Error::NotInherited);
        }
        match (&self.failure, self.stage) {
            (Some(failure), _) => Some(failure.again()),
            (None, Stage::Starting | Stage::Open) => None,
            (None, _) => Some(Error::PoolClosed),
        }
    }

    /// Enters a job and gives out what can be given out. What goes wrong is
    /// the outcome of the job.
    pub(super) fn submit(&mut self, order: Order) -> JobId {
        let policy = &order.policy;
        let excluded = policy.at_most_once && policy.retries > 0;
        match self.refusal().or(excluded.then_some(Error::RetriesAtMostOnce)) {
            Some(error) => self.jobs.enter_failed(order, error),
            None => {
                let job = self.jobs.enter(order);
                self.hand_out();
                job
            }
        }
    }

    /// Stops the workers that execute what was cancelled.
    pub(super) fn stop_cancelled(&mut self) {
        for member in &mut self.members {
            let _ = member.keep_time(&self.jobs);
        }
    }

    /// An open job has `count` tasks more.
    pub(super) fn extend(&mut self, job: JobId, count: u64) {
        self.jobs.add(job, count);
        self.hand_out();
    }

    pub(super) fn close(&mut self) {
        self.stage = self.stage.max(Stage::Closed);
        // Streams get no more tasks, and end with those that they have.
        self.jobs.close_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.stage >= Stage::Closed
    }

    /// Tells the workers to end once they have done what they were given.
    pub(super) fn dismiss(&mut self) {
        self.stage = self.stage.max(Stage::Ending);
        self.members.iter_mut().for_each(Member::dismiss);
        self.hand_out();
    }

    /// Whether there are no workers any more, and never will be.
    pub(super) fn has_ended(&self) -> bool {
        self.members.is_empty() && self.stage >= Stage::Ending
    }

    /// What went wrong, once. A worker that lives on although it was told to
    /// end has gone wrong.
    pub(super) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take().or_else(|| {
            let child = &self.members.first()?.child;
            let (pid, name) = (child.pid(), child.name().to_owned());
            Some(Error::WorkerDied { pid, name, status: ExitStatus::KILLED, task: None })
        })
    }

    /// Ends the workers; jobs that are not finished fail.
    pub(super) fn kill(&mut self, error: Error) {
        self.stage = Stage::Ended;
        // A result that is kept keeps this; a process that can start workers it must not keep.
        self.starter = None;
        // First all of them, so that none lives to see the others gone.
        self.members.iter().for_each(|member| member.child.kill());
        self.members.clear();
        self.jobs.fail_all(|| error.again());
    }

    /// Processes that a pool of this size has, and that can work.
    pub(super) fn pids(&self) -> Vec<i32> {
        let mut seats: Vec<_> =
            self.members.iter().map(|member| (member.seat, member.child.pid())).collect();
        seats.sort_unstable();
        seats.into_iter().map(|(_, pid)| pid).collect()
    }

    pub(super) fn statistics(&self) -> Statistics {
        let failed = self.tallies.failed + self.jobs.failed_unanswered;
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_unstable_by_key(|member| member.seat);
        let worker = |member: &Member<T::Stream>| WorkerStatistics {
            pid: member.child.pid(),
            name: member.child.name().to_owned(),
            tasks: member.answered,
            busy: member.busy,
            idle: member.born.elapsed().saturating_sub(member.busy),
        };
        Statistics {
            tasks_done: self.tallies.answered - self.tallies.failed,
            tasks_failed: failed,
            tasks_retried: self.jobs.retried,
            queue_depth: self.jobs.waiting(),
            in_flight: members.iter().map(|member| member.lane.in_flight_len() as u64).sum(),
            workers_healed: self.tallies.healed,
            workers_retired: self.tallies.retired,
            workers: members.into_iter().map(worker).collect(),
        }
    }

    /// How many tasks of a job its stream should have under way.
    pub(super) fn reach(&self, job: JobId) -> usize {
        let series = self.jobs.series(job);
        let chunk_len = self.jobs.policy(job).chunk_len;
        let depth = |member: &Member<T::Stream>| {
            chunk_len.map_or_else(|| member.lane.depth(series), NonZeroUsize::get)
        };
        let depths = self.members.iter().map(depth);
        // One set that is executed, and one that is ready to follow.
        2 * depths.sum::<usize>()
    }
}

/// Sleeping, and what happens in between.
impl<T: Transport> Core<T> {
    /// Whether whoever sleeps on the workers must look up: there are other
    /// workers, something waits for room or for its time, or callbacks are due.
    pub(super) fn takes_a_leader(&mut self) -> bool {
        std::mem::take(&mut self.has_new_members)
            || self.members.iter().any(|member| member.lane.has_output())
            || self.jobs.has_timed()
            || self.jobs.has_cancelled()
            || self.jobs.has_callbacks_due()
            || self.hire_at.is_some()
            || self.members.is_empty()
    }

    /// What to sleep on until something happens; `None` if it has already.
    /// `bell` wakes the sleeper.
    pub(super) fn plan_sleep(
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
        let now = Instant::now();
        let left = |at: Instant| at.saturating_duration_since(now);
        let timeout = deadline.map(left).into_iter().chain(self.next_alarm(now)).min();
        Some(Sleep { fds, timeout, sentinels })
    }

    /// Looks for news a while, if there is a core to spare for that. Whether
    /// there are none.
    fn look_around(&self) -> bool {
        let is_busy = |member: &Member<T::Stream>| member.lane.in_flight_len() > 0;
        if !self.members.iter().any(is_busy) {
            return true;
        }
        for _ in 0..self.config.spins.parent {
            if self.members.iter().any(|member| member.lane.stream().has_news()) {
                return false;
            }
            std::hint::spin_loop();
        }
        true
    }

    /// When somebody must look even if nothing happens.
    fn next_alarm(&mut self, now: Instant) -> Option<Duration> {
        let mut alarm = self.hire_at.map(|at| at.saturating_duration_since(now));
        for member in &mut self.members {
            let again = member.keep_time(&self.jobs);
            let begun = member.keep_start_time(self.config.start_timeout);
            alarm = alarm.into_iter().chain(again).chain(begun).min();
        }
        alarm
    }

    /// Takes what has come, replaces the `dead`, gives out tasks.
    pub(super) fn progress(&mut self, dead: &[i32]) {
        self.transport.hush();
        let mut lost: Vec<(i32, Broken)> = Vec::new();
        for index in 0..self.members.len() {
            let member = &mut self.members[index];
            let (news, heard) = member.listen(&mut self.jobs);
            let (pid, born) = (member.child.pid(), member.born);
            self.tally(&news, born);
            if let Err(broken) = heard {
                lost.push((pid, broken));
            } else if dead.contains(&pid) {
                lost.push((pid, Broken::HungUp));
            }
        }
        for (pid, why) in lost {
            self.lose(pid, why);
        }
        self.stop_cancelled();
        self.fill_seats();
        self.hand_out();
    }

    fn tally(&mut self, news: &News, born: Instant) {
        self.tallies.answered += news.answered;
        self.tallies.failed += news.failed;
        if news.answered > 0 {
            self.has_borne_fruit(born);
        }
    }

    /// A worker has begun a task. If it was started since others could not,
    /// whatever ailed them is over.
    fn has_borne_fruit(&mut self, born: Instant) {
        self.fruitless = self.fruitless.filter(|&(_, since)| born < since);
    }

    /// The worker `pid` is no use any more.
    fn lose(&mut self, pid: i32, why: Broken) {
        let Some(index) = self.members.iter().position(|member| member.child.pid() == pid) else {
            return;
        };
        let member = self.members.swap_remove(index);
        if !matches!(why, Broken::HungUp) {
            tracing::warn!(target: "multiproc", pid, ?why, "worker dismissed");
            member.child.kill();
        }
        let (born, had_answered) = (member.born, member.answered > 0);
        let Remains { error, was_idle, has_charged, is_in_order } =
            member.bury(why, &mut self.jobs);
        if has_charged {
            self.has_borne_fruit(born);
        }
        match self.stage {
            Stage::Starting => _ = self.failure.get_or_insert(error),
            _ if is_in_order => self.tallies.retired += u64::from(self.stage < Stage::Ending),
            Stage::Open | Stage::Closed => {
                self.tallies.healed += 1;
                match (had_answered || has_charged, was_idle) {
                    (true, _) => {}
                    (false, true) => self.hire_at = Some(Instant::now() + IDLE_PAUSE),
                    (false, false) => self.back_off(&error),
                }
            }
            // The jobs are done, so nobody else would be told.
            Stage::Ending | Stage::Ended => _ = self.failure.get_or_insert(error),
        }
    }

    /// A worker has ended before it had begun anything, or could not be started.
    fn back_off(&mut self, error: &Error) {
        let (before, since) = self.fruitless.unwrap_or((0, Instant::now()));
        let deaths = before + 1;
        self.fruitless = Some((deaths, since));
        // Who lives can do everything, if more slowly.
        let nobody_works = !self.members.iter().any(|member| member.is_ready);
        let most = MOST_FRUITLESS.max(2 * self.config.workers.get() as u32);
        if nobody_works && deaths >= most {
            let failure = Error::WorkersKeepDying { deaths, last: error.to_string() };
            self.kill(failure.again());
            self.failure = Some(failure);
            return;
        }
        let pause = Duration::from_millis(1 << deaths.min(7));
        // The first death of a worker without work is nothing to be wary of.
        self.hire_at = (deaths > 1).then(|| Instant::now() + pause);
    }

    /// Starts workers for the seats that are vacant.
    fn fill_seats(&mut self) {
        if !matches!(self.stage, Stage::Open | Stage::Closed)
            || self.hire_at.is_some_and(|at| Instant::now() < at)
        {
            return;
        }
        self.hire_at = None;
        for seat in 0..self.config.workers.get() {
            let is_taken =
                self.members.iter().any(|member| member.seat == seat && !member.is_leaving);
            if is_taken {
                continue;
            }
            if let Err(error) = self.hire(seat) {
                tracing::warn!(target: "multiproc", %error, "worker not replaced");
                return self.back_off(&error);
            }
        }
    }

    fn hire(&mut self, seat: usize) -> Result<()> {
        let (stream, descriptors) = self.transport.connect()?;
        let status = Status::new()?;
        let inheritance = self.config.inheritance(seat, &status, descriptors)?;
        let name = format!("{}-{seat}", self.config.name);
        let starter = self.starter.as_mut().ok_or(Error::Broken)?;
        let child = starter.start(&name, EntryPoint::new(serve::<T>), inheritance)?;
        self.members.push(Member::new(child, stream, status, seat));
        self.has_new_members = true;
        Ok(())
    }
}

/// Giving out tasks.
impl<T: Transport> Core<T> {
    /// Gives out tasks and writes what can be written without blocking.
    fn hand_out(&mut self) {
        self.deal();
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
    /// that depend on its [pace](super::pace).
    fn deal(&mut self) {
        let workers = self.members.iter().filter(|member| member.can_work()).count().max(1);
        loop {
            let before = self.jobs.waiting();
            for member in self.members.iter_mut().filter(|member| member.can_work()) {
                let left = usize::try_from(self.jobs.waiting()).unwrap_or(usize::MAX);
                let Some(next) = self.jobs.next() else { return };
                let series = next.kinship.series;
                let more = member.lane.appetite(&next, left / (2 * workers));
                let more =
                    if next.chunk_len.is_some() { more } else { more.min(left.div_ceil(workers)) };
                give(more, series, member, &mut self.jobs, self.config.max_tasks.map(u64::from));
            }
            if self.jobs.waiting() == before {
                return;
            }
        }
    }
}

/// Gives `member` at most `most` tasks of `series`, as long as they come next,
/// and no more than `most_in_life` since its birth.
fn give<S: Stream>(
    most: usize,
    series: u64,
    member: &mut Member<S>,
    jobs: &mut Jobs,
    most_in_life: Option<u64>,
) {
    let allowance = most_in_life.map_or(u64::MAX, |most| most - member.given);
    let mut left = usize::try_from(allowance).unwrap_or(usize::MAX).min(most);
    while left > 0 {
        let is_next = jobs.next().is_some_and(|next| next.kinship.series == series);
        if !is_next {
            break;
        }
        let staged = member.lane.stage_tasks(jobs, left);
        if staged == 0 {
            break;
        }
        left -= staged as usize;
        member.given += staged;
    }
    if most_in_life.is_some_and(|most| member.given == most) {
        // Its successor begins while it does the last of them.
        member.dismiss();
    }
}
