//! Functions that workers call with encoded values.

use serde::{Serialize, de::DeserializeOwned};

use std::os::fd::OwnedFd;

use super::{
    frame::{Failure, ValueOf},
    large::{self, Large, Room},
    outbox::Outbox,
    run::Run,
    value,
};
use crate::{
    Error, Result, TaskPanic, Token,
    code::{Place, Purpose, conjure},
    codec,
};

/// Calls a function, once or several times.
type RawCall = fn(Invocation<'_, '_>) -> Result<(), Failure>;

/// What a function is called with.
pub(super) enum Argument<'a> {
    Encoded(&'a [u8]),
    /// In the [room](CallFn::room) for it.
    Large(Box<dyn Large>),
}

/// How often a function is called, with what, and where what it returns is to go.
enum Invocation<'a, 'r> {
    /// With one argument; the encoded result is appended, or put there if it is
    /// large.
    Once(Argument<'a>, &'a mut Vec<u8>, &'a mut Option<Box<dyn Large>>),
    /// Not at all: an argument of so many bytes needs room first.
    Never(usize, &'a mut Room),
    /// With what is left of a run.
    Run(&'a mut Run<'r>, &'a mut Outbox),
}

/// A function from values to values, without a name.
#[derive(Clone, Copy)]
pub(crate) struct CallFn(RawCall);

impl CallFn {
    pub(crate) fn new<A, R, F>(_: F) -> Self
    where
        A: DeserializeOwned + 'static,
        R: Serialize + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        Self(|invocation| match invocation {
            Invocation::Once(argument, result, large) => {
                let argument = match argument {
                    Argument::Encoded(bytes) => value::decode::<A>(bytes)
                        .map_err(|error| Failure::of(ValueOf::Argument, &error))?,
                    Argument::Large(argument) => large::unwrap(argument),
                };
                match large::wrap(conjure::<F>()(argument)) {
                    Ok(value) => *large = Some(value),
                    Err(value) => value::encode_into(&value, result)
                        .map_err(|error| Failure::of(ValueOf::Result, &error))?,
                }
                Ok(())
            }
            Invocation::Never(bytes, room) => {
                *room = large::room::<A>(bytes);
                Ok(())
            }
            Invocation::Run(run, outbox) => {
                run.go_on(outbox, conjure::<F>());
                Ok(())
            }
        })
    }

    pub(crate) fn token(self) -> Token {
        bytemuck::must_cast(Place::of(self.0 as usize, Purpose::Job))
    }

    /// `None` if [`token`](Self::token) has not made it in this family of
    /// processes.
    pub(crate) fn from_token(token: Token) -> Option<Self> {
        let place: Place = bytemuck::must_cast(token);
        let address = place.address(Purpose::Job)?;
        // SAFETY: the tag proves that `CallFn::token` has made it in a process
        // of this family, which runs the same executable; there it was the
        // address of a `RawCall`.
        Some(Self(unsafe { std::mem::transmute::<*const (), RawCall>(address) }))
    }

    /// Room for an argument of so many bytes.
    pub(super) fn room(self, bytes: usize) -> Room {
        let mut room = Room::Otherwise;
        // It has no failure.
        let _ = (self.0)(Invocation::Never(bytes, &mut room));
        room
    }

    /// Calls it. After a failure, whatever kind, `result` is as long as it was,
    /// and so it is if the result is returned because it is large.
    pub(super) fn call(
        self,
        argument: Argument<'_>,
        result: &mut Vec<u8>,
    ) -> Result<Option<Box<dyn Large>>, Failure> {
        let before = result.len();
        let mut large = None;
        let invocation = Invocation::Once(argument, result, &mut large);
        let outcome = TaskPanic::catch(|| (self.0)(invocation));
        match outcome.map_err(Failure::from).flatten() {
            Ok(()) => Ok(large),
            Err(failure) => {
                result.truncate(before);
                Err(failure)
            }
        }
    }

    /// Calls it with what is left of a run, or up to the first panic; see
    /// [`Run::go_on`].
    pub(super) fn go_on(self, run: &mut Run<'_>, outbox: &mut Outbox) {
        // Panics of tasks are caught there, and it has no other failure.
        let _ = (self.0)(Invocation::Run(run, outbox));
    }
}

/// What a worker runs once: before its first task with the argument of a
/// closure that captures nothing, or after its last.
#[derive(Clone, Copy)]
pub(crate) struct HookFn(RawHook);

type RawHook = fn(argument: &[u8], descriptors: Vec<OwnedFd>) -> Result<()>;

impl HookFn {
    pub(crate) fn new<A, F>(_: F) -> Self
    where
        A: DeserializeOwned,
        F: Fn(A) + Copy + Send + 'static,
    {
        Self(|argument, descriptors| {
            conjure::<F>()(codec::decode(argument, descriptors)?);
            Ok(())
        })
    }

    pub(crate) fn token(self) -> Token {
        bytemuck::must_cast(Place::of(self.0 as usize, Purpose::Hook))
    }

    /// As [`CallFn::from_token`].
    pub(crate) fn from_token(token: Token) -> Option<Self> {
        let place: Place = bytemuck::must_cast(token);
        let address = place.address(Purpose::Hook)?;
        // SAFETY: as in `CallFn::from_token`, with `HookFn::token` and `RawHook`.
        Some(Self(unsafe { std::mem::transmute::<*const (), RawHook>(address) }))
    }

    pub(crate) fn call(self, argument: &[u8], descriptors: Vec<OwnedFd>) -> Result<(), Failure> {
        TaskPanic::catch(|| (self.0)(argument, descriptors))?
            .map_err(|error| Failure::of(ValueOf::Argument, &error))
    }
}

impl Failure {
    /// From what [`codec`] says of a value.
    pub(crate) fn of(what: ValueOf, error: &Error) -> Self {
        Self::Value { what, why: error.to_string() }
    }
}

impl From<TaskPanic> for Failure {
    fn from(TaskPanic { message, backtrace }: TaskPanic) -> Self {
        Self::Panicked { message, backtrace }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_function_survives_the_way_through_its_token() {
        let call = CallFn::from_token(CallFn::new(|x: u64| x.to_string()).token()).unwrap();
        let argument = 7u64.to_ne_bytes();
        let mut result = vec![1];
        call.call(Argument::Encoded(&argument), &mut result).unwrap();
        assert_eq!(codec::decode::<String>(&result[1..], Vec::new()).unwrap(), "7");
        assert!(CallFn::from_token([0, 0]).is_none());
        assert!(HookFn::from_token(call.token()).is_none());
    }

    #[test]
    fn after_a_failure_the_buffer_is_as_it_was() {
        let panics = CallFn::new(|x: u64| -> u64 { panic!("{x}") });
        let argument = 7u64.to_ne_bytes();
        let mut result = vec![1];
        let failure = panics.call(Argument::Encoded(&argument), &mut result).err().unwrap();
        assert!(matches!(failure, Failure::Panicked { .. }), "{failure:?}");
        let failure = panics.call(Argument::Encoded(&[0xff; 20]), &mut result).err().unwrap();
        assert!(matches!(failure, Failure::Value { what: ValueOf::Argument, .. }), "{failure:?}");
        assert_eq!(result, [1]);
    }
}
