//! A process that runs a function, as its parent holds it.

use std::{fmt, io, marker::PhantomData, os::fd::BorrowedFd, sync::Arc, time::Duration};

use nix::sys::signal::Signal;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    BEGINS_WITHIN, Biography, ExitStatus, Inheritance, Order, affinity, launch,
    line::{Said, Verdict},
    registry::{self, Started},
    target,
};
use crate::{EntryPoint, Error, Result, StartMethod, codec, start_method};

/// A process that calls a function with arguments of its own and returns a
/// value.
///
/// The function is a plain one or a closure that captures nothing; everything
/// that it needs goes into its argument, a tuple if there are several, which
/// may hold handles of this crate: connections, queues, locks, shared memory.
///
/// ```
/// use multiproc::Process;
///
/// let mut process = Process::new(|(base, exponent): (u64, u32)| base.pow(exponent), (7, 3));
/// process.start()?;
/// assert_eq!(process.result()?, 343);
/// # Ok::<(), multiproc::Error>(())
/// ```
///
/// A dropped handle leaves its process running: it is still among the
/// [`active_children`](crate::active_children), and when this process exits
/// normally it is waited for, or killed if it is a [daemon](Self::daemon). If
/// this process is killed, all its children are, and theirs.
pub struct Process<R = ()> {
    plan: Plan,
    state: State,
    result: PhantomData<fn() -> R>,
}

type EncodeArguments = Box<dyn Fn() -> Result<codec::Encoded> + Send>;

/// What was said before the start.
struct Plan {
    number: u64,
    name: String,
    is_daemon: bool,
    start_method: Option<StartMethod>,
    cores: Vec<usize>,
    patience: Duration,
    entry: EntryPoint,
}

enum State {
    /// The arguments are encoded at the start.
    New(EncodeArguments),
    Started(Arc<Started>),
    Ended {
        started: Arc<Started>,
        status: ExitStatus,
        said: Option<Said>,
    },
    Closed,
}

impl<R: Serialize + DeserializeOwned> Process<R> {
    /// A process that will call `target` with `arguments`, which are kept
    /// until it has started and dropped then.
    pub fn new<A, F>(target: F, arguments: A) -> Self
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        let number = registry::next_number();
        let this = Biography::of_this_process();
        let plan = Plan {
            number,
            name: format!("Process-{}", this.lineage_of_child(number)),
            is_daemon: this.is_daemon,
            start_method: None,
            cores: Vec::new(),
            patience: BEGINS_WITHIN,
            entry: target::entry(target),
        };
        let state = State::New(Box::new(move || codec::encode(&arguments)));
        Self { plan, state, result: PhantomData }
    }

    /// Waits until it ends, and returns what its function returned. The value
    /// may be of any size, and is there however late it is asked for.
    ///
    /// # Errors
    ///
    /// [`Error::ProcessPanicked`] if the function panicked or its argument or
    /// its value could not cross, [`Error::ProcessDied`] if the process was
    /// killed or has called `exit`, [`Error::NeverBegan`] as for
    /// [`join`](Self::join), [`Error::System`] if this process has no
    /// descriptor or no memory left for the value, [`Error::ResultTaken`] the
    /// second time.
    pub fn result(&mut self) -> Result<R> {
        self.join()?;
        let (name, State::Ended { started, status, said }) = (&self.plan.name, &mut self.state)
        else {
            unreachable!("joined");
        };
        let (name, pid) = (name.clone(), started.process.pid());
        match said.take() {
            Some(Said::Ended(Verdict::Returned(value))) => {
                codec::decode(&value.bytes, value.descriptors)
            }
            None => Err(Error::ResultTaken { name }),
            // Those can be told as often as they are asked for.
            failed => {
                let error = match &failed {
                    Some(Said::Ended(Verdict::Panicked(message))) => {
                        Error::ProcessPanicked { name, pid, message: message.clone() }
                    }
                    Some(Said::Lost(error)) => Error::System {
                        what: "take the result of a process, which is lost",
                        source: error
                            .raw_os_error()
                            .map_or_else(|| error.kind().into(), io::Error::from_raw_os_error),
                    },
                    _ => Error::ProcessDied { name, pid, status: *status },
                };
                *said = failed;
                Err(error)
            }
        }
    }
}

