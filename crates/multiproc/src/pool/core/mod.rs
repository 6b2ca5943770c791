//! Dealing tasks to workers, collecting what they answer, and replacing those
//! that die.
//!
//! Nothing happens here by itself: somebody [waits](super::shared), and moves
//! the exchange on for everybody.
mod dealing;
mod errands;
mod healing;
mod sleeping;
mod statistics;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub(super) use self::sleeping::Sleep;
use self::{errands::ErrandTable, healing::Dying, statistics::Tallies};
use super::{
    config::Config,
    jobs::{JobId, Jobs, Order},
    lane::Broken,
    member::Member,
    patience::Patience,
    transport::Transport,
};
use crate::{
    Error, Result,
    process::{Starter, this_process},
};

/// The workers, the streams to them, and what they are to do.
pub(super) struct Core<T: Transport> {
    pub(super) config: Config,
    pub(super) transport: Arc<T>,
    /// Until the pool ends.
    starter: Option<Starter>,
    members: Vec<Member<T::Stream>>,
    /// They work no more, and what becomes of their tasks is not settled yet.
    dying: Vec<Dying<T::Stream>>,
    pub(super) jobs: Jobs,
    stage: Stage,
    /// Workers that have ended, or could not be started, before they had begun
    /// what they were started for, since the first of the last row of them.
    fruitless: Option<(u32, Instant)>,
    /// By seat: it is vacant and no worker is started for it before then.
    pauses: Vec<Option<Instant>>,
    /// The error that has ended the pool, or its first worker's before it was built.
    failure: Option<Error>,
    owner: u32,
    tallies: Tallies,
    patience: Patience,
    /// Since somebody last went to sleep on them.
    has_new_members: bool,
    errands: ErrandTable,
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

impl<T: Transport> Core<T> {
    /// Starts the workers, which are not ready yet.
    pub(super) fn start(config: Config) -> Result<Self> {
        let mut core = Self {
            transport: Arc::new(T::new()?),
            starter: Some(Starter::new(config.start_method)?),
            pauses: vec![None; config.workers.get()],
            config,
            members: Vec::new(),
            dying: Vec::new(),
            jobs: Jobs::default(),
            stage: Stage::Starting,
            fruitless: None,
            failure: None,
            owner: this_process(),
            tallies: Tallies::default(),
            patience: Patience::default(),
            has_new_members: false,
            errands: ErrandTable::default(),
        };
        for seat in core.seats() {
            core.hire(seat)?;
        }
        core.starter.iter_mut().try_for_each(Starter::go_over_to_others)?;
        Ok(core)
    }

    /// Whether all workers are ready, or one has failed.
    pub(super) fn has_started(&self) -> bool {
        let are_ready = self.dying.is_empty() && self.members.iter().all(|member| member.is_ready);
        self.failure.is_some() || are_ready
    }

    /// Ends the start: the pool is open if all workers are ready.
    pub(super) fn open(&mut self) -> Result<()> {
        let dying = self.dying.iter().map(|dying| &dying.member);
        let silent = self.members.iter().filter(|member| !member.is_ready).chain(dying).next();
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

    /// Takes what has come, replaces the `dead`, gives out tasks.
    pub(super) fn progress(&mut self, dead: &[i32]) {
        self.transport.hush();
        let mut lost: Vec<(i32, Broken)> = Vec::new();
        for index in 0..self.members.len() {
            let member = &mut self.members[index];
            let (mut news, heard) = member.listen(&mut self.jobs);
            let (pid, born) = (member.child.pid(), member.born);
            self.keep_answer(&mut news);
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
        self.bury_dead();
        let _ = self.keep_times();
        self.fill_seats();
        self.hand_out();
    }

    /// Stops the workers that execute what was cancelled, or whose time is over.
    /// How long until this is to be asked again.
    pub(super) fn keep_times(&mut self) -> Option<Duration> {
        let Config { start_timeout, exit_timeout, .. } = self.config;
        let mut again = None;
        for member in &mut self.members {
            let tasks = member.keep_time(&self.jobs);
            let start = member.keep_start_time(start_timeout);
            let exit = member.keep_exit_time(exit_timeout);
            again = again.into_iter().chain(tasks).chain(start).chain(exit).min();
        }
        again
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
        self.pauses.fill(None);
        self.members.iter_mut().for_each(Member::dismiss);
        self.hand_out();
    }

    /// Whether there are no workers any more, and never will be.
    pub(super) fn has_ended(&self) -> bool {
        self.members.is_empty() && self.dying.is_empty() && self.stage >= Stage::Ending
    }

    /// The dying included.
    fn all_members(&self) -> impl Iterator<Item = &Member<T::Stream>> {
        self.members.iter().chain(self.dying.iter().map(|dying| &dying.member))
    }

    /// What went wrong, once.
    pub(super) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// Ends the workers; jobs that are not finished fail.
    pub(super) fn kill(&mut self, error: Error) {
        self.stage = Stage::Ended;
        self.pauses.fill(None);
        // A result that is kept keeps this; a process that can start workers it must not keep.
        self.starter = None;
        // First all of them, so that none lives to see the others gone.
        self.members.iter().for_each(|member| member.child.kill());
        self.dying.iter().for_each(|dying| dying.member.child.kill());
        let orphans: Vec<_> = self.all_members().filter_map(Self::orphan).collect();
        self.members.clear();
        self.dying.clear();
        self.lose_all_errands(orphans, &error);
        self.jobs.fail_all(|| error.again());
    }
}
