//! What a process has of a manager's server: one connection that holds its
//! references, and one for each call that it makes at the same time.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use super::wire::{CallHeader, Deadline, HolderId, ObjectId, Reply, ServerId, Ticket, ToServer};
use crate::{Connection, Error, Result, connection::pipe, process::this_process};

/// Connections for calls that are kept for the next one. Each costs the server
/// a thread; a process that makes more calls at once than this connects again.
const KEPT_CONNECTIONS: usize = 8;

/// A server that ends closes one connection after the other; so long after the
/// first one it is certainly through.
const LAST_BREATH: Duration = Duration::from_millis(200);

/// The servers that this process is connected to.
static CLIENTS: LazyLock<Mutex<HashMap<ServerId, Weak<Client>>>> = LazyLock::new(Mutex::default);

/// This process as the client of a server.
pub(super) struct Client {
    server: ServerId,
    /// The process that this belongs to: one that was forked from it has the
    /// memory, but not the connections.
    process: u32,
    holder: HolderId,
    /// Its other end holds the references of this process.
    control: Connection,
    idle: Mutex<Vec<Connection>>,
    /// References that are given up as soon as the server has time to listen.
    given_up: Mutex<Vec<ObjectId>>,
    /// Whether it was told that the server has ended.
    end_was_told: AtomicBool,
}

impl Client {
    /// The first of this process.
    pub(super) fn new(server: ServerId, holder: HolderId, control: Connection) -> Arc<Self> {
        let client = Arc::new(Self::over(server, holder, control));
        register(&client);
        client
    }

    /// What `ticket` leads to; its reference is this process's now.
    pub(super) fn with(ticket: Ticket) -> Arc<Self> {
        let Ticket { server, holder, connection, .. } = ticket;
        let Some(client) = registered(server) else {
            return Self::new(server, holder, connection);
        };
        // The server closes the connection when it has done it, or because it
        // has ended, which every call will say.
        if connection.send(&ToServer::MergeInto(client.holder)).is_ok() {
            let _ = connection.recv::<()>();
        }
        client
    }

    fn over(server: ServerId, holder: HolderId, control: Connection) -> Self {
        Self {
            server,
            process: this_process(),
            holder,
            control,
            idle: Mutex::default(),
            given_up: Mutex::default(),
            end_was_told: AtomicBool::new(false),
        }
    }

    pub(super) fn server(&self) -> ServerId {
        self.server
    }

    /// A ticket for another process.
    pub(super) fn lend(&self, object: Option<ObjectId>) -> Result<Ticket> {
        self.check_process()?;
        let (connection, theirs) = pipe()?;
        let lend = ToServer::Lend { object, holder: theirs };
        self.control.send(&lend).map_err(|error| self.explained(error))?;
        drop(lend);
        let holder = connection.recv().map_err(|error| self.explained(error))?;
        Ok(Ticket { server: self.server, holder, object, connection })
    }

    /// Gives one reference up. Never waits: what the server has no time for
    /// now is told to it with the next one.
    pub(super) fn release(&self, object: ObjectId) {
        if self.process != this_process() {
            return;
        }
        let mut given_up = lock(&self.given_up);
        given_up.push(object);
        let release = ToServer::Release(std::mem::take(&mut *given_up));
        if let Err(Error::TimedOut) = self.control.send_timeout(&release, Duration::ZERO)
            && let ToServer::Release(kept) = release
        {
            *given_up = kept;
        }
    }

    /// Makes a call and waits for the answer.
    pub(super) fn call<A, R>(&self, header: &CallHeader, arguments: &A) -> Result<Reply<R>>
    where
        A: Serialize,
        R: DeserializeOwned,
    {
        self.check_process()?;
        let exchange = || {
            let connection = self.connection(header.deadline)?;
            send(&connection, header, header.deadline)?;
            send(&connection, arguments, header.deadline)?;
            let reply = receive(&connection, header.deadline)?;
            Ok((connection, reply))
        };
        // After an error there may be an answer still to come, which is not to
        // be taken for that of another call: the connection is closed.
        let (connection, reply) = exchange().map_err(|error| self.explained(error))?;
        let mut idle = lock(&self.idle);
        if idle.len() < KEPT_CONNECTIONS {
            idle.push(connection);
        }
        Ok(reply)
    }

    fn connection(&self, deadline: Option<Deadline>) -> Result<Connection> {
        if let Some(connection) = lock(&self.idle).pop() {
            return Ok(connection);
        }
        let (ours, caller) = pipe()?;
        send(&self.control, &ToServer::Answer { caller }, deadline)?;
        Ok(ours)
    }

    fn check_process(&self) -> Result<()> {
        if self.process == this_process() { Ok(()) } else { Err(Error::NotInherited) }
    }

    /// What it means that a connection to the server was closed.
    fn explained(&self, error: Error) -> Error {
        let pid = self.server.pid;
        match error {
            // Nothing ever comes from there but the end.
            Error::Disconnected => match self.control.poll(LAST_BREATH) {
                Ok(false) => Error::ManagerOverloaded { pid },
                _ => {
                    self.tell_end();
                    Error::ManagerEnded { pid }
                }
            },
            error => error,
        }
    }

    fn tell_end(&self) {
        // It orders nothing.
        if !self.end_was_told.swap(true, Relaxed) {
            tracing::warn!(target: "multiproc", pid = self.server.pid, "manager ended");
        }
    }
}

fn send<T: Serialize>(to: &Connection, value: &T, deadline: Option<Deadline>) -> Result<()> {
    match deadline {
        None => to.send(value),
        Some(deadline) => to.send_timeout(value, deadline.left()),
    }
}

fn receive<T: DeserializeOwned>(from: &Connection, deadline: Option<Deadline>) -> Result<T> {
    match deadline {
        None => from.recv(),
        Some(deadline) => from.recv_timeout(deadline.left()),
    }
}

fn register(client: &Arc<Client>) {
    let mut clients = lock(&CLIENTS);
    clients.retain(|_, client| client.strong_count() > 0);
    clients.insert(client.server, Arc::downgrade(client));
}

fn registered(server: ServerId) -> Option<Arc<Client>> {
    let client = lock(&CLIENTS).get(&server)?.upgrade()?;
    // A forked child has its parent's list, whose connections it has closed.
    // The list itself is whole, since only a single thread can fork.
    (client.process == this_process()).then_some(client)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Lists that are whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
