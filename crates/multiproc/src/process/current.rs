//! Who am I, and who started me?

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::{Biography, supervised::open_pidfd, this_process};
use crate::{
    Error, ParentEnd, Result,
    polling::{deadline, is_readable_by},
};

/// This process, as it knows itself; from [`current_process`].
#[derive(Clone, Debug)]
pub struct CurrentProcess {
    biography: Arc<Biography>,
}

/// This process.
///
/// ```
/// let this = multiproc::current_process();
/// assert_eq!(this.name(), "MainProcess");
/// assert_eq!(this.pid(), std::process::id() as i32);
/// assert!(!this.is_daemon());
/// ```
#[must_use]
pub fn current_process() -> CurrentProcess {
    CurrentProcess { biography: Biography::of_this_process() }
}

impl CurrentProcess {
    /// `MainProcess`, or the name that it was given by its parent.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.biography.name
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        this_process() as i32
    }

    /// Whether it is ended, and not waited for, when its parent exits.
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.biography.is_daemon
    }
}

/// The process that started this one; from [`parent_process`].
#[derive(Debug)]
pub struct ParentProcess {
    biography: Arc<Biography>,
    pidfd: OnceLock<ParentEnd<OwnedFd>>,
}

/// The process that started this one; `None` in the main process.
///
/// Under [`StartMethod::ForkServer`](crate::StartMethod::ForkServer) that is
/// the one that called `start`, not the server.
#[must_use]
pub fn parent_process() -> Option<ParentProcess> {
    let biography = Biography::of_this_process();
    (!biography.is_of_main()).then(|| ParentProcess { biography, pidfd: OnceLock::new() })
}

impl ParentProcess {
    /// Its name.
    #[must_use]
    #[expect(clippy::misnamed_getters, reason = "the biography is the child's")]
    pub fn name(&self) -> &str {
        &self.biography.parent_name
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.biography.parent_pid
    }

    /// Whether it runs. It hardly ever does not: this process is killed when
    /// its parent ends. If there is no descriptor left to look with, it does.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match self.join_timeout(Duration::ZERO) {
            Ok(has_ended) => !has_ended,
            Err(Error::System { source, .. }) => source.raw_os_error() != Some(libc::ESRCH),
            Err(_) => true,
        }
    }

    /// A descriptor that is readable once it has ended.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left, or it has ended and is gone.
    pub fn sentinel(&self) -> Result<BorrowedFd<'_>> {
        if self.pidfd.get().is_none() {
            // Its number is not another's: this process has not been killed,
            // as it is when its parent ends.
            let pidfd = open_pidfd(self.pid()).map_err(Error::system("watch the parent"))?;
            let _ = self.pidfd.set(ParentEnd::new(pidfd));
        }
        Ok(self.pidfd.get().expect("set above").as_fd())
    }

    /// Waits for its end for at most `timeout`; whether it has ended.
    ///
    /// # Errors
    ///
    /// If the operating system cannot wait.
    pub fn join_timeout(&self, timeout: Duration) -> Result<bool> {
        is_readable_by(self.sentinel()?, deadline(timeout))
            .map_err(Error::errno("wait for the parent"))
    }
}
