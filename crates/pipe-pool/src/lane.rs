//! The parent's side of one worker: its two pipes, neither of which may block.

use std::{
    collections::VecDeque,
    io::{self, PipeReader, PipeWriter, Read, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use multiproc::{Error, Inheritance, ParentEnd, Result};
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::{
    frame::{JobHeader, MAX_MESSAGE, PaceReport, ReplyHeader, RequestHeader, reply, request},
    jobs::{Function, Ledger, Next, TaskId},
    pace::Pace,
    tasks::Tasks,
};

/// What a pipe can hold, if the system allows: fewer switches between the two
/// sides, 4.3 GB/s instead of 1.4 where it was measured.
const PIPE_BYTES: i32 = 1 << 20;

/// Up to here a payload is copied behind its header and shares a system call
/// with its neighbours; a larger one is written from where it lies.
const STAGED_PAYLOAD_BYTES: usize = 4096;

/// What is read, and at least staged, with one system call.
const BUFFER_BYTES: usize = 64 * 1024;

/// One worker's pipes and what is on its way through them.
#[derive(Debug)]
pub(crate) struct Lane {
    requests: ParentEnd<PipeWriter>,
    replies: ParentEnd<PipeReader>,
    /// Whether the worker has said that it can take requests.
    ready: bool,
    pace: Pace,
    /// Number of the function whose job frame is in force.
    function: u64,
    /// Tasks that the worker was given and has not answered, oldest first. All
    /// are of one series.
    in_flight: VecDeque<TaskId>,
    /// Frames to be written; those before `written` are.
    staged: Vec<u8>,
    written: usize,
    /// A payload to be written behind them from where it lies: task and bytes written.
    direct: Option<(TaskId, usize)>,
    /// What was read and not understood yet, and how much of it there is.
    unread: Box<[u8]>,
    unread_len: usize,
    /// An output that is being read to where it belongs: task and bytes read.
    arriving: Option<(TaskId, usize)>,
}

/// Why a lane cannot go on.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The worker is gone.
    HungUp,
    /// It said something that is not in the protocol.
    Garbled(String),
    /// The operating system refused something.
    System(io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::HungUp } else { Self::System(error) }
    }
}

impl Lane {
    /// A lane and what its worker inherits.
    pub(crate) fn open() -> Result<(Self, Inheritance)> {
        let system = |what| move |source| Error::System { what, source };
        let (their_requests, requests) = io::pipe().map_err(system("create a pipe"))?;
        let (replies, their_replies) = io::pipe().map_err(system("create a pipe"))?;
        for fd in [requests.as_fd(), replies.as_fd()] {
            // Refused beyond the user's share of pipe memory; smaller ones do.
            let _ = fcntl(fd, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
            fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
                .map_err(|errno| system("configure a pipe")(errno.into()))?;
        }
        let descriptors = vec![OwnedFd::from(their_requests), OwnedFd::from(their_replies)];
        let lane = Self {
            requests: ParentEnd::new(requests),
            replies: ParentEnd::new(replies),
            ready: false,
            pace: Pace::default(),
            function: 0,
            in_flight: VecDeque::new(),
            staged: Vec::new(),
            written: 0,
            direct: None,
            unread: vec![0; BUFFER_BYTES].into(),
            unread_len: 0,
            arriving: None,
        };
        Ok((lane, Inheritance { payload: Vec::new(), descriptors }))
    }

    pub(crate) fn requests(&self) -> BorrowedFd<'_> {
        self.requests.as_fd()
    }

