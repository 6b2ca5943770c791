//! Contexts: everything that is started from one is started in one way.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Manager, Process, Result, StartMethod, default_start_method};

/// Makes processes that are started by one method. A program may have several.
///
/// Python ties locks and queues to a context, and refuses those of another.
/// Here a handle has no start method: what was made anywhere can be given to
/// a process that is started in any way.
///
/// ```
/// use multiproc::{Context, StartMethod};
///
/// let spawn = Context::new(StartMethod::Spawn);
/// let mut process = spawn.process(|x: u64| x.pow(3), 19);
/// process.start()?;
/// assert_eq!(process.result()?, 6859);
/// # Ok::<(), multiproc::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    start_method: StartMethod,
}

/// A context whose processes are started by `start_method`; Python's
/// `get_context`.
#[must_use]
pub const fn context(start_method: StartMethod) -> Context {
    Context::new(start_method)
}

impl Context {
    /// A context whose processes are started by `start_method`.
    #[must_use]
    pub const fn new(start_method: StartMethod) -> Self {
        Self { start_method }
    }

    /// How its processes are started.
    #[must_use]
    pub const fn start_method(self) -> StartMethod {
        self.start_method
    }

    /// [`Process::new`], started this context's way.
    pub fn process<A, R, F>(self, target: F, arguments: A) -> Process<R>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        Process::new(target, arguments).start_method(self.start_method)
    }

    /// [`Manager::start`], started this context's way.
    ///
    /// # Errors
    ///
    /// As [`Manager::start`].
    pub fn manager(self) -> Result<Manager> {
        Manager::builder().start_method(self.start_method).start()
    }
}

/// The context of the [default start method](default_start_method) as it is now.
impl Default for Context {
    fn default() -> Self {
        Self::new(default_start_method())
    }
}
