//! The parent's side of one worker's streams, neither of which may block.

use std::{collections::VecDeque, io};

use super::{
    frame::{Failure, MAX_FAILURE, PaceReport, ReplyHeader, RequestHeader, reply, request},
    jobs::{Function, JobId, Jobs, Next, guard},
    pace::Pace,
    status::Tag,
    transport::Stream,
    work::Work,
};
use crate::{Error, Result};

/// What is read, and at least staged, with one call.
const BUFFER_BYTES: usize = 64 * 1024;

/// A task: which of which job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskId {
    pub(crate) job: JobId,
    pub(crate) task: u64,
}

/// One worker's streams and what is on its way through them.
pub(crate) struct Lane<S> {
    stream: S,
    /// The worker's process id and name.
    worker: (i32, String),
    pace: Pace,
    /// Number of the function whose job frame is in force.
    function: u64,
    /// Tasks that the worker was given and has not answered, oldest first. All
    /// are of one series; their tags follow upon each other.
    in_flight: VecDeque<TaskId>,
    /// Bytes that were written or read.
    moved: u64,
    /// Tag of the oldest of them, or else of the next task.
    oldest: Tag,
    /// Frames to be written; those before `written` are.
    staged: Vec<u8>,
    written: usize,
    /// The end of an input, to be written behind them from where it lies: task
    /// and bytes written.
    direct: Option<(TaskId, usize)>,
    /// The worker is to be told to end behind all that.
    is_end_due: bool,
    /// What was read and not understood yet, and how much of it there is.
    unread: Box<[u8]>,
    unread_len: usize,
    /// An output that is larger than what is left to read of it here.
    arriving: Option<Arriving>,
    /// Room for that, kept for the next.
    large: Vec<u8>,
}

struct Arriving {
    len: usize,
    /// Why it is thrown away, if it is.
    refused: Option<Error>,
    /// Bytes of it that were read.
    read: usize,
}

/// What a worker said of itself.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// It can take requests.
    pub(crate) is_ready: bool,
    /// Its initialiser has failed.
    pub(crate) unfit: Option<Failure>,
    /// Tasks that it has answered.
    pub(crate) answered: u64,
    /// Those of them that have failed.
    pub(crate) failed: u64,
    /// Time that it was busy.
    pub(crate) busy_ns: u64,
}

/// Why a lane cannot go on.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The worker is gone, or has closed its end.
    HungUp,
    /// It said something that is not in the protocol.
    Garbled(String),
    /// The operating system refused something: this.
    System(#[expect(dead_code, reason = "told by `Debug`")] io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::HungUp,
            io::ErrorKind::InvalidData => Self::Garbled(error.to_string()),
            _ => Self::System(error),
        }
    }
}

impl<S: Stream> Lane<S> {
    pub(crate) fn new(stream: S, worker: (i32, String)) -> Self {
        Self {
            stream,
            worker,
            pace: Pace::default(),
            function: 0,
            in_flight: VecDeque::new(),
            moved: 0,
            oldest: 1,
            staged: Vec::new(),
            written: 0,
            direct: None,
            is_end_due: false,
            unread: vec![0; BUFFER_BYTES].into(),
            unread_len: 0,
            arriving: None,
            large: Vec::new(),
        }
    }

    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    pub(crate) fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Tasks that the worker was given and has not answered, with their tags,
    /// oldest first.
    pub(crate) fn in_flight(&self) -> impl DoubleEndedIterator<Item = (Tag, TaskId)> {
        let tag = move |(place, &task)| (self.oldest.wrapping_add(place as Tag), task);
        self.in_flight.iter().enumerate().map(tag)
    }

    pub(crate) fn in_flight_len(&self) -> usize {
        self.in_flight.len()
    }

    /// The task with `tag`, if the worker has not answered it.
    pub(crate) fn task(&self, tag: Tag) -> Option<TaskId> {
        self.in_flight.get(tag.wrapping_sub(self.oldest) as usize).copied()
    }

