//! What every strategy implements, and the runner that hosts one behind a
//! JSON-lines protocol.
//!
//! - [`Job`]: what is computed. [`Configuration`]: by whom.
//! - [`Backend`] and [`Running`]: what a strategy implements.
//! - [`runner`]: the loop that hosts one backend in a process of its own and
//!   speaks [`protocol`] on standard input and output.
//! - [`record`]: what a sweep writes down. The format is all that the driver
//!   shares with its runners and the report with the driver.
#![forbid(unsafe_code)]

pub mod backend;
pub mod configuration;
pub mod environment;
pub mod job;
pub mod placement;
pub mod protocol;
pub mod record;
pub mod runner;

pub use backend::{Backend, BackendError, FailureKind, Input, Loaded, Running};
pub use configuration::{Configuration, StartMethod, Strategy};
pub use job::Job;
pub use placement::{Lent, Placement, Seats};
pub use workloads::{self, Workload};