/// Before the start.
impl<R> Process<R> {
    /// Its name, which `ps` and `top` show the first 15 bytes of. If none is
    /// given it is `Process-1` for the first process that this one makes,
    /// `Process-1:2` for the second that that one makes, and so on.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.plan.name = name.into();
        self
    }

    /// Whether it is to be killed, and not waited for, when this process exits.
    /// If this is not said it is as this process is. Unlike in Python, a
    /// daemon may have children; they end with it.
    #[must_use]
    pub fn daemon(mut self, is_daemon: bool) -> Self {
        self.plan.is_daemon = is_daemon;
        self
    }

    /// How it is to be started; otherwise by the
    /// [default](crate::default_start_method).
    #[must_use]
    pub fn start_method(mut self, start_method: StartMethod) -> Self {
        self.plan.start_method = Some(start_method);
        self
    }

    /// Pins it to these cores, numbered as in `/proc/cpuinfo`, before its
    /// function is called.
    #[must_use]
    pub fn pin_to(mut self, cores: &[usize]) -> Self {
        self.plan.cores = cores.to_vec();
        self
    }

    /// How long it may take from its start until it begins in
    /// [`init`](crate::init), 30 s if this is not said; otherwise it is killed
    /// ([`Error::NeverBegan`]). Forked processes begin at once.
    #[must_use]
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.plan.patience = timeout;
        self
    }

    /// Starts it.
    ///
    /// Arguments of more than some 200 kB are read while it begins, and waited
    /// for as long as that may take.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyStarted`] the second time; [`Error::ProcessClosed`];
    /// [`Error::Encode`] if the
    /// arguments cannot cross; [`Error::CoresNotAvailable`];
    /// [`Error::ForkWithThreads`]; [`Error::InitNotReached`]; [`Error::Start`]
    /// if the operating system refuses; [`Error::NeverBegan`] if nobody reads the
    /// arguments. Nothing is left then, and it can be
    /// tried again.
    pub fn start(&mut self) -> Result<()> {
        let encode = match &self.state {
            State::New(encode) => encode,
            State::Closed => return Err(Error::ProcessClosed { name: self.plan.name.clone() }),
            _ => return Err(Error::AlreadyStarted { name: self.plan.name.clone() }),
        };
        registry::reap_forsaken();
        let plan = &self.plan;
        if !plan.cores.is_empty() {
            affinity::check(&plan.cores)?;
        }
        let method = plan.start_method.unwrap_or_else(start_method::settle_default);
        let encoded = encode()?;
        let inheritance = Inheritance { payload: encoded.bytes, descriptors: encoded.descriptors };
        let process = launch(
            method,
            Order {
                biography: plan.biography(method),
                entry: plan.entry,
                inheritance,
                has_line: true,
                patience: plan.patience,
            },
        )?;
        let started = Started { number: plan.number, is_daemon: plan.is_daemon, process };
        let started = Arc::new(started);
        registry::add(&started);
        self.state = State::Started(started);
        Ok(())
    }
}

impl Plan {
    fn biography(&self, method: StartMethod) -> Biography {
        let this = Biography::of_this_process();
        Biography {
            lineage: this.lineage_of_child(self.number),
            is_daemon: self.is_daemon,
            cores: self.cores.clone(),
            ..Biography::of_child(&self.name, method)
        }
    }
}

/// After the start.
impl<R> Process<R> {
    /// Waits until it ends. That its function panicked or that it was killed
    /// is told by [`exit_code`](Self::exit_code) and [`result`](Self::result).
    ///
    /// # Errors
    ///
    /// [`Error::NotStarted`]; [`Error::ProcessClosed`]; [`Error::NeverBegan`] if the
    /// process has executed this program's `main` to its end, or for longer
    /// than it [may take](Self::start_timeout), without ever coming to
    /// [`init`](crate::init), so that its function was not called whatever its
    /// exit code says; [`Error::NotAChild`] in a process that was forked since.
    pub fn join(&mut self) -> Result<()> {
        self.wait(None).map(drop)
    }

