//! A crew: the worker processes of one pool, and the watch over them.

use std::time::{Duration, Instant};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout},
    unistd::{SysconfVar, sysconf},
};

use crate::{
    Child, EntryPoint, Error, ExitStatus, Inheritance, PoolConfig, Result, polling::poll_timeout,
    process, process::LAST_BREATH,
};

/// Processors that this process can use: affinity and cgroup quota counted.
#[must_use]
pub fn cpu_count() -> std::num::NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(std::num::NonZeroUsize::MIN)
}

/// Processors of the machine that are online, whether or not this process may
/// use them; see [`cpu_count`].
#[must_use]
pub fn host_cpu_count() -> std::num::NonZeroUsize {
    let online = sysconf(SysconfVar::_NPROCESSORS_ONLN).ok().flatten();
    let online = online.and_then(|count| usize::try_from(count).ok());
    online.and_then(std::num::NonZeroUsize::new).unwrap_or_else(cpu_count)
}

/// The worker processes of one pool. Dropping it kills and reaps them.
#[derive(Debug, Default)]
pub struct Crew {
    members: Vec<Child>,
}

impl Crew {
    /// Starts one process for each of `inheritances`, as `config`
    /// says; all of them run `entry`.
    ///
    /// # Errors
    ///
    /// The first error of `inheritances`, or if a process cannot be started; the
    /// others are ended then.
    pub fn start(
        config: &PoolConfig,
        entry: EntryPoint,
        inheritances: impl IntoIterator<Item = Result<Inheritance>>,
    ) -> Result<Self> {
        let mut crew = Self::default();
        for (index, inheritance) in inheritances.into_iter().enumerate() {
            let name = format!("{}-{index}", config.name);
            let child = process::start(config.start_method, &name, entry, inheritance?)?;
            crew.members.push(child);
        }
        Ok(crew)
    }

    /// Process ids, in the order of the inheritances.
    pub fn pids(&self) -> impl ExactSizeIterator<Item = i32> {
        self.members.iter().map(Child::pid)
    }

    /// Sleeps until one of `fds` is ready or a member ends, or for `timeout`.
    ///
    /// Returns the index of a member that has ended, if there is one. A
    /// descriptor that is ready comes first: what a member said before it
    /// ended counts.
    ///
    /// # Errors
    ///
    /// If the operating system cannot wait.
    pub fn poll<'a>(
        &'a self,
        fds: &mut [PollFd<'a>],
        timeout: Option<Duration>,
    ) -> Result<Option<usize>> {
        let sentinels =
            self.members.iter().map(|child| PollFd::new(child.sentinel(), PollFlags::POLLIN));
        let mut all: Vec<PollFd<'a>> = fds.iter().cloned().chain(sentinels).collect();
        let timeout = timeout.map_or(PollTimeout::NONE, poll_timeout);
        match nix::poll::poll(&mut all, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::errno("wait for workers")(errno)),
        }
        let (ours, sentinels) = all.split_at(fds.len());
        fds.clone_from_slice(ours);
        if ours.iter().any(|fd| fd.any().unwrap_or(false)) {
            return Ok(None);
        }
        Ok(sentinels.iter().position(|fd| fd.any().unwrap_or(false)))
    }

    /// The error that tells how the member at `index`, which has ended or
    /// hung up, did so.
    pub fn death_of(&mut self, index: usize) -> Error {
        let child = &mut self.members[index];
        let pid = child.pid();
        match child.wait(Some(LAST_BREATH)) {
            Ok(Some(status)) => child.death(status),
            Ok(None) => Error::Garbled { pid, what: "it hung up and lives on".to_owned() },
            Err(error) => error,
        }
    }

    /// Kills and reaps every member.
    pub fn kill(&mut self) {
        // First all of them, so that none lives to see the others gone.
        self.members.iter().for_each(Child::kill);
        self.members.clear();
    }

    /// Whether it has no members any more.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Waits until every member, having been told to, has ended by itself;
    /// kills those that have not after `patience`.
    ///
    /// # Errors
    ///
    /// [`Error::WorkerDied`] for the first that did not end with exit code 0.
    pub fn join(&mut self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        let mut outcome = Ok(());
        for mut child in std::mem::take(&mut self.members) {
            let left = deadline.saturating_duration_since(Instant::now());
            let status = match child.wait(Some(left))? {
                Some(status) => status,
                None => {
                    child.kill();
                    child.wait(None)?.unwrap_or(ExitStatus::KILLED)
                }
            };
            if !status.success() && outcome.is_ok() {
                outcome = Err(child.death(status));
            }
        }
        outcome
    }
}
