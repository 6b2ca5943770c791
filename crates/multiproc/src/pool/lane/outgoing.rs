//! What is said to a worker.

use super::{BUFFER_BYTES, Broken, Lane, TaskId};
use crate::{
    Error, Result,
    pool::{
        frame::{RequestHeader, RunHeader, request},
        jobs::{Function, Jobs, guard},
        transport::Stream,
        work::{RunShape, Work},
    },
};

impl<S: Stream> Lane<S> {
    /// Whether another task can be staged.
    fn has_room(&self) -> bool {
        self.direct.is_none() && self.staged.len() - self.written < BUFFER_BYTES
    }

    /// Gives the worker at most `most` of the tasks that are next, which are of
    /// one job, to be answered together; returns how many there was room for.
    /// Tasks whose input cannot be encoded have failed and count as given.
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
        let work = jobs.next_work();
        match work.run_shape() {
            Some(shape) if count > 1 => {
                let count = count.min(shape.most() as u64);
                self.stage_run(first, count, shape, work);
                jobs.give(count);
                count
            }
            _ => self.stage_one_by_one(first, count, jobs),
        }
    }

    /// Puts the request for tasks that travel together behind the others.
    fn stage_run(&mut self, first: TaskId, count: u64, shape: RunShape, work: &mut dyn Work) {
        self.forget_written();
        let run = RunHeader { count: count as u32, size: shape.input as u32 };
        let len = (size_of::<RunHeader>() + count as usize * shape.input) as u64;
        let header = RequestHeader { kind: request::RUN, tag: self.in_flight.next_tag(), len };
        self.staged.extend_from_slice(bytemuck::bytes_of(&header));
        self.staged.extend_from_slice(bytemuck::bytes_of(&run));
        work.stage_run(first.task, count, &mut self.staged);
        self.in_flight.push(first, count);
    }

    /// As [`stage_tasks`](Self::stage_tasks), for at most `count` from `first` on.
    fn stage_one_by_one(&mut self, first: TaskId, count: u64, jobs: &mut Jobs) -> u64 {
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
        if staged > 1 && self.direct.is_none() {
            self.stage_tell();
        }
        // First: a task that has failed may be its job's last.
        jobs.give(staged);
        failed.into_iter().for_each(|(id, error)| jobs.fail(id, error));
        staged
    }

    /// Has the worker tell what it has done, although more may be to come.
    fn stage_tell(&mut self) {
        let header = RequestHeader { kind: request::TELL, tag: 0, len: 0 };
        self.staged.extend_from_slice(bytemuck::bytes_of(&header));
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
        let tag = self.in_flight.next_tag();
        let header = RequestHeader { kind: request::TASK, tag, len };
        self.staged[start..][..size_of::<RequestHeader>()]
            .copy_from_slice(bytemuck::bytes_of(&header));
        if direct > 0 {
            self.direct = Some((id, 0));
        }
        self.in_flight.push(id, 1);
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
            let input = jobs.direct(task).ok_or(Broken::Withdrawn)?;
            let rest = input.bytes.get(written..).unwrap_or_default();
            if rest.is_empty() {
                self.direct = None;
                break;
            }
            let written_more = match input.is_lent {
                true => self.stream.write_lent(rest)?,
                false => self.stream.write(rest)?,
            };
            match written_more {
                Some(more) => {
                    self.direct = Some((task, written + more));
                    self.moved += more as u64;
                }
                None => return Ok(()),
            }
        }
        if self.stage_end_if_due() { self.write_on(jobs) } else { Ok(()) }
    }
}
