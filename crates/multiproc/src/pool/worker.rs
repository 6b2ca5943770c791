//! The worker's side: reads a task, executes it, writes its output.

use std::{
    io::{self, Write},
    mem,
    os::fd::OwnedFd,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use nix::sys::resource::{Resource, setrlimit};
use serde::{Deserialize, Serialize};

use super::{
    Port, Transport,
    aligned::AlignedBytes,
    frame::{
        Failure, JobHeader, MOST_RUN_BYTES, PaceReport, RequestHeader, RunHeader, ValueOf, job,
        reply, request,
    },
    function::{Argument, CallFn, HookFn},
    inbox::Inbox,
    large::Room,
    outbox::{OUTBOX_BYTES, Outbox},
    run::Run,
    status::Status,
};
use crate::{Error, Inheritance, TaskFn, TaskPanic, Token, process};

/// What a worker is told at birth, in front of its initialiser's argument.
#[derive(Serialize, Deserialize)]
pub(crate) struct Orders {
    /// The encoded handle of its [`Status`]; its descriptor is the first.
    pub(crate) status: Vec<u8>,
    /// How many of the descriptors behind it are the transport's.
    pub(crate) transport_descriptors: usize,
    /// The rest of the descriptors is the argument's.
    pub(crate) initialiser: Option<(Token, Vec<u8>)>,
    pub(crate) exit_hook: Option<Token>,
    /// For how long it looks at an empty stream before it sleeps.
    pub(crate) spin: Duration,
    /// Whether every reply is to be written before the next task is begun.
    pub(crate) writes_at_once: bool,
    pub(crate) wants_backtraces: bool,
    /// Bytes of private memory.
    pub(crate) memory_cap: Option<u64>,
    /// Cores to be pinned to, or none.
    pub(crate) cores: Vec<usize>,
}

/// The status of this process, if it is a worker. One that was forked from a
/// worker, for a pool of that worker's, has inherited its parent's.
static OWN_STATUS: RwLock<Option<&'static Status>> = RwLock::new(None);

/// Whether the task that calls this has been executing for longer than its
/// [soft deadline](super::Builder::soft_deadline) allows: it should stop and
/// return what it has. False outside of tasks.
#[must_use]
pub fn is_asked_to_stop() -> bool {
    own_status().is_some_and(Status::is_asked_to_stop)
}

/// The status of this process, if it is a worker, for tasks that have parts.
pub(crate) fn own_status() -> Option<&'static Status> {
    *OWN_STATUS.read().unwrap_or_else(PoisonError::into_inner)
}

/// The entry point of a worker process. It ends when its parent says so or
/// closes the stream.
///
/// # Panics
///
/// If what the parent says makes no sense. The process ends then and the
/// parent, if there is one, reports it.
pub(crate) fn serve<T: Transport>(inheritance: Inheritance) {
    let orders: Orders = postcard::from_bytes(&inheritance.payload).expect("orders");
    let mut descriptors = inheritance.descriptors;
    let mut streams = descriptors.split_off(1);
    let argument_descriptors = streams.split_off(orders.transport_descriptors);
    let status = Status::receive(&orders.status, descriptors).expect("the worker's status");
    // As long as the process lives.
    let status: &'static Status = Box::leak(Box::new(status));
    *OWN_STATUS.write().unwrap_or_else(PoisonError::into_inner) = Some(status);
    let mut port = T::open(streams).expect("the streams of the parent");
    port.set_spin(orders.spin);
    process::leave_interrupts_to_the_parent();
    // Of tasks; what panics on their threads says so itself.
    TaskPanic::capture_caught();
    if orders.wants_backtraces {
        TaskPanic::want_backtraces();
    }
    // Its streams end when this process does and not before: it may wait for
    // children of its own first, and would look like one that talks no more.
    let mut worker = Worker::new(port, status, T::HAS_ERRANDS);
    worker.writes_at_once |= orders.writes_at_once;
    let mut worker = mem::ManuallyDrop::new(worker);
    let prepared = prepare(&orders, argument_descriptors);
    let is_prepared = prepared.is_ok();
    match prepared {
        Ok(()) => worker.outbox.say(reply::READY, 0, 0),
        Err(failure) => worker.outbox.say_failure(reply::UNFIT, 0, failure),
    }
    let worked = worker.flush().and_then(|()| if is_prepared { worker.work() } else { Ok(()) });
    match worked {
        Ok(()) if is_prepared => run_exit_hook(orders.exit_hook),
        // The parent is gone, and this process is about to be.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof) => {
        }
        worked => worked.expect("the parent's requests can be read and answered"),
    }
}

