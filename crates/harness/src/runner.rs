//! The runner: one process that hosts one backend and answers the driver.

use std::{
    fs::File,
    io::{self, BufRead, Write},
    time::Instant,
};

use crate::{
    Backend, BackendError, Job, Placement, Running,
    backend::FailureKind,
    protocol::{Greeting, PROTOCOL_VERSION, Reply, Request},
};

/// Hosts `backend` on this process's standard input and output until it is
/// told to quit or its input ends. Its workers run where `placement` says.
///
/// Standard output is moved to a private descriptor first and replaced by
/// standard error, so that what hosted code prints cannot corrupt the
/// protocol.
///
/// # Errors
///
/// If the pipe to the driver breaks or carries something that is not a
/// request. Failures of the backend are replies, not errors.
pub fn serve(backend: &dyn Backend, placement: Placement) -> io::Result<()> {
    let replies = take_stdout()?;
    serve_on(backend, placement, io::stdin().lock(), replies)
}

/// The loop behind [`serve`], on any pair of streams.
///
/// # Errors
///
/// See [`serve`].
pub fn serve_on(
    backend: &dyn Backend,
    placement: Placement,
    requests: impl BufRead,
    mut replies: impl Write,
) -> io::Result<()> {
    send(&mut replies, &Greeting { manyhands: PROTOCOL_VERSION, pid: std::process::id() })?;
    let mut host = Host { backend, placement, running: None, job: None };
    for line in requests.lines() {
        let request = serde_json::from_str(&line?)?;
        if request == Request::Quit {
            break;
        }
        let reply = host.answer(request).unwrap_or_else(|error| {
            host.running = None;
            Reply::Failed { kind: error.kind, message: error.message }
        });
        send(&mut replies, &reply)?;
    }
    Ok(())
}

/// Duplicates standard output for the protocol, close-on-exec so that no
/// started process inherits it, and lets descriptor 1 write to standard error.
fn take_stdout() -> io::Result<File> {
    use std::os::fd::AsFd;
    let replies = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    nix::unistd::dup2_stdout(io::stderr())?;
    Ok(replies)
}

fn send(replies: &mut impl Write, message: &impl serde::Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    replies.write_all(&line)?;
    replies.flush()
}

struct Host<'a> {
    backend: &'a dyn Backend,
    placement: Placement,
    running: Option<Box<dyn Running>>,
    job: Option<Job>,
}

impl Host<'_> {
    fn answer(&mut self, request: Request) -> Result<Reply, BackendError> {
        match request {
            Request::Start => {
                self.running = None;
                let (started, start_up_ns) = timed(|| self.backend.start(self.placement));
                self.running = Some(started?);
                Ok(Reply::Started { start_up_ns, placement: self.placement })
            }
            Request::Load { job } => {
                let running = self.running()?;
                running.load(job)?;
                let input = Some(running.input());
                self.job = Some(job);
                Ok(Reply::Loaded { input })
            }
            Request::Prepare { nonce } => {
                let workload = self.job()?.workload;
                self.running()?.visit_buffer(&mut |first, part| workload.fill(part, first, nonce));
                Ok(Reply::Prepared)
            }
            Request::Run => {
                self.job()?;
                let running = self.running()?;
                let (ran, wall_ns) = timed(|| running.run());
                ran?;
                Ok(Reply::Ran { wall_ns })
            }
            Request::Check => {
                self.job()?;
                let mut checksum = 0u64;
                self.running()?.visit_buffer(&mut |first, part| {
                    checksum = checksum.wrapping_add(workloads::checksum(part, first));
                });
                Ok(Reply::Checked { checksum: checksum.to_string() })
            }
            Request::Stop => {
                self.job = None;
                let running = self.running.take().ok_or_else(not_started)?;
                let (stopped, shutdown_ns) = timed(|| running.stop());
                stopped?;
                Ok(Reply::Stopped { shutdown_ns })
            }
            Request::Quit => unreachable!("the loop ends on it"),
        }
    }

    fn running(&mut self) -> Result<&mut (dyn Running + 'static), BackendError> {
        self.running.as_deref_mut().ok_or_else(not_started)
    }

    fn job(&self) -> Result<Job, BackendError> {
        self.job.ok_or_else(|| BackendError::new(FailureKind::Protocol, "no job is loaded"))
    }
}

fn not_started() -> BackendError {
    BackendError::new(FailureKind::Protocol, "the backend is not started")
}

fn timed<T>(f: impl FnOnce() -> T) -> (T, u64) {
    let start = Instant::now();
    let value = f();
    (value, u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
}
