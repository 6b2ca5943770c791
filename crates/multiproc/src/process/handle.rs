//! A process that runs a function, as its parent holds it.

use std::{marker::PhantomData, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::{Child, Inheritance, start};
use crate::{EntryPoint, Result, StartMethod, codec};

type EncodeArguments = Box<dyn FnOnce() -> Result<codec::Encoded> + Send>;

/// A process that calls a function with arguments of its own.
pub struct Process<R = ()> {
    start_method: StartMethod,
    name: String,
    entry: EntryPoint,
    arguments: Option<EncodeArguments>,
    child: Option<Child>,
    result: PhantomData<fn() -> R>,
}

impl<R: Serialize + DeserializeOwned> Process<R> {
    /// A process that will call `target` with `arguments`.
    pub fn new<A, F>(target: F, arguments: A) -> Self
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        Self {
            start_method: StartMethod::default(),
            name: "Process".to_owned(),
            entry: EntryPoint::new(move |inheritance: Inheritance| {
                let arguments = codec::decode(&inheritance.payload, inheritance.descriptors);
                target(arguments.unwrap_or_else(|error| panic!("{error}")));
            }),
            arguments: Some(Box::new(move || codec::encode(&arguments))),
            child: None,
            result: PhantomData,
        }
    }

    /// How it is to be started.
    #[must_use]
    pub fn start_method(self, start_method: StartMethod) -> Self {
        Self { start_method, ..self }
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// If the arguments cannot be encoded or the operating system refuses.
    pub fn start(&mut self) -> Result<()> {
        let encode = self.arguments.take().expect("a process is started once");
        let encoded = encode()?;
        let inheritance = Inheritance { payload: encoded.bytes, descriptors: encoded.descriptors };
        self.child = Some(start(self.start_method, &self.name, self.entry, inheritance)?);
        Ok(())
    }

    /// Waits until it ends; its exit code.
    ///
    /// # Errors
    ///
    /// If the exit status cannot be had.
    pub fn join(&mut self) -> Result<()> {
        self.join_timeout(Duration::MAX).map(drop)
    }

    /// The same for at most `timeout`; whether it has ended.
    ///
    /// # Errors
    ///
    /// If the exit status cannot be had.
    pub fn join_timeout(&mut self, timeout: Duration) -> Result<bool> {
        let child = self.child.as_mut().expect("a process is started before it is joined");
        Ok(child.wait(Some(timeout))?.is_some())
    }

    /// The exit code, or the negative number of the signal that ended it;
    /// `None` if it still runs.
    pub fn exit_code(&mut self) -> Option<i32> {
        let status = self.child.as_mut()?.wait(Some(Duration::ZERO)).ok().flatten();
        status.map(|status| status.code)
    }

    /// Its process id, once it was started.
    pub fn pid(&self) -> Option<i32> {
        self.child.as_ref().map(Child::pid)
    }

    /// Kills it with `SIGKILL`.
    pub fn kill(&self) {
        if let Some(child) = &self.child {
            child.kill();
        }
    }
}