/// A panic in it is that of the process, whose exit code tells.
fn run_exit_hook(hook: Option<Token>) {
    let Some(token) = hook else { return };
    let hook = HookFn::from_token(token).expect("the exit hook is in this executable");
    if let Err(failure) = hook.call(&[], Vec::new()) {
        let _ = writeln!(io::stderr(), "multiproc: the exit hook of a worker: {failure:?}");
        process::leave(1);
    }
}

/// What comes before the first task.
fn prepare(orders: &Orders, descriptors: Vec<OwnedFd>) -> Result<(), Failure> {
    let told = |error: &Error| Failure::Panicked { message: error.to_string(), backtrace: None };
    if !orders.cores.is_empty() {
        process::pin(&orders.cores).map_err(|error| told(&error))?;
    }
    if let Some(bytes) = orders.memory_cap {
        setrlimit(Resource::RLIMIT_DATA, bytes, bytes)
            .map_err(|errno| told(&Error::errno("cap the memory of a worker")(errno)))?;
    }
    let Some((token, argument)) = &orders.initialiser else { return Ok(()) };
    let hook = HookFn::from_token(*token).expect("the initialiser is in this executable");
    hook.call(argument, descriptors)
}

/// A worker's state between two requests.
pub(super) struct Worker<P> {
    inbox: Inbox<P>,
    /// Replies that were not written yet.
    outbox: Outbox,
    writes_at_once: bool,
    /// Whether it gets tasks whose reading it does not notice. These must find
    /// memory that the last one has taken given back.
    has_errands: bool,
    status: &'static Status,
    job: Option<Job>,
    /// Tasks executed since the last report of the pace.
    executed: u64,
    /// Of a run.
    arguments: Box<[u8]>,
    large_input: AlignedBytes,
    output: AlignedBytes,
}

struct Job {
    body: Body,
    is_timed: bool,
    context: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Body {
    Call(CallFn),
    InPlace(TaskFn),
    OutOfPlace(TaskFn),
}

impl<P: Port> Worker<P> {
    pub(super) fn new(port: P, status: &'static Status, has_errands: bool) -> Self {
        Self {
            inbox: Inbox::new(port),
            outbox: Outbox::default(),
            writes_at_once: P::WRITES_ARE_CHEAP,
            has_errands,
            status,
            job: None,
            executed: 0,
            arguments: vec![0; MOST_RUN_BYTES].into(),
            large_input: AlignedBytes::default(),
            output: AlignedBytes::default(),
        }
    }

    pub(super) fn port_mut(&mut self) -> &mut P {
        &mut self.inbox.port
    }

    /// Does what it is asked for until it is to end, or the stream ends.
    pub(super) fn work(&mut self) -> io::Result<()> {
        while let Some(header) = self.next_request()? {
            match header.kind {
                request::JOB => self.job = Some(self.read_job(header.len)?),
                request::TASK => self.execute(header)?,
                request::RUN => self.execute(header)?,
                request::TELL => self.tell()?,
                request::END => break,
                kind => return Err(io::Error::other(format!("a request of unknown kind {kind}"))),
            }
        }
        self.flush()
    }

    /// `None` at the end: the parent has closed the stream between two requests.
    fn next_request(&mut self) -> io::Result<Option<RequestHeader>> {
        if self.inbox.is_empty() {
            // About to sleep: what is done must not wait for what is not.
            self.flush()?;
            self.large_input.rest();
            self.output.rest();
            if !self.inbox.fill()? {
                return Ok(None);
            }
            self.status.become_busy();
        }
        let header = self.inbox.take(size_of::<RequestHeader>())?;
        Ok(Some(bytemuck::pod_read_unaligned(header)))
    }

