//! Runners as the driver sees them: started, asked, timed from outside, ended.
//!
//! [`Runner`] is one of them; [`launch`] starts its process and [`events`]
//! reads what it says.

mod claim;
mod events;
pub(crate) mod figure;
pub(crate) mod inventory;
mod last_words;
pub(crate) mod launch;
mod tally;

use std::{
    io::{self, Write},
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use harness::{
    Configuration, FailureKind, Input, Job, Placement,
    protocol::{Greeting, PROTOCOL_VERSION, Phase, Reply, Request},
    record::Failure,
};
use serde::de::DeserializeOwned;

use crate::interrupt::{Interrupt, Interrupted};
pub(crate) use claim::Claim;
use events::{Event, Silence};
use launch::Process;
pub(crate) use tally::{Tally, own_cpu};

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// This configuration failed; the sweep goes on without it.
    Failed(Failure),
    /// The user asked the sweep to end.
    Interrupted,
}

impl From<Interrupted> for Trouble {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl Trouble {
    /// A failure that the driver itself found.
    pub(crate) fn failed(kind: FailureKind, phase: Phase, message: String) -> Self {
        Self::Failed(Failure { kind, phase, message })
    }

    /// The same, found while the pool was executing its first task.
    pub(crate) fn in_first_task(self) -> Self {
        match self {
            Self::Failed(failure) => Self::Failed(Failure { phase: Phase::FirstTask, ..failure }),
            Self::Interrupted => self,
        }
    }
}

/// One runner process. Dropping it kills its whole process group.
#[derive(Debug)]
pub(crate) struct Runner {
    process: Process,
    name: String,
    placement: Placement,
    deadline: Duration,
    interrupt: Interrupt,
    input: Option<Input>,
    tally: Tally,
}

/// How often a waiting driver looks whether it was interrupted, and whether the
/// runner is still there.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(50);

/// How long a runner may take to end after it was told to.
const QUIT_GRACE: Duration = Duration::from_secs(2);

/// Lines that are not part of the protocol before a reply is given up on.
const MAX_NOISE: usize = 1_000;

impl Runner {
    /// A runner over a process that was started with this placement, not greeted
    /// yet.
    pub(crate) fn new(
        process: Process,
        configuration: &Configuration,
        placement: Placement,
        deadline: Duration,
        interrupt: Interrupt,
    ) -> Self {
        let (name, tally) = (configuration.to_string(), Tally::default());
        Self { process, name, placement, deadline, interrupt, input: None, tally }
    }

    /// The process, whose id is also that of its group.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Waits for the greeting.
    pub(crate) fn greet(&mut self) -> Result<(), Trouble> {
        let (greeting, _) = self.receive::<Greeting>(Phase::Launch)?;
        if greeting.manyhands == PROTOCOL_VERSION {
            return Ok(());
        }
        let problem = format!(
            "{} speaks version {} of the protocol, the driver {PROTOCOL_VERSION}\nhelp: bring the runner up to date",
            self.name, greeting.manyhands
        );
        Err(Trouble::failed(FailureKind::Protocol, Phase::Launch, problem))
    }

    /// Starts the pool; nanoseconds until every worker had answered.
    pub(crate) fn start(&mut self) -> Result<u64, Trouble> {
        match self.ask(&Request::Start)? {
            (Reply::Started { start_up_ns: ns, placement }, outside)
                if placement == self.placement =>
            {
                self.believed(Claim { ns, outside }, Phase::StartUp)
            }
            (Reply::Started { .. }, _) => Err(self.misplaced()),
            (other, _) => Err(self.unexpected(&other, Phase::StartUp)),
        }
    }

    /// Gives it a job.
    pub(crate) fn load(&mut self, job: Job) -> Result<(), Trouble> {
        match self.ask(&Request::Load { job })? {
            (Reply::Loaded { input }, _) => {
                self.input = input;
                Ok(())
            }
            (other, _) => Err(self.unexpected(&other, Phase::Load)),
        }
    }

    /// Where the array of its last job lies, if it has told.
    pub(crate) fn input(&self) -> Option<Input> {
        self.input
    }

