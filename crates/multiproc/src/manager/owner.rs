//! The manager, as the process that has started it holds it.

use std::{
    ops::Deref,
    time::{Duration, SystemTime},
};

use super::{
    client::Client,
    handle::ManagerHandle,
    home::Home,
    server::Server,
    wire::{HolderId, ServerId},
};
use crate::{
    Child, Connection, EntryPoint, Error, ExitStatus, Inheritance, Result, SHUTDOWN_PATIENCE,
    StartMethod, TaskPanic, codec, connection::pipe, process, start_method::settle_default,
};

/// Far more than a start takes, even of a program whose `main` has much to do
/// before its first line is reached, on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A process that holds ordinary values, which other processes use through
/// proxies.
///
/// Python's `multiprocessing.Manager`. [`ManagerHandle`] has the methods that
/// make objects. The manager ends when this value is dropped, when
/// [`shutdown`](Self::shutdown) is called, and at the latest with the process
/// that has started it; proxies that are left then give errors.
///
/// # Examples
///
/// ```
/// use multiproc::{DictProxy, ListProxy, Manager, Process};
///
/// fn work((squares, names): (ListProxy<u64>, DictProxy<String, u64>)) {
///     squares.extend((1..=3).map(|n| n * n)).unwrap();
///     names.insert("nine".to_owned(), 9).unwrap();
/// }
///
/// let manager = Manager::start()?;
/// let squares = manager.list()?;
/// let names = manager.dict()?;
/// let mut process = Process::new(work, (squares.clone(), names.clone()));
/// process.start()?;
/// process.join()?;
/// assert_eq!(squares.to_vec()?, [1, 4, 9]);
/// assert_eq!(names.get(&"nine".to_owned())?, Some(9));
/// manager.shutdown()?;
/// # Ok::<(), multiproc::Error>(())
/// ```
#[derive(Debug)]
pub struct Manager {
    handle: ManagerHandle,
    /// Closing it tells the server to end.
    lifeline: Option<Connection>,
    process: Child,
}

/// How a [`Manager`] is to be started.
#[derive(Clone, Debug)]
pub struct ManagerBuilder {
    /// `None`: by the default.
    start_method: Option<StartMethod>,
    name: String,
}

/// What the server is born with: the number that makes its identity, the first
/// connection that holds references, and the one whose end is its own.
type Birth = (u64, Connection, Connection);

impl Manager {
    /// Starts a manager.
    ///
    /// # Errors
    ///
    /// As [`ManagerBuilder::start`].
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// A manager that is still to be configured.
    #[must_use]
    pub fn builder() -> ManagerBuilder {
        ManagerBuilder { start_method: None, name: "Manager".to_owned() }
    }

    /// Lets the calls that have arrived be finished, drops all objects and
    /// ends the manager's process. A call that takes longer than
    /// [`SHUTDOWN_PATIENCE`] is given up, and the process killed.
    ///
    /// # Errors
    ///
    /// [`Error::ManagerDied`] if the process did not end in order.
    pub fn shutdown(self) -> Result<()> {
        self.shutdown_timeout(SHUTDOWN_PATIENCE)
    }

    /// The same with another patience.
    ///
    /// # Errors
    ///
    /// As [`shutdown`](Self::shutdown).
    pub fn shutdown_timeout(mut self, patience: Duration) -> Result<()> {
        let status = self.end(patience)?;
        if status.success() { Ok(()) } else { Err(died(&self.process, status)) }
    }

    fn end(&mut self, patience: Duration) -> Result<ExitStatus> {
        self.lifeline = None;
        if let Some(status) = self.process.wait(Some(patience))? {
            return Ok(status);
        }
        self.process.kill();
        Ok(self.process.wait(None)?.unwrap_or(ExitStatus::KILLED))
    }
}

impl Drop for Manager {
    /// As [`shutdown`](Self::shutdown), without telling how it went.
    fn drop(&mut self) {
        if self.lifeline.is_some() {
            let _ = self.end(SHUTDOWN_PATIENCE);
        }
    }
}

impl Deref for Manager {
    type Target = ManagerHandle;

    fn deref(&self) -> &ManagerHandle {
        &self.handle
    }
}

impl ManagerBuilder {
    /// How the manager's process is to be started; otherwise by the
    /// [default](crate::default_start_method). Its clients can be started in
    /// any way.
    #[must_use]
    pub fn start_method(self, start_method: StartMethod) -> Self {
        Self { start_method: Some(start_method), ..self }
    }

    /// What `ps` and `top` show, cut to 15 bytes; `Manager` by default.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Starts the manager.
    ///
    /// # Errors
    ///
    /// As [`start`](crate::start()), [`Error::StartTimedOut`] if the process
    /// does not answer, or [`Error::ManagerDied`] if it ends instead.
    pub fn start(self) -> Result<Manager> {
        let number = draw_number();
        let (control, their_control) = pipe()?;
        let (lifeline, their_lifeline) = pipe()?;
        let birth: Birth = (number, their_control, their_lifeline);
        let encoded = codec::encode(&birth)?;
        // From now on only the child has the other ends, so that its death is
        // the end of these.
        drop(birth);
        let inheritance = Inheritance { payload: encoded.bytes, descriptors: encoded.descriptors };
        let entry = EntryPoint::new(live);
        let method = self.start_method.unwrap_or_else(settle_default);
        let mut process = process::start(method, &self.name, entry, inheritance)?;
        let pid = process.pid();
        let holder: HolderId = match control.recv_timeout(START_TIMEOUT) {
            Ok(holder) => holder,
            Err(Error::TimedOut) => {
                return Err(Error::StartTimedOut { pid, seconds: START_TIMEOUT.as_secs() });
            }
            Err(error) => {
                let status = process.wait(Some(START_TIMEOUT))?;
                return Err(status.map_or(error, |status| died(&process, status)));
            }
        };
        let server = ServerId { pid: pid as u32, number };
        let home = Home::There(Client::new(server, holder, control));
        Ok(Manager { handle: ManagerHandle::new(home), lifeline: Some(lifeline), process })
    }
}

/// The life of the server.
fn live(inheritance: Inheritance) {
    let birth: Birth = codec::decode(&inheritance.payload, inheritance.descriptors)
        .unwrap_or_else(|error| panic!("{error}"));
    // Its owner may have use for its objects while it ends.
    process::leave_interrupts_to_the_parent();
    TaskPanic::capture_caught();
    serve(birth).unwrap_or_else(|error| panic!("{error}"));
}

fn serve((number, control, lifeline): Birth) -> Result<()> {
    let server = Server::found(ServerId { pid: process::this_process(), number })?;
    server.welcome(control, None);
    server.serve(&lifeline)
}

fn died(process: &Child, status: ExitStatus) -> Error {
    Error::ManagerDied { pid: process.pid() as u32, status }
}

/// Tells servers apart that have the same process id one after the other.
fn draw_number() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64
}