    fn read_job(&mut self, len: u64) -> io::Result<Job> {
        let mut bytes = vec![0; len as usize];
        self.inbox.read_exact(&mut bytes)?;
        let context = bytes.split_off(size_of::<JobHeader>());
        let header: JobHeader = bytemuck::pod_read_unaligned(&bytes);
        let call = || CallFn::from_token(header.token).map(Body::Call);
        let chunk = |body: fn(TaskFn) -> Body| TaskFn::from_token(header.token).map(body);
        let body = match header.kind {
            job::CALL => call(),
            job::IN_PLACE => chunk(Body::InPlace),
            job::OUT_OF_PLACE => chunk(Body::OutOfPlace),
            _ => None,
        };
        let body = body.ok_or_else(|| io::Error::other("the task is not in this executable"))?;
        Ok(Job { body, is_timed: header.is_timed != 0, context })
    }

    fn execute(&mut self, header: RequestHeader) -> io::Result<()> {
        let job = self.job.take().ok_or_else(|| io::Error::other("a task before its job"))?;
        let executed = match job.body {
            Body::Call(function) if header.kind == request::RUN => {
                self.call_run(&job, function, header)
            }
            Body::Call(function) => self.call(&job, function, header),
            _ if header.kind == request::RUN => Err(io::Error::other("a run of chunks")),
            Body::InPlace(function) => self.change_chunk(&job, function, header),
            Body::OutOfPlace(function) => self.map_chunk(&job, function, header),
        };
        self.job = Some(job);
        executed
    }

    fn call(&mut self, job: &Job, function: CallFn, header: RequestHeader) -> io::Result<()> {
        let len = header.len as usize;
        self.output.forget_much();
        let argument = if self.inbox.holds(len) {
            self.large_input.forget_much();
            Argument::Encoded(self.inbox.take(len)?)
        } else {
            let room = match function.room(len) {
                Room::Nowhere if self.large_input.forget_much() => function.room(len),
                room => room,
            };
            match room {
                Room::Here(mut room) => {
                    self.large_input.forget_much();
                    self.inbox.read_exact(room.bytes_mut())?;
                    Argument::Large(room)
                }
                Room::Nowhere => return self.refuse(job, header, len, (ValueOf::Argument, len)),
                Room::Otherwise => {
                    let Some(room) = self.large_input.make(len) else {
                        return self.refuse(job, header, len, (ValueOf::Argument, len));
                    };
                    self.inbox.read_exact(room)?;
                    Argument::Encoded(room)
                }
            }
        };
        self.status.begin(header.tag, job.is_timed);
        let call = |result: &mut Vec<u8>| function.call(argument, result);
        if let Some(large) = self.outbox.say_output(header.tag, call) {
            self.outbox.write_with(large.bytes(), &mut self.inbox.port)?;
        }
        self.executed_one(header)
    }

    fn change_chunk(
        &mut self,
        job: &Job,
        function: TaskFn,
        header: RequestHeader,
    ) -> io::Result<()> {
        let len = header.len as usize;
        self.large_input.forget_much();
        let Some(chunk) = self.output.make(len) else {
            return self.refuse(job, header, len, (ValueOf::Argument, len));
        };
        self.inbox.read_exact(chunk)?;
        self.status.begin(header.tag, job.is_timed);
        let outcome = function.run(&job.context, &[], chunk);
        self.say_chunk(header, len, outcome)
    }

    fn map_chunk(&mut self, job: &Job, function: TaskFn, header: RequestHeader) -> io::Result<()> {
        let mut output_len = 0u64;
        self.inbox.read_exact(bytemuck::bytes_of_mut(&mut output_len))?;
        let (input_len, output_len) = (header.len as usize - size_of::<u64>(), output_len as usize);
        let Some(input) = self.large_input.make(input_len) else {
            return self.refuse(job, header, input_len, (ValueOf::Argument, input_len));
        };
        self.inbox.read_exact(input)?;
        // What the last chunk has left must not be taken for this one's.
        let Some(output) = self.output.make_zeros(output_len) else {
            return self.refuse(job, header, 0, (ValueOf::Result, output_len));
        };
        self.status.begin(header.tag, job.is_timed);
        let outcome = function.run(&job.context, input, output);
        self.say_chunk(header, output_len, outcome)
    }