    /// Has it write the input that `nonce` names.
    pub(crate) fn prepare(&mut self, nonce: u64) -> Result<(), Trouble> {
        match self.ask(&Request::Prepare { nonce })? {
            (Reply::Prepared, _) => Ok(()),
            (other, _) => Err(self.unexpected(&other, Phase::Prepare)),
        }
    }

    /// Has it run the job. Whether to believe it the caller decides.
    pub(crate) fn run(&mut self) -> Result<Claim, Trouble> {
        match self.ask(&Request::Run)? {
            (Reply::Ran { wall_ns: ns }, outside) => Ok(Claim { ns, outside }),
            (other, _) => Err(self.unexpected(&other, Phase::Run)),
        }
    }

    /// The checksum of its buffer.
    pub(crate) fn check(&mut self) -> Result<u64, Trouble> {
        match self.ask(&Request::Check)? {
            (Reply::Checked { checksum }, _) => checksum.parse().map_err(|_| {
                let problem = format!("{}: `{checksum}` is not a checksum\nhelp: send the u64 in decimal, as a string", self.name);
                Trouble::failed(FailureKind::Protocol, Phase::Check, problem)
            }),
            (other, _) => Err(self.unexpected(&other, Phase::Check)),
        }
    }

    /// Ends the pool; nanoseconds until every worker was gone.
    pub(crate) fn stop(&mut self) -> Result<u64, Trouble> {
        match self.ask(&Request::Stop)? {
            (Reply::Stopped { shutdown_ns: ns }, outside) => {
                self.believed(Claim { ns, outside }, Phase::Shutdown)
            }
            (other, _) => Err(self.unexpected(&other, Phase::Shutdown)),
        }
    }

    /// What it was at work on since this was asked last.
    pub(crate) fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Tells it to end, without waiting. [`ended`](Self::ended) waits.
    pub(crate) fn quit(&mut self) {
        // A runner that is gone already has done what it is told here.
        let _ = self.send(&Request::Quit);
        self.process.close_input();
    }

    /// Waits a while for the end that [`quit`](Self::quit) asked for; then
    /// dropping kills what is left.
    pub(crate) fn ended(self) {
        self.process.wait(QUIT_GRACE);
    }

    fn ask(&mut self, request: &Request) -> Result<(Reply, Duration), Trouble> {
        let phase = request.phase();
        self.interrupt.check()?;
        let asked = Instant::now();
        let sent = self.send(request);
        let watch = tally::Watch::start(request, asked);
        let received = match sent {
            Ok(()) => self.receive(phase),
            // Whatever the pipe's error says, the cause is that nobody reads.
            Err(_) => Err(self.crashed(phase, None)),
        };
        // Without an answer as well: waiting for it was no time between requests.
        let woken_cpu = self.process.output().woken_cpu();
        watch.stop(woken_cpu, &mut self.tally);
        let (reply, at) = received?;
        match reply {
            Reply::Failed { kind, message } => Err(Trouble::failed(kind, phase, message)),
            reply => Ok((reply, at.saturating_duration_since(asked))),
        }
    }

    /// The claimed time of starting or ending the pool, unless it cannot be true. It
    /// may be much shorter than the request, in which a runner may do other things too.
    fn believed(&self, claim: Claim, phase: Phase) -> Result<u64, Trouble> {
        if !claim.is_too_long() {
            return Ok(claim.ns);
        }
        let problem = format!(
            "{} claims {:?} for its {phase}, which took {:?} from outside\nhelp: time nothing but what is done between the request and the reply, and send nanoseconds",
            self.name,
            claim.time(),
            claim.outside,
        );
        Err(Trouble::failed(FailureKind::ImplausibleTime, phase, problem))
    }

    fn send(&mut self, request: &Request) -> io::Result<()> {
        let mut line = serde_json::to_vec(request).expect("requests are plain data");
        line.push(b'\n');
        let input = self.process.input().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(&line)?;
        input.flush()
    }

