//! How near the pools are to what the machine allows.
//!
//! A [`Figure`] is a ratio with a goal: a pool's time against that of the best
//! peer, or of the bare primitive below it. Its contestants are alive at once
//! and called in alternation; the ratio is taken within each round, so that
//! what drifts on the machine cancels. Peers are configured as their experts
//! would: every configuration is tried on this host first, and the fastest is
//! the peer.
//!
//! [`perform`] measures one figure, in a process of its own, and says what it
//! finds in [`Line`]s; a [`Row`] gathers them, and [`table`] shows rows.
#![forbid(unsafe_code)]

mod arrays;
mod bisect;
mod contest;
mod dispatch;
mod figure;
mod goal;
mod idle;
mod kernels;
mod machine;
mod payload;
mod peers;
mod pools;
mod record;
mod row;
mod single_calls;
mod small_jobs;
mod stage;
mod start_up;
mod storm;
mod supervision;
pub mod table;
mod task;
mod trouble;

pub use figure::{FIGURES, Figure, find};
pub use goal::{Bound, Goal, Unit};
pub use peers::python::SCRIPT as PYTHON_SCRIPT;
pub use record::{Line, Round, Sample};
pub use row::{Outcome, Row, Spread};
pub use stage::{Terms, perform};
pub use task::chain;
