//! The worker's side: reads a task, executes it, writes its output.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    mem,
    os::fd::OwnedFd,
    time::Instant,
};

use bytemuck::Zeroable;
use multiproc::{Inheritance, TaskFn, TaskPanic};

use crate::frame::{
    IN_PLACE, JobHeader, MAX_MESSAGE, PaceReport, ReplyHeader, RequestHeader, reply, request,
};

/// A pipe's buffer is 64 KiB unless told otherwise: one system call can empty
/// or fill it.
const BUFFER_BYTES: usize = 64 * 1024;

/// The entry point of a worker process. It ends when its parent closes the
/// pipe.
///
/// # Panics
///
/// If what the parent says makes no sense, or the parent is gone. The process
/// ends then and the parent, if there is one, reports it.
pub(crate) fn serve(inheritance: Inheritance) {
    let [requests, replies] =
        <[OwnedFd; 2]>::try_from(inheritance.descriptors).expect("two descriptors");
    let mut worker = Worker {
        requests: BufReader::with_capacity(BUFFER_BYTES, File::from(requests)),
        replies: BufWriter::with_capacity(BUFFER_BYTES, File::from(replies)),
        job: None,
        executed: 0,
        since: Instant::now(),
        input: Vec::new(),
        output: AlignedBytes::default(),
    };
    TaskPanic::capture();
    worker.work().expect("the parent's requests can be read and answered");
}

struct Worker {
    requests: BufReader<File>,
    replies: BufWriter<File>,
    job: Option<Job>,
    /// Tasks executed since the last report of the pace, and since when.
    executed: u64,
    since: Instant,
    input: Vec<u8>,
    output: AlignedBytes,
}

struct Job {
    task: TaskFn,
    output_len: u64,
    context: Vec<u8>,
}

impl Worker {
    fn work(&mut self) -> io::Result<()> {
        self.reply(reply::READY, 0, &[])?;
        self.replies.flush()?;
        while let Some(header) = self.next_request()? {
            match header.kind {
                request::JOB => self.job = Some(self.read_job(header.len)?),
                request::TASK => self.execute(&header)?,
                kind => return Err(io::Error::other(format!("a request of unknown kind {kind}"))),
            }
        }
        Ok(())
    }

    /// `None` at the end: the parent has closed the pipe between two requests.
    fn next_request(&mut self) -> io::Result<Option<RequestHeader>> {
        if self.requests.buffer().is_empty() {
            // About to sleep: what is done must not wait for what is not.
            self.replies.flush()?;
            if self.requests.fill_buf()?.is_empty() {
                return Ok(None);
            }
            self.since = Instant::now();
        }
        let mut header = RequestHeader::zeroed();
        self.requests.read_exact(bytemuck::bytes_of_mut(&mut header))?;
        Ok(Some(header))
    }

    fn read_job(&mut self, len: u64) -> io::Result<Job> {
        let mut header = JobHeader::zeroed();
        self.requests.read_exact(bytemuck::bytes_of_mut(&mut header))?;
        let mut context = vec![0; len as usize - size_of::<JobHeader>()];
        self.requests.read_exact(&mut context)?;
        let task = TaskFn::from_token(header.token)
            .ok_or_else(|| io::Error::other("the task is not in this executable"))?;
        Ok(Job { task, output_len: header.output_len, context })
    }

    fn execute(&mut self, header: &RequestHeader) -> io::Result<()> {
        let job = self.job.as_ref().ok_or_else(|| io::Error::other("a task before its job"))?;
        let in_place = job.output_len == IN_PLACE;
        let output_len = if in_place { header.len } else { job.output_len };
        let output = self.output.of_len(output_len as usize);
        self.input.clear();
        if in_place {
            self.requests.read_exact(output)?;
        } else {
            self.input.resize(header.len as usize, 0);
            self.requests.read_exact(&mut self.input)?;
        }
        let outcome = job.task.run(&job.context, &self.input, output);
        self.executed += 1;
        if self.requests.buffer().is_empty() {
            // Once for all that came together: the clock is not free.
            let busy_ns = self.since.elapsed().as_nanos() as u64;
            let report = PaceReport { tasks: mem::take(&mut self.executed), busy_ns };
            write_reply(&mut self.replies, reply::PACE, 0, bytemuck::bytes_of(&report))?;
        }
        match outcome {
            Ok(()) => write_reply(&mut self.replies, reply::DONE, header.task, output),
            Err(panic) => {
                let cut = panic.message.floor_char_boundary(MAX_MESSAGE);
                self.reply(reply::PANICKED, header.task, &panic.message.as_bytes()[..cut])
            }
        }
    }

    fn reply(&mut self, kind: u32, task: u32, bytes: &[u8]) -> io::Result<()> {
        write_reply(&mut self.replies, kind, task, bytes)
    }
}

fn write_reply(replies: &mut impl Write, kind: u32, task: u32, bytes: &[u8]) -> io::Result<()> {
    let header = ReplyHeader { kind, task, len: bytes.len() as u64 };
    replies.write_all(bytemuck::bytes_of(&header))?;
    replies.write_all(bytes)
}

/// Bytes that are aligned for every plain type up to 16 bytes, reused from
/// task to task.
#[derive(Default)]
struct AlignedBytes(Vec<u128>);

impl AlignedBytes {
    fn of_len(&mut self, len: usize) -> &mut [u8] {
        let words = len.div_ceil(size_of::<u128>());
        if self.0.len() < words {
            self.0.resize(words, 0);
        }
        &mut bytemuck::cast_slice_mut(&mut self.0)[..len]
    }
}
