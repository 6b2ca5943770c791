//! Dealing tasks to workers and collecting what they answer.
//!
//! Nothing happens here by itself: every call into the pool moves the
//! exchange on for all jobs, not only for its own. A thread that did so in the
//! background would forbid `fork`.

use std::time::{Duration, Instant};

use multiproc::{Crew, EntryPoint, Error, PoolConfig, Result};
use nix::poll::{PollFd, PollFlags};

use crate::{
    jobs::{Function, JobId, Jobs, Ledger, Lent},
    lane::{Broken, Lane},
    tasks::Tasks,
    worker::serve,
};

/// The workers, the pipes to them, and what they are to do.
pub(crate) struct Dispatcher {
    crew: Crew,
    lanes: Vec<Lane>,
    jobs: Jobs,
}

/// Why the exchange ended, and the job that had the task which the error
/// names.
struct Breakdown {
    error: Error,
    job: Option<JobId>,
}

impl From<Error> for Breakdown {
    fn from(error: Error) -> Self {
        Self { error, job: None }
    }
}

impl Dispatcher {
    pub(crate) fn start(config: &PoolConfig) -> Result<Self> {
        let mut lanes = Vec::new();
        let inheritances = (0..config.workers.get()).map(|_| {
            let (lane, inheritance) = Lane::open()?;
            lanes.push(lane);
            Ok(inheritance)
        });
        let crew = Crew::start(config, EntryPoint::new(serve), inheritances)?;
        let mut dispatcher = Self { crew, lanes, jobs: Jobs::default() };
        dispatcher.wait_until_ready(config.start_timeout)?;
        Ok(dispatcher)
    }

    pub(crate) fn pids(&self) -> impl ExactSizeIterator<Item = i32> {
        self.crew.pids()
    }

    /// Executes `function` on each of `tasks`. The first panic is the error,
    /// after all others are done.
    pub(crate) fn execute(&mut self, function: Function, tasks: &mut dyn Tasks) -> Result<()> {
        let count = self.accept(tasks.count())?;
        let job = self.jobs.enter(function, count, None);
        // Its errors are the job's as well, where they are read from.
        let mut moved = self.hand_out(Some(&mut *tasks));
        while moved.is_ok() && !self.jobs.is_finished(job) {
            moved = self.step(Some(&mut *tasks), None);
        }
        let outcome = self.jobs.outcome(job).map(drop);
        self.jobs.abandon(job);
        outcome
    }

    /// Begins to execute `function` on each of `tasks`. What goes wrong is the
    /// outcome of the job.
    pub(crate) fn submit(&mut self, function: Function, tasks: Box<dyn Tasks + Send>) -> JobId {
        match self.accept(tasks.count()) {
            Ok(count) => {
                let job = self.jobs.enter(function, count, Some(tasks));
                if self.hand_out(None).is_ok() {
                    // What goes wrong now concerns every job and is told there.
                    let _ = self.step(None, Some(Duration::ZERO));
                }
                job
            }
            Err(error) => self.jobs.enter_failed(function, error),
        }
    }

    /// Waits until `job` is finished, at most until `deadline`; whether it is.
    pub(crate) fn wait(&mut self, job: JobId, deadline: Option<Instant>) -> bool {
        while !self.jobs.is_finished(job) {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            // What goes wrong finishes the job.
            let _ = self.step(None, left);
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
        }
        self.jobs.is_finished(job)
    }

    /// How many tasks a finished job had, and their outputs.
    pub(crate) fn outcome(&self, job: JobId) -> Result<(usize, &[u8])> {
        self.jobs.outcome(job)
    }

    /// Nobody will ask for `job` any more.
    pub(crate) fn abandon(&mut self, job: JobId) {
        self.jobs.abandon(job);
    }

    /// Finishes all jobs, closes the pipes, which tells the workers to end,
    /// and waits for them.
    pub(crate) fn shutdown(&mut self, patience: Duration) -> Result<()> {
        if self.crew.is_empty() {
            return Err(Error::Broken);
        }
        while self.jobs.unfinished() > 0 {
            self.step(None, None)?;
        }
        self.lanes.clear();
        self.crew.join(patience)
    }

    /// Ends the workers; jobs that are not finished fail with `error`.
    pub(crate) fn kill(&mut self, error: &Error) {
        self.end(error, None);
    }

    fn end(&mut self, error: &Error, job: Option<JobId>) {
        self.crew.kill();
        self.lanes.clear();
        self.jobs.fail(error, job);
    }

    /// The number of tasks, if they can be executed.
    fn accept(&self, count: usize) -> Result<u32> {
        if self.crew.is_empty() {
            return Err(Error::Broken);
        }
        let most = u32::MAX as usize;
        u32::try_from(count).map_err(|_| Error::TooLarge { what: "tasks", got: count, most })
    }

