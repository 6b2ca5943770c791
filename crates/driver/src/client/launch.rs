//! Starting and ending a runner's process, its group and all.

use std::{
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use harness::{Configuration, FailureKind, Placement, protocol::Phase};
use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, killpg},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::Pid,
};

use super::{Trouble, events::Events, last_words::LastWords, workers_variable};
use crate::config::ExternalRunner;
use limits::Terms;

/// Longest sleep between two looks at whether a process has ended.
const LONGEST_NAP: Duration = Duration::from_millis(5);

/// The running binary, even if the file was replaced since it was started.
const SELF: &str = "/proc/self/exe";

/// A runner's process, which leads a process group of its own: Ctrl-C at the
/// terminal reaches the driver alone, and one kill ends all that it started.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: Events<ChildStdout>,
    last_words: LastWords,
}

/// Starts the process that hosts `configuration`, its workers to be where
/// `placement` says: this binary again, or the command that the config gives for it.
///
/// The process ends with the thread that calls this (parent-death signal), so
/// it has to be one that lives as long as the driver.
///
/// # Errors
///
/// A failure in [`Phase::Launch`] if the process cannot be started.
pub(crate) fn launch(
    configuration: &Configuration,
    placement: Placement,
    external: &[ExternalRunner],
) -> Result<Process, Trouble> {
    let mine = external.iter().find(|runner| runner.strategy() == configuration.strategy);
    let command = match mine {
        Some(runner) => {
            let mut command = warden();
            command.args(&runner.command);
            command
        }
        None => {
            let mut command = this_again();
            command.args(["runner", "--parent", &std::process::id().to_string(), "--backend"]);
            command.arg(&configuration.strategy.backend);
            command
        }
    };
    start_as(command, configuration, placement)
}

/// Starts the process that hosts `configuration` from another driver, with
/// `arguments` besides what every runner is told. It ends as other runners do.
///
/// # Errors
///
/// As for [`launch`].
pub(crate) fn launch_build(
    program: &Path,
    arguments: &[String],
    configuration: &Configuration,
    placement: Placement,
) -> Result<Process, Trouble> {
    let mut command = Command::new(program);
    command.arg0("driver");
    command.args(["runner", "--parent", &std::process::id().to_string(), "--backend"]);
    command.arg(&configuration.strategy.backend).args(arguments);
    start_as(command, configuration, placement)
}

/// Starts `command` as the runner of `configuration`.
fn start_as(
    mut command: Command,
    configuration: &Configuration,
    placement: Placement,
) -> Result<Process, Trouble> {
    if let Some(method) = configuration.strategy.start_method {
        command.args(["--start-method", method.name()]);
    }
    if placement.is_pinned() {
        command.arg("--pin");
    }
    let workers = workers_variable(configuration.workers);
    command.args(["--workers", &workers.1]).env(workers.0, &workers.1);
    Process::start(&mut command).map_err(|cause| {
        let help = help_of_starting(&cause);
        let problem =
            format!("{configuration}: its runner cannot be started: {cause}\nhelp: {help}");
        Trouble::failed(FailureKind::System, Phase::Launch, problem)
    })
}

/// Whether it is the machine or the program that is in the way.
fn help_of_starting(cause: &io::Error) -> &'static str {
    match cause.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EAGAIN | Errno::ENOMEM) => {
            "free some memory or raise the limit on processes (ulimit -u)"
        }
        Some(Errno::EMFILE | Errno::ENFILE) => "raise the limit on open files (ulimit -n)",
        _ => "see that its program is there, for this machine, and that you may execute it",
    }
}

/// Starts the process that measures the figure of the limits called `name`;
/// it ends as other runners do.
///
/// # Errors
///
/// If the process cannot be started.
pub(super) fn launch_figure(name: &str, terms: &Terms) -> io::Result<Process> {
    let mut command = this_again();
    command.args(["limits-runner", name, "--parent", &std::process::id().to_string()]);
    command.args(["--seconds", &terms.time.as_secs_f64().to_string()]);
    if let Some(script) = &terms.python_script {
        command.arg("--python-script").arg(script);
    }
    Process::start(&mut command)
}

/// Starts `program` to list its paths. It may be anything, so a warden is between.
///
/// # Errors
///
/// If the warden cannot be started. It says so itself if `program` cannot.
pub(super) fn launch_inventory(program: &Path) -> io::Result<Process> {
    let mut command = warden();
    command.arg(program).arg("paths");
    Process::start(&mut command)
}

/// This program, to run the command whose words are to follow and end with this process.
fn warden() -> Command {
    let mut command = this_again();
    command.args(["exec", "--parent", &std::process::id().to_string(), "--"]);
    command
}

fn this_again() -> Command {
    let mut command = Command::new(SELF);
    command.arg0("driver");
    command
}

impl Process {
    fn start(command: &mut Command) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0);
        let mut child = command.spawn()?;
        let missing = || io::Error::other("a pipe is missing");
        let output = Events::of(child.stdout.take().ok_or_else(missing)?);
        let last_words = LastWords::listen(child.stderr.take().ok_or_else(missing)?);
        let input = child.stdin.take();
        Ok(Self { child, input, output, last_words })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn input(&mut self) -> Option<&mut ChildStdin> {
        self.input.as_mut()
    }

    pub(super) fn close_input(&mut self) {
        self.input = None;
    }

    pub(super) const fn output(&mut self) -> &mut Events<ChildStdout> {
        &mut self.output
    }

    pub(super) fn last_words(&self) -> String {
        self.last_words.quoted()
    }

    /// Waits up to `grace` for the process to end, and for its last words, and
    /// says how it did.
    ///
    /// It stays unreaped, so that its id cannot be given to a stranger before
    /// its group is killed.
    pub(super) fn wait(&self, grace: Duration) -> Option<String> {
        let until = Instant::now() + grace;
        let status = self.status_until(until)?;
        self.last_words.settle(until.saturating_duration_since(Instant::now()));
        Some(status)
    }

    fn status_until(&self, until: Instant) -> Option<String> {
        let mut nap = Duration::from_micros(100);
        loop {
            match self.look() {
                Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => {}
                Ok(WaitStatus::Exited(_, code)) => {
                    return Some(format!("ended with exit code {code}"));
                }
                Ok(WaitStatus::Signaled(_, signal, _)) => {
                    return Some(format!("was ended by {signal}"));
                }
                Ok(_) | Err(_) => return Some("ended".to_owned()),
            }
            if Instant::now() >= until {
                return None;
            }
            thread::sleep(nap);
            nap = (nap * 2).min(LONGEST_NAP);
        }
    }

    fn look(&self) -> Result<WaitStatus, Errno> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        waitid(Id::Pid(self.group()), flags)
    }

    fn group(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Kills the whole group and reaps its leader.
    fn end(&mut self) -> io::Result<ExitStatus> {
        // The leader is not reaped yet, so the group's id is still its own.
        // An empty group is what this is for.
        let _ = killpg(self.group(), Signal::SIGKILL);
        self.child.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing can be done about a failure here: the process is gone or
        // was never ours.
        let _ = self.end();
    }
}
