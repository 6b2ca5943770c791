//! What a worker says.

use std::mem;

use super::{Arriving, BUFFER_BYTES, Broken, Destination, Lane, News, TaskId};
use crate::{
    Error,
    memory::physical,
    pool::{
        frame::{
            MAX_FAILURE, MOST_KEPT_BYTES, MOST_RUN_BYTES, PaceReport, ReplyHeader, RunHeader, reply,
        },
        jobs::Jobs,
        large::Room,
        status::Tag,
        transport::Stream,
    },
};

impl<S: Stream> Lane<S> {
    /// Reads as much as there is and enters each answer in `jobs`.
    pub(crate) fn read(&mut self, jobs: &mut Jobs, news: &mut News) -> Result<(), Broken> {
        loop {
            let received = match &mut self.arriving {
                Some(arriving) => {
                    let to = arriving.destination(&mut self.large, &mut self.unread);
                    self.stream.read(to)?
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
        if header.kind == reply::ERRAND {
            let body = start + size_of::<ReplyHeader>();
            let here = self.understand_errand(header.tag, len, body, news).ok_or_else(garbled)?;
            return Ok(Some(size_of::<ReplyHeader>() + here));
        }
        if header.kind == reply::DONE && len > rest.len() && len > BUFFER_BYTES / 2 {
            let due = self.due(header.tag).ok_or_else(garbled)?;
            if len > jobs.largest_output(due) {
                return Err(garbled());
            }
            let here = rest.len();
            let start = start + size_of::<ReplyHeader>();
            self.begin_arrival(None, len, start, jobs.room(due, len));
            return Ok(Some(size_of::<ReplyHeader>() + here));
        }
        let longest = match header.kind {
            reply::DONE => usize::MAX,
            reply::RUN => size_of::<RunHeader>() + MOST_RUN_BYTES,
            _ => MAX_FAILURE,
        };
        if len > longest {
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
                self.answered(1, news);
                news.failed += 1;
                jobs.failed(due, failure, (self.worker.0, &self.worker.1));
            }
            reply::UNFIT => {
                news.unfit = Some(postcard::from_bytes(body).map_err(|_| garbled())?);
            }
            reply::DONE => {
                let due = self.due(header.tag).ok_or_else(garbled)?;
                let accepted = jobs.done(due, body);
                self.answered(1, news);
                news.failed += u64::from(!accepted);
            }
            reply::RUN => {
                let answered = self.understand_run(header.tag, body, jobs).ok_or_else(garbled)?;
                self.answered(answered, news);
            }
            _ => return Err(garbled()),
        }
        Ok(Some(size_of::<ReplyHeader>() + len))
    }

    /// The answer to an errand, of `len` bytes from `start` on; how many of them are
    /// here, if all of it makes sense.
    fn understand_errand(
        &mut self,
        tag: Tag,
        len: usize,
        start: usize,
        news: &mut News,
    ) -> Option<usize> {
        let errand = self.stream.errand().filter(|&errand| errand as Tag == tag)?;
        let here = self.unread[start..self.unread_len].len().min(len);
        if len > physical() {
            return None;
        }
        if here == len {
            news.errand = Some((errand, Ok(self.unread[start..start + len].to_vec())));
        } else {
            self.begin_arrival(Some(errand), len, start, Room::Otherwise);
        }
        Some(here)
    }

    /// The answers to tasks from the one with `tag` on; how many they are, if
    /// all of it makes sense.
    fn understand_run(&self, tag: Tag, body: &[u8], jobs: &mut Jobs) -> Option<u64> {
        let (run, outputs) = body.split_at_checked(size_of::<RunHeader>())?;
        let run: RunHeader = bytemuck::pod_read_unaligned(run);
        let (count, size) = (u64::from(run.count), run.size as usize);
        let first = self.due(tag)?;
        let (_, due, _) = self.in_flight.oldest()?;
        let makes_sense = (1..=due).contains(&count)
            && jobs.run_shape(first.job).is_none_or(|shape| shape.output == size)
            && (run.count as usize).checked_mul(size) == Some(outputs.len());
        makes_sense.then(|| {
            jobs.done_run(first, count, outputs);
            count
        })
    }

    /// The oldest task, which is the one that must be answered next. Not
    /// before it was told in full: its input is still to be had from its job.
    fn due(&self, tag: Tag) -> Option<TaskId> {
        let is_told = |task: TaskId| self.direct.is_none_or(|(untold, _)| untold != task);
        let (task, _, oldest) = self.in_flight.oldest()?;
        (tag == oldest && is_told(task)).then_some(task)
    }

    fn answered(&mut self, tasks: u64, news: &mut News) {
        self.in_flight.pop(tasks);
        news.answered += tasks;
    }

    /// An output of `len` bytes comes, of which those from `start` on were read:
    /// that of the errand, or else of the oldest task.
    fn begin_arrival(&mut self, errand: Option<u64>, len: usize, start: usize, room: Room) {
        let here = &self.unread[start..self.unread_len];
        let to = match room {
            Room::Here(mut room) => {
                room.bytes_mut()[..here.len()].copy_from_slice(here);
                Destination::Room(room)
            }
            Room::Otherwise => {
                let missing = len.saturating_sub(self.large.len());
                match self.large.try_reserve_exact(missing) {
                    Ok(()) => {
                        self.large.resize(self.large.len().max(here.len()), 0);
                        self.large[..here.len()].copy_from_slice(here);
                        Destination::Lane
                    }
                    Err(_) => Destination::Nowhere(Error::no_memory(len)),
                }
            }
            Room::Nowhere => Destination::Nowhere(Error::no_memory(len)),
        };
        self.arriving = Some(Arriving { errand, len, read: here.len(), to });
    }

    fn arrived(&mut self, jobs: &mut Jobs, news: &mut News) {
        let Some(Arriving { errand, len, to, .. }) = self.arriving.take() else { return };
        if let Some(errand) = errand {
            let mut answer = mem::take(&mut self.large);
            answer.truncate(len);
            news.errand = Some((
                errand,
                match to {
                    Destination::Nowhere(error) => Err(error),
                    Destination::Room(_) | Destination::Lane => Ok(answer),
                },
            ));
            return;
        }
        let Some((due, ..)) = self.in_flight.oldest() else { return };
        self.answered(1, news);
        let is_accepted = match to {
            Destination::Nowhere(error) => {
                jobs.fail_answered(due, error);
                false
            }
            Destination::Room(output) => {
                jobs.done_large(due, output);
                true
            }
            Destination::Lane => jobs.done(due, &self.large[..len]),
        };
        news.failed += u64::from(!is_accepted);
        if self.large.capacity() > MOST_KEPT_BYTES {
            self.large = Vec::new();
        }
    }
}

impl Arriving {
    /// Where the next bytes go.
    fn destination<'a>(&'a mut self, large: &'a mut Vec<u8>, waste: &'a mut [u8]) -> &'a mut [u8] {
        let left = self.len - self.read;
        match &mut self.to {
            Destination::Room(room) => &mut room.bytes_mut()[self.read..],
            Destination::Lane => {
                // What a worker only promises costs no memory.
                if large.len() == self.read {
                    let more = left.min(self.read.max(BUFFER_BYTES));
                    large.resize(self.read + more, 0);
                }
                let end = large.len().min(self.len);
                &mut large[self.read..end]
            }
            Destination::Nowhere(_) => &mut waste[..left.min(BUFFER_BYTES)],
        }
    }
}