    /// The same for at most `timeout`; whether it has ended.
    ///
    /// # Errors
    ///
    /// As for [`join`](Self::join).
    pub fn join_timeout(&mut self, timeout: Duration) -> Result<bool> {
        self.wait(Some(timeout))
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<bool> {
        let name = || self.plan.name.clone();
        let started = match &self.state {
            State::New(_) => return Err(Error::NotStarted { name: name() }),
            State::Closed => return Err(Error::ProcessClosed { name: name() }),
            State::Started(started) | State::Ended { started, .. } => started,
        };
        if !started.join(timeout)? {
            return Ok(false);
        }
        let status = started.process.wait(None)?.expect("joined");
        if let State::Started(started) = &self.state {
            let (started, said) = (Arc::clone(started), Some(started.process.hear()));
            self.state = State::Ended { started, status, said };
        }
        match &self.state {
            State::Ended { started, said: Some(Said::NotBegun), .. } => {
                started.process.never_began(status).map_or(Ok(true), Err)
            }
            _ => Ok(true),
        }
    }

    /// Whether it was started and still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.started().is_some_and(Started::is_alive)
    }

    /// The exit code, or the negative number of the signal that ended it;
    /// `None` if it was not started or still runs.
    ///
    /// 0 if the function returned, what the function called
    /// [`exit`](std::process::exit) with, or 101 if it panicked, which is the
    /// exit code of every Rust program that does (Python's is 1).
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        let started = self.started()?;
        let status = started
            .join(Some(Duration::ZERO))
            .and_then(|ended| if ended { started.process.wait(None) } else { Ok(None) });
        status.ok().flatten().map(|status| status.code)
    }

    /// Its process id, once it was started.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.started().map(|started| started.process.pid())
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// Whether it is killed, and not waited for, when this process exits.
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.plan.is_daemon
    }

    /// A descriptor that is readable once it has ended, for `poll` and its like.
    ///
    /// # Errors
    ///
    /// [`Error::NotStarted`]; [`Error::ProcessClosed`]; [`Error::NotAChild`].
    pub fn sentinel(&self) -> Result<BorrowedFd<'_>> {
        let name = || self.plan.name.clone();
        match &self.state {
            State::New(_) => Err(Error::NotStarted { name: name() }),
            State::Closed => Err(Error::ProcessClosed { name: name() }),
            State::Started(started) | State::Ended { started, .. } => {
                started.process.check_is_ours()?;
                Ok(started.process.sentinel())
            }
        }
    }

    /// Asks it to end, with `SIGTERM`; nothing happens if it does not run.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Ends it, with `SIGKILL`; nothing happens if it does not run.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(started) = self.started() {
            started.process.signal(signal);
        }
    }

    /// Lets go of what is left of an ended process: its descriptor and its
    /// result. Dropping the handle does so too.
    ///
    /// # Errors
    ///
    /// [`Error::StillRuns`].
    pub fn close(&mut self) -> Result<()> {
        if let Some(started) = self.started()
            && started.is_alive()
        {
            let (name, pid) = (self.plan.name.clone(), started.process.pid());
            return Err(Error::StillRuns { name, pid });
        }
        self.state = State::Closed;
        Ok(())
    }

    fn started(&self) -> Option<&Started> {
        match &self.state {
            State::Started(started) | State::Ended { started, .. } => Some(started),
            State::New(_) | State::Closed => None,
        }
    }
}

impl<R> Drop for Process<R> {
    fn drop(&mut self) {
        if let State::Started(started) = &self.state {
            // Its function's value is not kept for nobody.
            started.process.hang_up();
        }
    }
}

impl<R> fmt::Debug for Process<R> {
    /// Neither waits nor reaps: the exit code is there once somebody has asked
    /// for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.started().and_then(|started| started.process.status());
        f.debug_struct("Process")
            .field("name", &self.plan.name)
            .field("pid", &self.pid())
            .field("exit_code", &status.map(|status| status.code))
            .finish_non_exhaustive()
    }
}