    /// Gives out tasks and writes what can be written without blocking. Ends
    /// all workers if one cannot go on.
    fn hand_out(&mut self, lent: Lent<'_, '_>) -> Result<()> {
        let mut ledger = Ledger { jobs: &mut self.jobs, lent };
        deal(&mut self.lanes, &mut ledger);
        for index in 0..self.lanes.len() {
            if let Err(broken) = self.lanes[index].write(&ledger) {
                let breakdown = self.explain(index, broken);
                return self.stop(breakdown);
            }
        }
        Ok(())
    }

    /// Sleeps until there is something to read or write, then reads it, gives
    /// out tasks and writes. Ends all workers if one cannot go on.
    fn step(&mut self, mut lent: Lent<'_, '_>, timeout: Option<Duration>) -> Result<()> {
        let dead = match self.sleep(timeout) {
            Ok(dead) => dead,
            Err(error) => return self.stop(error.into()),
        };
        for index in 0..self.lanes.len() {
            let lent = lent.as_deref_mut();
            let mut ledger = Ledger { jobs: &mut self.jobs, lent };
            if let Err(broken) = self.lanes[index].read(&mut ledger) {
                let breakdown = self.explain(index, broken);
                return self.stop(breakdown);
            }
        }
        if let Some(index) = dead {
            let breakdown = self.explain(index, Broken::HungUp);
            return self.stop(breakdown);
        }
        self.hand_out(lent)
    }

    fn stop(&mut self, Breakdown { error, job }: Breakdown) -> Result<()> {
        self.end(&error, job);
        Err(error)
    }

    /// Sleeps until a pipe is ready; returns the index of a worker that has ended.
    fn sleep(&self, timeout: Option<Duration>) -> Result<Option<usize>> {
        let writable = self.lanes.iter().filter(|lane| lane.has_output());
        let writable = writable.map(|lane| PollFd::new(lane.requests(), PollFlags::POLLOUT));
        let readable = self.lanes.iter().map(|lane| PollFd::new(lane.replies(), PollFlags::POLLIN));
        let mut fds: Vec<PollFd<'_>> = readable.chain(writable).collect();
        self.crew.poll(&mut fds, timeout)
    }

    /// Why the worker at `index` cannot go on.
    fn explain(&mut self, index: usize, broken: Broken) -> Breakdown {
        let pid = self.pids().nth(index).unwrap_or_default();
        match broken {
            Broken::System(source) => Error::System { what: "speak to a worker", source }.into(),
            Broken::Garbled(what) => Error::Garbled { pid, what }.into(),
            Broken::HungUp => match self.crew.death_of(index) {
                Error::WorkerDied { pid, status, .. } => {
                    let current = self.lanes[index].current_task();
                    let task = current.map(|current| current.task as usize);
                    let error = Error::WorkerDied { pid, status, task };
                    Breakdown { error, job: current.map(|current| current.job) }
                }
                error => error.into(),
            },
        }
    }

    fn wait_until_ready(&mut self, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        while let Some(silent) = self.lanes.iter().position(|lane| !lane.is_ready()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let pid = self.pids().nth(silent).unwrap_or_default();
                self.crew.kill();
                return Err(Error::StartTimedOut { pid, seconds: timeout.as_secs() });
            }
            self.step(None, Some(left))?;
        }
        Ok(())
    }
}

/// Gives out tasks, some to each worker in turn, as long as somebody should
/// have more.
///
/// A worker is given at most its share of half of what is left, so that
/// large batches at the beginning become small ones towards the end
/// (guided self-scheduling; Polychronopoulos and Kuck, 1987), within limits
/// that depend on its [pace](crate::pace).
fn deal(lanes: &mut [Lane], ledger: &mut Ledger<'_, '_>) {
    let workers = lanes.len();
    loop {
        let before = ledger.jobs.waiting();
        for lane in &mut *lanes {
            let left = ledger.jobs.waiting();
            let Some(series) = ledger.jobs.next().map(|next| next.kinship.series) else { return };
            let more = lane.appetite(series, left / (2 * workers)).min(left.div_ceil(workers));
            give(more, series, lane, ledger);
        }
        if ledger.jobs.waiting() == before {
            return;
        }
    }
}

/// Gives `lane` at most `most` tasks of `series`, as long as they come next.
fn give(most: usize, series: u64, lane: &mut Lane, ledger: &mut Ledger<'_, '_>) {
    let mut left = most;
    while left > 0 {
        let next = ledger.jobs.next().filter(|next| next.kinship.series == series);
        let Some(next) = next else { return };
        let staged = lane.stage_tasks(&next, left, ledger.tasks(next.id.job));
        if staged == 0 {
            return;
        }
        left -= staged as usize;
        ledger.jobs.give(staged);
    }
}
