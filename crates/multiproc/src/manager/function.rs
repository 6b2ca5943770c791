//! What a call runs in the server: a function that reads the arguments from
//! the caller's connection, does its work and sends the answer.
//!
//! Invariant of the unsafe code: a [`Place`] for [`Purpose::Call`] is made in
//! [`CallFn::place`] only, from the address of an [`Answer`].

use serde::{Serialize, de::DeserializeOwned};

use super::{
    object::catch,
    server::Server,
    wire::{CallHeader, Refusal, Reply, Ticket},
};
use crate::{
    Connection, Error, Result,
    code::{Place, Purpose, conjure},
};

type Answer = fn(&'static Server, &Connection, &CallHeader) -> Result<()>;

/// A function that can be called on an object, or makes one, whose types are
/// known to nobody but itself.
#[derive(Clone, Copy)]
pub(super) struct CallFn {
    answer: Answer,
}

impl CallFn {
    /// Calls a function on an object that is a `T`.
    pub(super) fn on_object<T, A, R, F>(_: F) -> Self
    where
        T: Send + 'static,
        A: DeserializeOwned,
        R: Serialize,
        F: Fn(&mut T, A) -> R + Copy + Send + 'static,
    {
        Self {
            answer: |server, caller, header| {
                answer(server, caller, |arguments: A| {
                    let object = server.find(header.object)?;
                    object.call(header.deadline, |value: &mut T| conjure::<F>()(value, arguments))
                })
            },
        }
    }

    /// Makes an object that is a `T`; the answer is a [`Ticket`].
    pub(super) fn constructor<T, A, F>(_: F) -> Self
    where
        T: Send + 'static,
        A: DeserializeOwned,
        F: Fn(A) -> T + Copy + Send + 'static,
    {
        Self {
            answer: |server, caller, _| {
                answer(server, caller, |arguments: A| -> Result<Ticket, Refusal> {
                    let value = catch(|| conjure::<F>()(arguments))?;
                    let object = server.add(value);
                    let ticket = server.lend(Some(object));
                    server.release(object);
                    ticket.map_err(|_| Refusal::Overloaded)
                })
            },
        }
    }

    pub(super) fn place(self) -> Place {
        Place::of(self.answer as usize, Purpose::Call)
    }

    pub(super) fn at(place: Place) -> Option<Self> {
        let address = place.address(Purpose::Call)?;
        // SAFETY: the tag proves that `place` was made by `place` in a process
        // of this family, which runs the same executable; there it was the
        // address of an `Answer` (the module's invariant).
        let answer = unsafe { std::mem::transmute::<*const (), Answer>(address) };
        Some(Self { answer })
    }

    /// Answers the call whose header has just come from `caller`.
    ///
    /// An error means that nothing more can be done over this connection.
    pub(super) fn answer(
        self,
        server: &'static Server,
        caller: &Connection,
        header: &CallHeader,
    ) -> Result<()> {
        (self.answer)(server, caller, header)
    }
}

fn answer<A: DeserializeOwned, R: Serialize>(
    server: &'static Server,
    caller: &Connection,
    execute: impl FnOnce(A) -> Result<R, Refusal>,
) -> Result<()> {
    // A user's `Deserialize` or `Serialize` can panic as the function itself can.
    let arguments = match catch(|| caller.recv::<A>()) {
        Ok(Err(Error::Disconnected)) => return Err(Error::Disconnected),
        Ok(Err(error)) => Err(Refusal::BadArguments(why(error))),
        Ok(Ok(arguments)) => Ok(arguments),
        Err(panicked) => Err(panicked),
    };
    let arrived = arguments.and_then(|arguments| Ok((server.begin()?, arguments)));
    let (_until_answered, reply) = match arrived {
        Ok((running, arguments)) => (Some(running), execute(arguments)),
        Err(refusal) => (None, Err(refusal)),
    };
    let reply = reply.map_or_else(Reply::Refused, Reply::Returned);
    match catch(|| caller.send(&reply)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Error::Disconnected)) => Err(Error::Disconnected),
        Ok(Err(error)) => refuse(caller, Refusal::BadResult(why(error))),
        Err(panicked) => refuse(caller, panicked),
    }
}

/// Answers that there is no result.
pub(super) fn refuse(caller: &Connection, refusal: Refusal) -> Result<()> {
    caller.send(&Reply::<()>::Refused(refusal))
}

/// What was wrong, without the name of the type, which the caller knows.
pub(super) fn why(error: Error) -> String {
    match error {
        Error::Encode { why, .. } | Error::Decode { why, .. } => why,
        other => other.to_string(),
    }
}