    /// The next message, and when it arrived.
    fn receive<T: DeserializeOwned>(&mut self, phase: Phase) -> Result<(T, Instant), Trouble> {
        let until = Instant::now() + self.deadline;
        let mut noise = Noise::default();
        loop {
            self.interrupt.check()?;
            let left = until.saturating_duration_since(Instant::now());
            match next_event(&mut self.process, left.min(INTERRUPT_INTERVAL)) {
                Ok(Event::Line { text, at }) => {
                    return serde_json::from_str(&text)
                        .map(|message| (message, at))
                        .map_err(|_| self.rubbish(phase, &text));
                }
                Ok(Event::Noise(text)) => {
                    noise.add(text);
                    if noise.lines > MAX_NOISE {
                        return Err(self.rubbish(phase, &noise.last));
                    }
                }
                Err(Silence::End) => {
                    return Err(self.crashed(phase, noise.into_last()));
                }
                Err(Silence::StillNothing) if left.is_zero() => {
                    return Err(self.silent(phase, noise.into_last()));
                }
                Err(Silence::StillNothing) => {}
            }
        }
    }

    fn rubbish(&self, phase: Phase, text: &str) -> Trouble {
        let problem = format!(
            "{} said `{}`, which is no {} of the protocol\nhelp: a runner prints one JSON object a line, and only replies",
            self.name,
            shortened(text),
            if phase == Phase::Launch { "greeting" } else { "reply" },
        );
        Trouble::failed(FailureKind::Protocol, phase, problem)
    }

    /// It has taken no notice of `--pin`, or pins unasked: either way it cannot be
    /// compared with the others.
    fn misplaced(&self) -> Trouble {
        let (problem, help) = match self.placement {
            Placement::Pinned => (
                "was started with `--pin` and does not say that its workers are pinned",
                "have it pin them and add \"placement\":\"pinned\" to its reply `started`, or leave `pin` out of the experiment",
            ),
            Placement::Free => (
                "says that its workers are pinned, which it was not asked for",
                "have it pin them only if it is started with `--pin`",
            ),
        };
        let problem = format!("{} {problem}\nhelp: {help}", self.name);
        Trouble::failed(FailureKind::Unsupported, Phase::StartUp, problem)
    }

    fn unexpected(&self, reply: &Reply, phase: Phase) -> Trouble {
        self.rubbish(phase, &format!("{reply:?}"))
    }

    fn silent(&self, phase: Phase, noise: Option<String>) -> Trouble {
        let problem = format!(
            "{} did not answer within {} and was killed{}{}\nhelp: raise `deadline` in the config if it needs longer",
            self.name,
            humantime::format_duration(self.deadline),
            printed(noise),
            self.process.last_words(),
        );
        Trouble::failed(FailureKind::DeadlinePassed, phase, problem)
    }

    fn crashed(&self, phase: Phase, noise: Option<String>) -> Trouble {
        let end = match self.process.wait(QUIT_GRACE) {
            Some(status) => status,
            None => "closed its output without ending".to_owned(),
        };
        let problem = format!(
            "{}: its runner {end}{}{}\nhelp: start the runner by hand to see why",
            self.name,
            printed(noise),
            self.process.last_words(),
        );
        Trouble::failed(FailureKind::RunnerCrashed, phase, problem)
    }
}

/// The next event of `process`, which is waited for no longer than `limit`. One that
/// has ended has nothing more to say, even if a process that it started holds its
/// output open.
fn next_event(process: &mut Process, limit: Duration) -> Result<Event, Silence> {
    match process.output().next(limit) {
        Err(Silence::StillNothing) if process.wait(Duration::ZERO).is_some() => {
            // What it said before it ended, and after the look above.
            process.output().next(Duration::ZERO).map_err(|_| Silence::End)
        }
        event => event,
    }
}

/// Lines that were not part of the protocol since the last request.
#[derive(Default)]
struct Noise {
    lines: usize,
    last: String,
}

impl Noise {
    fn add(&mut self, line: String) {
        self.lines += 1;
        if !line.trim().is_empty() {
            self.last = line;
        }
    }

    fn into_last(self) -> Option<String> {
        (!self.last.is_empty()).then_some(self.last)
    }
}

/// What it printed that was no message.
fn printed(noise: Option<String>) -> String {
    noise.map_or_else(String::new, |text| format!("; it printed `{}`", shortened(&text)))
}

/// Enough of a line to recognise it in a message.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 120;
    let text = text.trim();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A worker count for the environment of foreign runners.
pub(crate) fn workers_variable(workers: NonZeroUsize) -> (&'static str, String) {
    ("MANYHANDS_WORKERS", workers.to_string())
}
