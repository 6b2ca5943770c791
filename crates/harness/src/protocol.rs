//! The protocol between the driver and its runners: one JSON object a line,
//! requests on the runner's standard input, replies on its standard output.
//!
//! A runner greets with [`Greeting`] unasked. After that every [`Request`]
//! gets exactly one [`Reply`]. End of file on standard input means
//! [`Request::Quit`]. The runner moves its real standard output out of the
//! way first, so that whatever hosted code prints goes to standard error; a
//! driver ignores lines that are not JSON objects all the same.
//!
//! ```text
//! runner  {"manyhands":1,"pid":4711}
//! driver  {"request":"start"}
//! runner  {"reply":"started","start_up_ns":412000}
//! driver  {"request":"load","job":{"workload":"square","tasks":64,"task_size":4096}}
//! runner  {"reply":"loaded","input":"born-shared"}
//! driver  {"request":"prepare","nonce":17}
//! runner  {"reply":"prepared"}
//! driver  {"request":"run"}
//! runner  {"reply":"ran","wall_ns":81234}
//! driver  {"request":"check"}
//! runner  {"reply":"checked","checksum":"9231273123"}
//! driver  {"request":"stop"}
//! runner  {"reply":"stopped","shutdown_ns":90000}
//! driver  {"request":"quit"}
//! ```
//!
//! `run` is a request of its own so that the driver can hold the claimed time
//! against its own clock, and `check` returns a checksum, not a verdict, so
//! that the driver judges the answer. The checksum is a decimal string: JSON
//! numbers lose precision above 2⁵³ in many languages.

use serde::{Deserialize, Serialize};

use crate::{
    Job, Placement,
    backend::{FailureKind, Input},
};

/// Version of the protocol; it changes when an old peer would misunderstand.
pub const PROTOCOL_VERSION: u32 = 1;

/// The first line of a runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// [`PROTOCOL_VERSION`] of the runner.
    pub manyhands: u32,
    /// The runner's process.
    pub pid: u32,
}

/// What the driver asks of a runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// Start every worker.
    Start,
    /// Allocate the buffer of a job.
    Load {
        /// The job of the following runs.
        job: Job,
    },
    /// Write the input of `nonce` into the buffer.
    Prepare {
        /// Names the input; no two runs of a runner share one.
        nonce: u64,
    },
    /// Execute the job once, timed.
    Run,
    /// Compute the checksum of the buffer.
    Check,
    /// End every worker. The runner stays and may be asked to start again.
    Stop,
    /// End.
    Quit,
}

impl Request {
    /// The phase that a failure of this request belongs to.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self {
            Self::Start => Phase::StartUp,
            Self::Load { .. } => Phase::Load,
            Self::Prepare { .. } => Phase::Prepare,
            Self::Run => Phase::Run,
            Self::Check => Phase::Check,
            Self::Stop | Self::Quit => Phase::Shutdown,
        }
    }
}

/// What a runner answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// To [`Request::Start`].
    Started {
        /// Until every worker had answered.
        start_up_ns: u64,
        /// Where its workers run. A runner that was started with `--pin` says
        /// `"placement":"pinned"` here once each of them is.
        #[serde(default, skip_serializing_if = "Placement::is_free")]
        placement: Placement,
    },
    /// To [`Request::Load`].
    Loaded {
        /// Where the buffer lies; reports of a runner that does not tell do not
        /// either.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<Input>,
    },
    /// To [`Request::Prepare`].
    Prepared,
    /// To [`Request::Run`].
    Ran {
        /// From "here is the job" to "every result can be read".
        wall_ns: u64,
    },
    /// To [`Request::Check`].
    Checked {
        /// [`workloads::checksum`] of the whole buffer, in decimal.
        checksum: String,
    },
    /// To [`Request::Stop`].
    Stopped {
        /// Until every worker was gone.
        shutdown_ns: u64,
    },
    /// To any request. What was started is stopped.
    Failed {
        /// For programs.
        kind: FailureKind,
        /// For people.
        message: String,
    },
}

/// A part of a configuration's life that is timed or can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Starting the runner process, before any backend is involved.
    Launch,
    /// Until every worker has answered.
    StartUp,
    /// Allocating a job's buffer.
    Load,
    /// Writing the input.
    Prepare,
    /// The first task that a fresh pool executes.
    FirstTask,
    /// A warm run.
    Run,
    /// Comparing the answer.
    Check,
    /// Until every worker is gone.
    Shutdown,
}

impl Phase {
    /// The name in tables and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::StartUp => "start-up",
            Self::Load => "load",
            Self::Prepare => "prepare",
            Self::FirstTask => "first task",
            Self::Run => "run",
            Self::Check => "check",
            Self::Shutdown => "shutdown",
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
