//! The server process: objects, who holds them, and the calls on them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        mpsc::{Sender, channel},
    },
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
};

use super::{
    function::{CallFn, refuse},
    gate::{Gate, Running},
    object::Object,
    references::References,
    wire::{CallHeader, HolderId, ObjectId, Refusal, ServerId, Ticket, ToServer},
};
use crate::{Connection, Error, Result, connection::pipe};

/// Marks the event that the manager is gone or wants an end.
const LIFELINE: u64 = 0;

static HERE: OnceLock<Server> = OnceLock::new();

/// The server that this process is.
///
/// One thread, the first, listens to all holders of references, because there
/// are many of them and what they say takes no time. Every connection for
/// calls has a thread of its own, because a call may take for ever.
pub(super) struct Server {
    id: ServerId,
    events: Epoll,
    state: Mutex<State>,
    /// Objects go where a slow `Drop` holds up nobody.
    to_drop: Sender<(Arc<Object>, Running<'static>)>,
    drops: Gate,
    calls: Gate,
}

struct State {
    references: References,
    connections: HashMap<HolderId, Arc<Connection>>,
    /// Holds the references of the proxies in this process.
    local: HolderId,
}

impl Server {
    /// The server that this process is, if it is one.
    pub(super) fn here() -> Option<&'static Self> {
        HERE.get()
    }