    pub(crate) fn replies(&self) -> BorrowedFd<'_> {
        self.replies.as_fd()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready
    }

    /// The task that the worker executes, if it has one.
    pub(crate) fn current_task(&self) -> Option<TaskId> {
        self.in_flight.front().copied()
    }

    /// Whether something waits to be written.
    pub(crate) fn has_output(&self) -> bool {
        self.written < self.staged.len() || self.direct.is_some()
    }

    /// How many tasks of `series` the worker should have in addition, if
    /// `share` are its fair share of those that are left.
    ///
    /// A worker that executes tasks of one series is not given those of
    /// another: how long they would have to wait is not known.
    pub(crate) fn appetite(&self, series: u64, share: usize) -> usize {
        self.pace.depth(series, share).saturating_sub(self.in_flight.len())
    }

    /// Whether another task can be staged.
    fn has_room(&self) -> bool {
        self.direct.is_none() && self.staged.len() - self.written < BUFFER_BYTES
    }

    /// Gives the worker at most `most` of the next tasks; returns how many
    /// there was room for.
    pub(crate) fn stage_tasks(&mut self, next: &Next<'_>, most: usize, tasks: &dyn Tasks) -> u32 {
        if !self.has_room() {
            // Nor for a job frame: it would get into the payload that is being written.
            return 0;
        }
        self.pace.enter(next.kinship.series);
        if self.function != next.kinship.function {
            self.function = next.kinship.function;
            self.stage_job(next.function);
        }
        let most = u32::try_from(most).map_or(next.count, |most| most.min(next.count));
        for staged in 0..most {
            if !self.has_room() {
                return staged;
            }
            let id = TaskId { task: next.id.task + staged, ..next.id };
            self.stage_task(id, tasks.input(id.task as usize));
        }
        most
    }

    fn stage_task(&mut self, id: TaskId, input: &[u8]) {
        let header = RequestHeader { kind: request::TASK, task: id.task, len: input.len() as u64 };
        self.stage(bytemuck::bytes_of(&header));
        if input.len() <= STAGED_PAYLOAD_BYTES {
            self.stage(input);
        } else {
            self.direct = Some((id, 0));
        }
        self.in_flight.push_back(id);
    }

    fn stage_job(&mut self, function: &Function) {
        let len = (size_of::<JobHeader>() + function.context.len()) as u64;
        self.stage(bytemuck::bytes_of(&RequestHeader { kind: request::JOB, task: 0, len }));
        self.stage(bytemuck::bytes_of(&function.header));
        self.stage(&function.context);
    }

    fn stage(&mut self, bytes: &[u8]) {
        if self.written == self.staged.len() {
            self.staged.clear();
            self.written = 0;
        }
        self.staged.extend_from_slice(bytes);
    }

    /// Writes as much as the pipe takes.
    pub(crate) fn write(&mut self, ledger: &Ledger<'_, '_>) -> Result<(), Broken> {
        while self.written < self.staged.len() {
            match transfer(|| (&*self.requests).write(&self.staged[self.written..]))? {
                Some(written) => self.written += written,
                None => return Ok(()),
            }
        }
        while let Some((task, written)) = self.direct {
            let rest = &ledger.tasks(task.job).input(task.task as usize)[written..];
            if rest.is_empty() {
                self.direct = None;
                break;
            }
            match transfer(|| (&*self.requests).write(rest))? {
                Some(more) => self.direct = Some((task, written + more)),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Reads as much as there is, puts outputs where they belong and enters
    /// each answer in `ledger`.
    pub(crate) fn read(&mut self, ledger: &mut Ledger<'_, '_>) -> Result<(), Broken> {
        loop {
            let received = if let Some((task, read)) = self.arriving {
                let rest = &mut ledger.output(task)[read..];
                transfer(|| (&*self.replies).read(rest))?
            } else {
                transfer(|| (&*self.replies).read(&mut self.unread[self.unread_len..]))?
            };
            match received {
                None => return Ok(()),
                Some(0) => return Err(Broken::HungUp),
                Some(more) => self.received(more, ledger)?,
            }
        }
    }

    fn received(&mut self, more: usize, ledger: &mut Ledger<'_, '_>) -> Result<(), Broken> {
        if let Some((task, read)) = self.arriving {
            if read + more < ledger.output(task).len() {
                self.arriving = Some((task, read + more));
            } else {
                self.arriving = None;
                ledger.jobs.done(task.job);
            }
            return Ok(());
        }
        self.unread_len += more;
        let mut understood = 0;
        while let Some(len) = self.understand(understood, ledger)? {
            understood += len;
        }
        self.unread.copy_within(understood..self.unread_len, 0);
        self.unread_len -= understood;
        Ok(())
    }

    /// Takes the frame that begins at `start` of what was read; returns its
    /// length as far as it was read, or `None` if there is too little of it.
    fn understand(
        &mut self,
        start: usize,
        ledger: &mut Ledger<'_, '_>,
    ) -> Result<Option<usize>, Broken> {
        let bytes = &self.unread[start..self.unread_len];
        let Some((header, rest)) = bytes.split_at_checked(size_of::<ReplyHeader>()) else {
            return Ok(None);
        };
        let header: ReplyHeader = bytemuck::pod_read_unaligned(header);
        let len = usize::try_from(header.len).unwrap_or(usize::MAX);
        let due = self.current_task().filter(|due| due.task == header.task);
        let taken = match (header.kind, due) {
            (reply::READY, None) if !self.ready && len == 0 => {
                self.ready = true;
                0
            }
            (reply::PACE, _) if len == size_of::<PaceReport>() => {
                let Some(report) = rest.get(..len) else { return Ok(None) };
                let report: PaceReport = bytemuck::pod_read_unaligned(report);
                self.pace.learn(report.tasks, report.busy_ns);
                len
            }
            (reply::DONE, Some(task)) => {
                let output = ledger.output(task);
                if len != output.len() {
                    return Err(Broken::Garbled(format!("{header:?}")));
                }
                let here = len.min(rest.len());
                output[..here].copy_from_slice(&rest[..here]);
                self.in_flight.pop_front();
                if here < len {
                    self.arriving = Some((task, here));
                } else {
                    ledger.jobs.done(task.job);
                }
                here
            }
            (reply::PANICKED, Some(task)) if len <= MAX_MESSAGE => {
                let Some(message) = rest.get(..len) else { return Ok(None) };
                let message = String::from_utf8_lossy(message).into_owned();
                self.in_flight.pop_front();
                let error = Error::TaskPanicked { task: header.task as usize, message };
                ledger.jobs.failed(task.job, error);
                len
            }
            _ => return Err(Broken::Garbled(format!("{header:?}"))),
        };
        Ok(Some(size_of::<ReplyHeader>() + taken))
    }
}

/// Moves bytes until it works, or `None` if it would block.
fn transfer(mut step: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match step() {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