    /// Bytes that were written or read since the worker was started.
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }

    /// Whether something waits to be written.
    pub(crate) fn has_output(&self) -> bool {
        self.written < self.staged.len() || self.direct.is_some() || self.is_end_due
    }

    /// How many tasks of the series the worker should have in addition, if
    /// `share` are its fair share of those that are left.
    ///
    /// A worker that executes tasks of one series is not given those of
    /// another: how long they would have to wait is not known.
    pub(crate) fn appetite(&self, next: &Next<'_>, share: usize) -> usize {
        match next.chunk_len {
            // As many as were asked for, when the last ones are done.
            Some(len) if self.in_flight.is_empty() => len.get(),
            Some(_) => 0,
            None => {
                let depth = self.pace.depth(next.kinship.series, share);
                depth.saturating_sub(self.in_flight.len())
            }
        }
    }

    /// How many tasks of the series the worker would be given at a time.
    pub(crate) fn depth(&self, series: u64) -> usize {
        self.pace.depth(series, usize::MAX)
    }

    /// Whether another task can be staged.
    fn has_room(&self) -> bool {
        self.direct.is_none() && self.staged.len() - self.written < BUFFER_BYTES
    }

    /// Gives the worker at most `most` of the tasks that are next, which are of
    /// one job; returns how many there was room for. Tasks whose input cannot
    /// be encoded have failed and count as given.
    pub(crate) fn stage_tasks(&mut self, jobs: &mut Jobs, most: usize) -> u64 {
        let Some(next) = jobs.next() else { return 0 };
        if !self.has_room() {
            // Nor for a job frame: it would get into the payload that is being written.
            return 0;
        }
        let (first, count) = (next.first, next.count.min(most as u64));
        self.pace.enter(next.kinship.series);
        if self.function != next.kinship.function {
            self.function = next.kinship.function;
            self.stage_job(next.function);
        }
        let mut failed = Vec::new();
        let mut staged = 0;
        let work = jobs.next_work();
        while staged < count && self.has_room() {
            let id = TaskId { task: first.task + staged, ..first };
            if let Err(error) = self.stage_task(id, work) {
                failed.push((id, error));
            }
            staged += 1;
        }
        // First: a task that has failed may be its job's last.
        jobs.give(staged);
        failed.into_iter().for_each(|(id, error)| jobs.fail(id, error));
        staged
    }

    /// Puts the request behind the others; an error is the task's.
    fn stage_task(&mut self, id: TaskId, work: &mut dyn Work) -> Result<()> {
        self.forget_written();
        let start = self.staged.len();
        self.staged.extend_from_slice(&[0; size_of::<RequestHeader>()]);
        let frame = &mut self.staged;
        let direct = guard("encoded", || work.stage(id.task, frame)).map_err(|why| {
            frame.truncate(start);
            Error::TaskValue { task: id.task as usize, what: "argument", why }
        })?;
        let len = (self.staged.len() - start - size_of::<RequestHeader>() + direct) as u64;
        let tag = self.oldest.wrapping_add(self.in_flight.len() as Tag);
        let header = RequestHeader { kind: request::TASK, tag, len };
        self.staged[start..][..size_of::<RequestHeader>()]
            .copy_from_slice(bytemuck::bytes_of(&header));
        if direct > 0 {
            self.direct = Some((id, 0));
        }
        self.in_flight.push_back(id);
        Ok(())
    }

    fn stage_job(&mut self, function: &Function) {
        let len = (size_of_val(&function.header) + function.context.len()) as u64;
        self.forget_written();
        let header = RequestHeader { kind: request::JOB, tag: 0, len };
        self.staged.extend_from_slice(bytemuck::bytes_of(&header));
        self.staged.extend_from_slice(bytemuck::bytes_of(&function.header));
        self.staged.extend_from_slice(&function.context);
    }

    /// Tells the worker to end once it has done what it was given. It must be
    /// given nothing from now on.
    pub(crate) fn stage_end(&mut self) {
        self.is_end_due = true;
    }

    /// Not before the end of an input that is written from where it lies.
    fn stage_end_if_due(&mut self) -> bool {
        if !std::mem::take(&mut self.is_end_due) {
            return false;
        }
        self.forget_written();
        let header = RequestHeader { kind: request::END, tag: 0, len: 0 };
        self.staged.extend_from_slice(bytemuck::bytes_of(&header));
        true
    }

    fn forget_written(&mut self) {
        if self.written == self.staged.len() {
            self.staged.clear();
            // One large argument must not be paid for as long as the worker lives.
            self.staged.shrink_to(16 * BUFFER_BYTES);
            self.written = 0;
        }
    }

    /// Writes as much as there is room for.
    pub(crate) fn write(&mut self, jobs: &Jobs) -> Result<(), Broken> {
        if !self.has_output() {
            return Ok(());
        }
        let written = self.write_on(jobs);
        self.stream.wake();
        written
    }

    fn write_on(&mut self, jobs: &Jobs) -> Result<(), Broken> {
        while self.written < self.staged.len() {
            match self.stream.write(&self.staged[self.written..])? {
                Some(written) => {
                    self.written += written;
                    self.moved += written as u64;
                }
                None => return Ok(()),
            }
        }
        while let Some((task, written)) = self.direct {
            let rest = jobs.direct(task).and_then(|input| input.get(written..)).unwrap_or_default();
            if rest.is_empty() {
                self.direct = None;
                break;
            }
            match self.stream.write(rest)? {
                Some(more) => {
                    self.direct = Some((task, written + more));
                    self.moved += more as u64;
                }
                None => return Ok(()),
            }
        }
        if self.stage_end_if_due() { self.write_on(jobs) } else { Ok(()) }
    }

    /// Reads as much as there is and enters each answer in `jobs`.
    pub(crate) fn read(&mut self, jobs: &mut Jobs, news: &mut News) -> Result<(), Broken> {
        loop {
            let received = match &self.arriving {
                Some(Arriving { refused: Some(_), len, read }) => {
                    let left = (len - read).min(BUFFER_BYTES);
                    self.stream.read(&mut self.unread[..left])?
                }
                Some(Arriving { refused: None, len, read }) => {
                    // What a worker only promises costs no memory.
                    if self.large.len() == *read {
                        let more = (len - read).min((*read).max(BUFFER_BYTES));
                        self.large.resize(read + more, 0);
                    }
                    let end = self.large.len().min(*len);
                    self.stream.read(&mut self.large[*read..end])?
                }
                None => self.stream.read(&mut self.unread[self.unread_len..])?,
            };
            match received {
                None => return Ok(()),
                Some(0) => return Err(Broken::HungUp),
                Some(more) => {
                    self.moved += more as u64;
                    self.received(more, jobs, news)?;
                }
            }
        }
    }

    fn received(&mut self, more: usize, jobs: &mut Jobs, news: &mut News) -> Result<(), Broken> {
        if let Some(arriving) = &mut self.arriving {
            arriving.read += more;
            if arriving.read == arriving.len {
                self.arrived(jobs, news);
            }
            return Ok(());
        }
        self.unread_len += more;
        let mut understood = 0;
        while self.arriving.is_none()
            && let Some(len) = self.understand(understood, jobs, news)?
        {
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
        jobs: &mut Jobs,
        news: &mut News,
    ) -> Result<Option<usize>, Broken> {
        let bytes = &self.unread[start..self.unread_len];
        let Some((header, rest)) = bytes.split_at_checked(size_of::<ReplyHeader>()) else {
            return Ok(None);
        };
        let header: ReplyHeader = bytemuck::pod_read_unaligned(header);
        let garbled = || Broken::Garbled(format!("{header:?}"));
        let len = usize::try_from(header.len).map_err(|_| garbled())?;
        if header.kind == reply::DONE && len > rest.len() && len > BUFFER_BYTES / 2 {
            let due = self.due(header.tag).ok_or_else(garbled)?;
            if len > jobs.largest_output(due) {
                return Err(garbled());
            }
            let here = rest.len();
            self.begin_arrival(len, start + size_of::<ReplyHeader>());
            return Ok(Some(size_of::<ReplyHeader>() + here));
        }
        let is_too_long = header.kind != reply::DONE && len > MAX_FAILURE;
        if is_too_long {
            return Err(garbled());
        }
        let Some(body) = rest.get(..len) else { return Ok(None) };
        match header.kind {
            reply::READY if len == 0 => news.is_ready = true,
            reply::PACE if len == size_of::<PaceReport>() => {
                let report: PaceReport = bytemuck::pod_read_unaligned(body);
                self.pace.learn(report.tasks, report.busy_ns);
                news.busy_ns = news.busy_ns.saturating_add(report.busy_ns);
            }
            reply::FAILED => {
                let failure = postcard::from_bytes(body).map_err(|_| garbled())?;
                let due = self.due(header.tag).ok_or_else(garbled)?;
                self.answered(news);
                news.failed += 1;
                jobs.failed(due, failure, (self.worker.0, &self.worker.1));
            }
            reply::UNFIT => {
                news.unfit = Some(postcard::from_bytes(body).map_err(|_| garbled())?);
            }
            reply::DONE => {
                let due = self.due(header.tag).ok_or_else(garbled)?;
                let accepted = jobs.done(due, body);
                self.answered(news);
                news.failed += u64::from(!accepted);
            }
            _ => return Err(garbled()),
        }
        Ok(Some(size_of::<ReplyHeader>() + len))
    }

    /// The oldest task, which is the one that must be answered next. Not
    /// before it was told in full: its input is still to be had from its job.
    fn due(&self, tag: Tag) -> Option<TaskId> {
        let is_told = |task: &TaskId| self.direct.is_none_or(|(untold, _)| untold != *task);
        self.in_flight.front().copied().filter(|_| tag == self.oldest).filter(is_told)
    }

    fn answered(&mut self, news: &mut News) {
        self.in_flight.pop_front();
        self.oldest = self.oldest.wrapping_add(1);
        news.answered += 1;
    }

    /// An output of `len` bytes comes, of which those from `start` on were read.
    fn begin_arrival(&mut self, len: usize, start: usize) {
        let here = &self.unread[start..self.unread_len];
        let missing = len.saturating_sub(self.large.len());
        let refused = self.large.try_reserve_exact(missing).err().map(|_| Error::no_memory(len));
        if refused.is_none() {
            self.large.resize(self.large.len().max(here.len()), 0);
            self.large[..here.len()].copy_from_slice(here);
        }
        self.arriving = Some(Arriving { len, refused, read: here.len() });
    }

    fn arrived(&mut self, jobs: &mut Jobs, news: &mut News) {
        let Some(Arriving { len, refused, .. }) = self.arriving.take() else { return };
        let Some(due) = self.due(self.oldest) else { return };
        self.answered(news);
        match refused {
            Some(error) => jobs.fail_answered(due, error),
            None if jobs.done(due, &self.large[..len]) => return,
            None => {}
        }
        news.failed += 1;
        // Kept for the next one unless it was exceptional.
        if len > 64 << 20 {
            self.large = Vec::new();
        }
    }
}