    /// Makes this process a server.
    pub(super) fn found(id: ServerId) -> Result<&'static Self> {
        let events =
            Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(Error::errno("create an epoll"))?;
        let (to_drop, dropped) = channel();
        thread::Builder::new()
            .name("drops".to_owned())
            .spawn(move || dropped.into_iter().for_each(drop))
            .map_err(Error::system("start a thread"))?;
        let mut references = References::new();
        let local = references.add_holder();
        let state = Mutex::new(State { references, connections: HashMap::new(), local });
        let (drops, calls) = (Gate::default(), Gate::default());
        Ok(HERE.get_or_init(|| Self { id, events, state, to_drop, drops, calls }))
    }

    pub(super) fn id(&self) -> ServerId {
        self.id
    }

    /// Serves until `lifeline` is closed; then finishes the calls that have
    /// arrived and drops the objects.
    pub(super) fn serve(&'static self, lifeline: &Connection) -> Result<()> {
        self.events
            .add(lifeline, EpollEvent::new(EpollFlags::EPOLLIN, LIFELINE))
            .map_err(Error::errno("wait for the manager"))?;
        let mut events = [EpollEvent::empty(); 64];
        loop {
            let ready = match self.events.wait(&mut events, EpollTimeout::NONE) {
                Err(Errno::EINTR) => 0,
                ready => ready.map_err(Error::errno("wait for clients"))?,
            };
            for event in &events[..ready] {
                if event.data() == LIFELINE {
                    self.end();
                    return Ok(());
                }
                self.listen_to(event.data());
            }
        }
    }

    fn end(&'static self) {
        self.calls.close();
        let left = self.state().references.take_all();
        self.bury(left);
        self.drops.close();
    }

    /// Admits a holder and tells it who it is.
    pub(super) fn welcome(&'static self, lent: Connection, object: Option<ObjectId>) {
        // If it cannot be admitted the connection is closed, which the one who
        // waits for the answer at the other end sees.
        let Ok(holder) = self.admit(lent, object) else { return };
        if let Some(connection) = self.connection(holder) {
            let _ = connection.send_timeout(&holder, Duration::ZERO);
        }
    }

    /// Lets whoever has the other end of `connection` hold references, and
    /// one to `object` at once.
    fn admit(&'static self, connection: Connection, object: Option<ObjectId>) -> Result<HolderId> {
        let connection = Arc::new(connection);
        let mut state = self.state();
        let holder = state.references.add_holder();
        state.connections.insert(holder, Arc::clone(&connection));
        let is_held = object.is_none_or(|object| state.references.hold(holder, object));
        drop(state);
        // From now on its end is noticed.
        let event = EpollEvent::new(EpollFlags::EPOLLIN, holder);
        let added = self.events.add(&*connection, event);
        if !is_held || added.is_err() {
            self.dismiss(holder);
        }
        added.map_err(Error::errno("listen to a client"))?;
        if is_held { Ok(holder) } else { Err(Error::NoSuchObject) }
    }

    /// A new object, to which this process has the only reference.
    pub(super) fn add<T: Send + 'static>(&self, value: T) -> ObjectId {
        let mut state = self.state();
        let local = state.local;
        state.references.add_object(local, Object::new(value))
    }

    /// One reference more for this process; whether there is such an object.
    pub(super) fn hold(&self, object: ObjectId) -> bool {
        let mut state = self.state();
        let local = state.local;
        state.references.hold(local, object)
    }

    /// One reference of this process less.
    pub(super) fn release(&'static self, object: ObjectId) {
        let mut state = self.state();
        let local = state.local;
        let last = state.references.release(local, object);
        drop(state);
        self.bury(last);
    }

    /// A proxy for another process.
    pub(super) fn lend(&'static self, object: Option<ObjectId>) -> Result<Ticket> {
        let (connection, ours) = pipe()?;
        let holder = self.admit(ours, object)?;
        Ok(Ticket { server: self.id, holder, object, connection })
    }

    pub(super) fn find(&self, object: Option<ObjectId>) -> Result<Arc<Object>, Refusal> {
        object.and_then(|object| self.state().references.find(object)).ok_or(Refusal::NoSuchObject)
    }

    /// A call has arrived; it will be finished although the manager ends.
    pub(super) fn begin(&self) -> Result<Running<'_>, Refusal> {
        self.calls.enter().ok_or(Refusal::Ended)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code of a user's runs under this mutex, and ours does not panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen_to(&'static self, holder: HolderId) {
        // An event of a holder that left while it waited in the list is nobody's.
        let Some(connection) = self.connection(holder) else { return };
        match connection.recv_timeout(Duration::ZERO) {
            Ok(message) => self.obey(holder, message),
            // A descriptor that this process had no room for: who sent it sees
            // that it was closed.
            Err(Error::TimedOut | Error::System { .. }) => {}
            // Gone, or it sends rubbish.
            Err(_) => self.dismiss(holder),
        }
    }

    fn obey(&'static self, holder: HolderId, message: ToServer) {
        match message {
            ToServer::Lend { object, holder: lent } => self.welcome(lent, object),
            ToServer::Answer { caller } => {
                // If there can be no more threads the connection is closed,
                // which the caller sees.
                let name = "calls".to_owned();
                let _ = thread::Builder::new().name(name).spawn(move || self.answer(&caller));
            }
            ToServer::Release(objects) => {
                for object in objects {
                    let last = self.state().references.release(holder, object);
                    self.bury(last);
                }
            }
            ToServer::MergeInto(into) => {
                self.state().references.merge(holder, into);
                self.dismiss(holder);
            }
        }
    }

    fn connection(&self, holder: HolderId) -> Option<Arc<Connection>> {
        self.state().connections.get(&holder).map(Arc::clone)
    }

    fn dismiss(&'static self, holder: HolderId) {
        let mut state = self.state();
        let connection = state.connections.remove(&holder);
        let unheld = state.references.remove_holder(holder);
        drop(state);
        if let Some(connection) = connection {
            // Its last descriptor here may be closed a moment later.
            let _ = self.events.delete(&*connection);
        }
        self.bury(unheld);
    }

    fn bury(&'static self, objects: impl IntoIterator<Item = Arc<Object>>) {
        for object in objects {
            // Closed when the end is near and all have been sent.
            let Some(until_dropped) = self.drops.enter() else { return drop(object) };
            // The thread never ends; a panic in a `Drop` is caught there.
            let _ = self.to_drop.send((object, until_dropped));
        }
    }

    /// A thread of its own: the calls of one connection.
    fn answer(&'static self, caller: &Connection) {
        while let Ok(header) = caller.recv::<CallHeader>() {
            let answered = match CallFn::at(header.place()) {
                Some(function) => function.answer(self, caller, &header),
                // Without the function nobody knows how to read what follows.
                None => return drop(refuse(caller, Refusal::NoSuchFunction)),
            };
            if answered.is_err() {
                return;
            }
        }
    }
}