    /// There is no memory for a task: it has failed, and what is left of its
    /// input is passed over.
    fn refuse(
        &mut self,
        job: &Job,
        header: RequestHeader,
        unread: usize,
        (what, bytes): (ValueOf, usize),
    ) -> io::Result<()> {
        self.inbox.skip(unread)?;
        self.status.begin(header.tag, job.is_timed);
        self.outbox.say_failure(
            reply::FAILED,
            header.tag,
            Failure::of(what, &Error::no_memory(bytes)),
        );
        self.executed_one(header)
    }

    fn say_chunk(
        &mut self,
        header: RequestHeader,
        len: usize,
        outcome: Result<(), TaskPanic>,
    ) -> io::Result<()> {
        match outcome {
            Err(panic) => self.outbox.say_failure(reply::FAILED, header.tag, panic.into()),
            Ok(()) => {
                self.outbox.say(reply::DONE, header.tag, len);
                let chunk = self.output.first(len);
                if len < OUTBOX_BYTES {
                    self.outbox.bytes.extend_from_slice(chunk);
                } else {
                    // Written from where it lies.
                    self.outbox.write_with(chunk, &mut self.inbox.port)?;
                }
            }
        }
        self.executed_one(header)
    }

    /// The reply to the task is said.
    fn executed_one(&mut self, header: RequestHeader) -> io::Result<()> {
        self.executed += 1;
        if self.inbox.is_empty() {
            // Once for all that came together: the clock is not free.
            self.say_pace();
        }
        if self.writes_at_once || self.outbox.bytes.len() >= OUTBOX_BYTES {
            self.write()?;
        }
        for bytes in [&mut self.large_input, &mut self.output] {
            bytes.forget_most();
            if self.has_errands {
                bytes.forget_much();
            }
        }
        self.status.end(header.tag);
        Ok(())
    }

    /// Calls the function with each of the arguments.
    fn call_run(&mut self, job: &Job, function: CallFn, header: RequestHeader) -> io::Result<()> {
        let run = self.inbox.take(size_of::<RunHeader>())?;
        let RunHeader { count, size } = bytemuck::pod_read_unaligned(run);
        let bytes = count as usize * size as usize;
        if count == 0 || bytes > MOST_RUN_BYTES {
            return Err(io::Error::other(format!("a run of {count} tasks of {size} bytes")));
        }
        if self.writes_at_once {
            for place in 0..count {
                let tag = header.tag.wrapping_add(place);
                let len = u64::from(size);
                self.call(job, function, RequestHeader { tag, len, kind: request::TASK })?;
            }
            return self.tell();
        }
        self.large_input.forget_much();
        self.output.forget_much();
        let arguments = &mut self.arguments[..bytes];
        self.inbox.read_exact(arguments)?;
        let mut run = Run {
            arguments,
            count: count as usize,
            done: 0,
            first: header.tag,
            status: self.status,
            is_timed: job.is_timed,
        };
        while !run.is_over() {
            function.go_on(&mut run, &mut self.outbox);
            if self.outbox.bytes.len() >= OUTBOX_BYTES {
                self.outbox.write_with(&[], &mut self.inbox.port)?;
            }
        }
        self.executed += u64::from(count);
        self.tell()
    }

    /// The parent learns of what is done, although there is more to do: it has
    /// the time of that to think of something.
    fn tell(&mut self) -> io::Result<()> {
        if self.executed > 0 {
            self.say_pace();
        }
        self.flush()
    }

    fn say_pace(&mut self) {
        let busy_ns = self.status.report_busy().as_nanos() as u64;
        let report = PaceReport { tasks: mem::take(&mut self.executed), busy_ns };
        self.outbox.say_pace(report);
    }

    /// Whoever reads the stream finds it there.
    fn write(&mut self) -> io::Result<()> {
        self.outbox.write_with(&[], &mut self.inbox.port)
    }

    /// The parent learns of what is there.
    fn flush(&mut self) -> io::Result<()> {
        if !self.outbox.bytes.is_empty() {
            self.write()?;
        }
        self.inbox.port.flush()
    }
}
