//! Functions that workers call with encoded values.

use serde::{Serialize, de::DeserializeOwned};

use std::os::fd::OwnedFd;

use super::{
    frame::{Failure, ValueOf},
    value,
};
use crate::{
    Error, Result, TaskPanic, Token,
    code::{Place, Purpose, conjure},
    codec,
};

/// Decodes an argument, calls a function with it and appends its encoded
/// result to a buffer.
type RawCall = fn(argument: &[u8], result: &mut Vec<u8>) -> Result<(), Failure>;

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
        Self(|argument, result| {
            let argument = value::decode::<A>(argument)
                .map_err(|error| Failure::of(ValueOf::Argument, &error))?;
            let value = conjure::<F>()(argument);
            value::encode_into(&value, result).map_err(|error| Failure::of(ValueOf::Result, &error))
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

    /// Calls it. After a failure, whatever kind, `result` is as long as it was.
    pub(crate) fn call(self, argument: &[u8], result: &mut Vec<u8>) -> Result<(), Failure> {
        let before = result.len();
        let outcome = TaskPanic::catch(|| (self.0)(argument, result));
        outcome.map_err(Failure::from).flatten().inspect_err(|_| result.truncate(before))
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
        call.call(&argument, &mut result).unwrap();
        assert_eq!(codec::decode::<String>(&result[1..], Vec::new()).unwrap(), "7");
        assert!(CallFn::from_token([0, 0]).is_none());
        assert!(HookFn::from_token(call.token()).is_none());
    }

    #[test]
    fn after_a_failure_the_buffer_is_as_it_was() {
        let panics = CallFn::new(|x: u64| -> u64 { panic!("{x}") });
        let argument = 7u64.to_ne_bytes();
        let mut result = vec![1];
        let failure = panics.call(&argument, &mut result).unwrap_err();
        assert!(matches!(failure, Failure::Panicked { .. }), "{failure:?}");
        let failure = panics.call(&[0xff; 20], &mut result).unwrap_err();
        assert!(matches!(failure, Failure::Value { what: ValueOf::Argument, .. }), "{failure:?}");
        assert_eq!(result, [1]);
    }
}
