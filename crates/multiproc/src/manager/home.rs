//! Where an object lives, seen from this process.

use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};

use super::{
    client::Client,
    function::{CallFn, why},
    object::catch,
    server::Server,
    wire::{CallHeader, Deadline, ObjectId, Refusal, Reply, Ticket},
};
use crate::{Error, Result, codec};

/// The server of a manager: this very process or another one.
#[derive(Clone)]
pub(super) enum Home {
    Here(&'static Server),
    There(Arc<Client>),
}

impl Home {
    /// Where `ticket` leads; its reference belongs to this process now.
    pub(super) fn of(ticket: Ticket) -> Result<Self> {
        match Server::here() {
            Some(server) if server.id() == ticket.server => {
                // The ticket holds the object until this process does.
                let is_held = ticket.object.is_none_or(|object| server.hold(object));
                if is_held { Ok(Self::Here(server)) } else { Err(Error::NoSuchObject) }
            }
            _ => Ok(Self::There(Client::with(ticket))),
        }
    }

    pub(super) fn pid(&self) -> u32 {
        match self {
            Self::Here(server) => server.id().pid,
            Self::There(client) => client.server().pid,
        }
    }

    /// A ticket for another process.
    pub(super) fn lend(&self, object: Option<ObjectId>) -> Result<Ticket> {
        match self {
            Self::Here(server) => server.lend(object),
            Self::There(client) => client.lend(object),
        }
    }

    /// Makes an object and holds it.
    pub(super) fn construct<T, A, F>(&self, constructor: F, arguments: &A) -> Result<Reference>
    where
        T: Send + 'static,
        A: Serialize + DeserializeOwned,
        F: Fn(A) -> T + Copy + Send + 'static,
    {
        let home = match self {
            Self::Here(server) => {
                let arguments = copy_of(arguments)?;
                let value = catch(|| constructor(arguments));
                let object = server.add(value.map_err(|refusal| self.explain::<A, ()>(refusal))?);
                return Ok(Reference { home: self.clone(), object });
            }
            Self::There(client) => client,
        };
        let header = CallHeader::new(CallFn::constructor(constructor).place(), None, None);
        let reply = home.call::<A, Ticket>(&header, arguments)?;
        Reference::of(self.returned::<A, Ticket>(reply)?)
    }

    /// Calls `f` on an object.
    fn call<T, A, R, F>(
        &self,
        object: ObjectId,
        f: F,
        arguments: &A,
        deadline: Option<Deadline>,
    ) -> Result<R>
    where
        T: Send + 'static,
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
        F: Fn(&mut T, A) -> R + Copy + Send + 'static,
    {
        match self {
            Self::There(client) => {
                let function = CallFn::on_object(f);
                let header = CallHeader::new(function.place(), Some(object), deadline);
                let reply = client.call::<A, R>(&header, arguments)?;
                self.returned::<A, R>(reply)
            }
            Self::Here(server) => {
                let arguments = copy_of(arguments)?;
                let called = server
                    .find(Some(object))
                    .and_then(|object| object.call(deadline, |value: &mut T| f(value, arguments)));
                copy_of(&called.map_err(|refusal| self.explain::<A, R>(refusal))?)
            }
        }
    }

    fn release(&self, object: ObjectId) {
        match self {
            Self::Here(server) => server.release(object),
            Self::There(client) => client.release(object),
        }
    }

    fn returned<A, R>(&self, reply: Reply<R>) -> Result<R> {
        match reply {
            Reply::Returned(result) => Ok(result),
            Reply::Refused(refusal) => Err(self.explain::<A, R>(refusal)),
        }
    }

    /// The error that tells why there is no result.
    fn explain<A, R>(&self, refusal: Refusal) -> Error {
        match refusal {
            Refusal::Panicked(message) => Error::CallPanicked { message },
            Refusal::BadArguments(why) => {
                Error::Decode { type_name: std::any::type_name::<A>(), why }
            }
            Refusal::BadResult(why) => Error::Encode { type_name: std::any::type_name::<R>(), why },
            Refusal::NoSuchObject => Error::NoSuchObject,
            Refusal::NoSuchFunction => Error::Garbled {
                pid: self.pid() as i32,
                what: "it does not know the function that was called".to_owned(),
            },
            Refusal::CallsItself => Error::CallsItself,
            Refusal::TimedOut => Error::TimedOut,
            Refusal::Ended => Error::ManagerEnded { pid: self.pid() },
            Refusal::Overloaded => Error::ManagerOverloaded { pid: self.pid() },
        }
    }
}

/// A value as it would arrive from another process, for calls that stay in
/// this one: whether an object is near must make no difference.
fn copy_of<T: Serialize + DeserializeOwned>(value: &T) -> Result<T> {
    let encoded = codec::encode(value)?;
    codec::decode(&encoded.bytes, encoded.descriptors)
}

/// A reference to an object that is given up when this is dropped.
pub(super) struct Reference {
    pub(super) home: Home,
    pub(super) object: ObjectId,
}

impl Reference {
    /// The reference that came with `ticket`.
    pub(super) fn of(ticket: Ticket) -> Result<Self> {
        let object = ticket.object.ok_or(Error::NoSuchObject)?;
        Ok(Self { home: Home::of(ticket)?, object })
    }

    pub(super) fn lend(&self) -> Result<Ticket> {
        self.home.lend(Some(self.object))
    }

    pub(super) fn call<T, A, R, F>(
        &self,
        f: F,
        arguments: &A,
        deadline: Option<Deadline>,
    ) -> Result<R>
    where
        T: Send + 'static,
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
        F: Fn(&mut T, A) -> R + Copy + Send + 'static,
    {
        self.home.call(self.object, f, arguments, deadline)
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        self.home.release(self.object);
    }
}

/// For `Serialize`: what `Error` says, for an error type that only takes text.
pub(super) fn refused<E: serde::ser::Error>(error: Error) -> E {
    codec::refuse_to_encode(why(error))
}
