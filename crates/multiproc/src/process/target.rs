//! The child's side of a [`Process`](super::Process): it calls the target and
//! tells the parent what came of it.

use std::{
    any::Any,
    io::Write,
    os::{fd::OwnedFd, unix::net::UnixStream},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Biography, Inheritance, affinity,
    line::{Line, Verdict},
    this_process,
};
use crate::{
    EntryPoint, Result, TaskPanic,
    codec::{self, Encoded},
};

/// The entry point of a process that calls `target`.
pub(super) fn entry<A, R, F>(target: F) -> EntryPoint
where
    A: DeserializeOwned,
    R: Serialize,
    F: Fn(A) -> R + Copy + Send + 'static,
{
    EntryPoint::new(move |mut inheritance: Inheritance| {
        let line = inheritance.descriptors.pop().expect("the line is the last descriptor");
        run(line, || {
            let arguments = codec::decode(&inheritance.payload, inheritance.descriptors)?;
            // The encoded arguments need not be kept while the target runs.
            drop(inheritance.payload);
            codec::encode(&target(arguments))
        });
    })
}

/// Runs `call`, tells what came of it, and unwinds if it came to nothing.
fn run(line: OwnedFd, call: impl FnOnce() -> Result<Encoded>) {
    // Forked children of this process must not speak on it.
    let line = Line::new(UnixStream::from(line));
    TaskPanic::keep();
    let called = catch_unwind(AssertUnwindSafe(|| {
        match Biography::of_this_process().cores.as_slice() {
            [] => {}
            cores => affinity::pin(cores)?,
        }
        call()
    }));
    let verdict = match called {
        Ok(Ok(value)) => Verdict::Returned(value),
        Ok(Err(error)) => return fail(&line, error.to_string()),
        Err(panic) => {
            let message = TaskPanic::captured().unwrap_or_else(|| message_of(&*panic));
            // A parent that has gone does not listen, and this process is about to be killed.
            let _ = line.say(&Verdict::Panicked(message));
            resume_unwind(panic);
        }
    };
    if let Err(error) = line.say(&verdict) {
        fail(&line, format!("cannot hand over the result: {error}"));
    }
}

/// What was wrong is not the target's doing, which printed nothing.
fn fail(line: &Line, message: String) {
    let _ = writeln!(std::io::stderr(), "multiproc: process {}: {message}", this_process());
    let _ = line.say(&Verdict::Panicked(message));
    resume_unwind(Box::new(()));
}

/// For a target that has set a panic hook of its own.
fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a payload that is not a string")
        .to_owned()
}
