//! What a pool is asked for.

use std::{any::Any, num::NonZeroUsize, time::Duration};

use crate::pool::{frame::JobHeader, work::Work};

/// What the tasks of a job have in common.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Function {
    pub(crate) header: JobHeader,
    pub(crate) context: Vec<u8>,
}

/// How a job's tasks are to be treated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    /// Tasks that a worker is given at a time; otherwise learned.
    pub(crate) chunk_len: Option<NonZeroUsize>,
    /// How often a task is begun again whose worker died while it ran.
    pub(crate) retries: u32,
    /// Whether a task must not be begun again even if nobody knows whether it
    /// was begun before.
    pub(crate) at_most_once: bool,
    pub(crate) soft_deadline: Option<Duration>,
    pub(crate) hard_deadline: Option<Duration>,
}

impl Policy {
    pub(crate) fn is_timed(&self) -> bool {
        self.soft_deadline.is_some() || self.hard_deadline.is_some()
    }
}

/// A job to be entered.
pub(crate) struct Order {
    pub(crate) function: Function,
    pub(crate) policy: Policy,
    pub(crate) work: Box<dyn Work>,
    pub(crate) count: u64,
    /// More tasks will be [added](super::Jobs::add).
    pub(crate) is_open: bool,
    /// Turns the work into what its callbacks get to see.
    pub(crate) conclude: fn(Box<dyn Work>) -> Box<dyn Any + Send>,
}

/// As what it was entered.
pub(crate) fn own<W: Work>(work: Box<dyn Work>) -> Box<W> {
    let work: Box<dyn Any> = work;
    work.downcast().expect("the work that was entered")
}
