//! Dealing tasks to workers and collecting what they answer.

use std::time::{Duration, Instant};

use multiproc::{Crew, EntryPoint, Error, PoolConfig, Result, TaskFn};
use nix::poll::{PollFd, PollFlags};

use crate::{
    frame::JobHeader,
    lane::{Broken, Heard, Lane},
    tasks::Tasks,
    worker::serve,
};

/// The workers and the pipes to them.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    crew: Crew,
    lanes: Vec<Lane>,
}

/// Most tasks that a worker is given ahead: 24 KiB of small frames, so that
/// one system call moves many, and few enough that they are soon done.
const MOST_AHEAD: usize = 1024;

/// Fewest tasks that a worker is given ahead while there are enough for all:
/// one to execute and one to find when it is done.
const FEWEST_AHEAD: usize = 2;

impl Dispatcher {
    pub(crate) fn start(config: &PoolConfig) -> Result<Self> {
        let mut lanes = Vec::new();
        let inheritances = (0..config.workers.get()).map(|_| {
            let (lane, inheritance) = Lane::open()?;
            lanes.push(lane);
            Ok(inheritance)
        });
        let crew = Crew::start(config, EntryPoint::new(serve), inheritances)?;
        let mut dispatcher = Self { crew, lanes };
        dispatcher.wait_until_ready(config.start_timeout)?;
        Ok(dispatcher)
    }

    pub(crate) fn pids(&self) -> impl ExactSizeIterator<Item = i32> {
        self.crew.pids()
    }

    /// Executes `task` on each of `tasks`. The first panic is the error, after
    /// all others are done.
    pub(crate) fn execute(
        &mut self,
        task: TaskFn,
        context: &[u8],
        mut tasks: Tasks<'_>,
    ) -> Result<()> {
        if self.crew.is_empty() {
            return Err(Error::Broken);
        }
        let most = u32::MAX as usize;
        if tasks.count() > most {
            return Err(Error::TooLarge { what: "tasks", got: tasks.count(), most });
        }
        let job = JobHeader { token: task.token(), output_len: tasks.output_len() };
        self.lanes.iter_mut().for_each(|lane| lane.stage_job(&job, context));
        let mut given = 0;
        let mut done = 0;
        let mut panicked = None;
        while done < tasks.count() {
            given = self.deal(given, &tasks);
            self.exchange(&mut tasks, None, &mut |heard| match heard {
                Heard::Ready => {}
                Heard::Done => done += 1,
                Heard::Panicked { task, message } => {
                    done += 1;
                    panicked.get_or_insert(Error::TaskPanicked { task, message });
                }
            })?;
        }
        panicked.map_or(Ok(()), Err)
    }

    /// Closes the pipes, which tells the workers to end, and waits for them.
    pub(crate) fn shutdown(mut self, patience: Duration) -> Result<()> {
        if self.crew.is_empty() {
            return Err(Error::Broken);
        }
        self.lanes.clear();
        self.crew.join(patience)
    }

    /// Gives out tasks from index `next` on, one a worker in turn, as long as
    /// somebody should have more; returns the first that nobody has.
    ///
    /// A worker is given at most its share of half of what is left, so that
    /// large batches at the beginning become small ones towards the end
    /// (guided self-scheduling; Polychronopoulos and Kuck, 1987).
    fn deal(&mut self, mut next: usize, tasks: &Tasks<'_>) -> usize {
        let workers = self.lanes.len();
        loop {
            let before = next;
            for lane in &mut self.lanes {
                let left = tasks.count() - next;
                let ahead = (left / (2 * workers)).clamp(FEWEST_AHEAD, MOST_AHEAD);
                if left > 0 && lane.in_flight() < ahead && lane.has_room() {
                    lane.stage_task(next, tasks);
                    next += 1;
                }
            }
            if next == before {
                return next;
            }
        }
    }

    /// Writes and reads what can be without blocking; sleeps first if that is
    /// nothing. Ends all workers if one cannot go on.
    fn exchange(
        &mut self,
        tasks: &mut Tasks<'_>,
        timeout: Option<Duration>,
        heard: &mut impl FnMut(Heard),
    ) -> Result<()> {
        let exchanged = self.try_exchange(tasks, timeout, heard);
        if exchanged.is_err() {
            self.crew.kill();
        }
        exchanged
    }

    fn try_exchange(
        &mut self,
        tasks: &mut Tasks<'_>,
        timeout: Option<Duration>,
        heard: &mut impl FnMut(Heard),
    ) -> Result<()> {
        for index in 0..self.lanes.len() {
            self.lanes[index].write(tasks).map_err(|broken| self.explain(index, broken))?;
        }
        let dead = self.sleep(timeout)?;
        for index in 0..self.lanes.len() {
            self.lanes[index].read(tasks, heard).map_err(|broken| self.explain(index, broken))?;
        }
        match dead {
            Some(index) => Err(self.explain(index, Broken::HungUp)),
            None => Ok(()),
        }
    }

    /// Sleeps until a pipe is ready; returns the index of a worker that has ended.
    fn sleep(&self, timeout: Option<Duration>) -> Result<Option<usize>> {
        let writable = self.lanes.iter().filter(|lane| lane.has_output());
        let writable = writable.map(|lane| PollFd::new(lane.requests(), PollFlags::POLLOUT));
        let readable = self.lanes.iter().map(|lane| PollFd::new(lane.replies(), PollFlags::POLLIN));
        let mut fds: Vec<PollFd<'_>> = readable.chain(writable).collect();
        self.crew.poll(&mut fds, timeout)
    }

    /// The error that tells why the worker at `index` cannot go on.
    fn explain(&mut self, index: usize, broken: Broken) -> Error {
        let pid = self.pids().nth(index).unwrap_or_default();
        match broken {
            Broken::System(source) => Error::System { what: "speak to a worker", source },
            Broken::Garbled(what) => Error::Garbled { pid, what },
            Broken::HungUp => match self.crew.death_of(index) {
                Error::WorkerDied { pid, status, .. } => {
                    Error::WorkerDied { pid, status, task: self.lanes[index].current_task() }
                }
                error => error,
            },
        }
    }

    fn wait_until_ready(&mut self, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        let mut ready = 0;
        while ready < self.lanes.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // Which of them is silent is not known here; any of them tells
                // the user as much.
                let pid = self.pids().next().unwrap_or_default();
                self.crew.kill();
                return Err(Error::StartTimedOut { pid, seconds: timeout.as_secs() });
            }
            let mut none = Tasks::Map {
                arguments: &[],
                argument_len: 0,
                results: &mut [],
                result_len: 0,
                count: 0,
            };
            self.exchange(&mut none, Some(left), &mut |_| ready += 1)?;
        }
        Ok(())
    }
}
