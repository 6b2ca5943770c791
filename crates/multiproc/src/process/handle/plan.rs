//! What is said of a process before its start, and the start.

use std::{sync::Arc, time::Duration};

use super::{Process, State};
use crate::{
    EntryPoint, Error, Result, StartMethod,
    process::{
        Biography, Inheritance, Order, affinity, launch,
        registry::{self, Started},
    },
    start_method,
};

/// What was said before the start.
pub(super) struct Plan {
    pub(super) number: u64,
    pub(super) name: String,
    pub(super) is_daemon: bool,
    pub(super) start_method: Option<StartMethod>,
    pub(super) cores: Vec<usize>,
    pub(super) patience: Duration,
    pub(super) entry: EntryPoint,
}

/// Before the start.
impl<R> Process<R> {
    /// Its name, which `ps` and `top` show the first 15 bytes of. If none is
    /// given it is `Process-1` for the first process that this one makes,
    /// `Process-1:2` for the second that that one makes, and so on.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.plan.name = name.into();
        self
    }

    /// Whether it is to be killed, and not waited for, when this process exits.
    /// If this is not said it is as this process is. Unlike in Python, a
    /// daemon may have children; they end with it.
    #[must_use]
    pub fn daemon(mut self, is_daemon: bool) -> Self {
        self.plan.is_daemon = is_daemon;
        self
    }

    /// How it is to be started; otherwise by the
    /// [default](crate::default_start_method).
    #[must_use]
    pub fn start_method(mut self, start_method: StartMethod) -> Self {
        self.plan.start_method = Some(start_method);
        self
    }

    /// Pins it to these cores, numbered as in `/proc/cpuinfo`, before its
    /// function is called.
    #[must_use]
    pub fn pin_to(mut self, cores: &[usize]) -> Self {
        self.plan.cores = cores.to_vec();
        self
    }

    /// How long it may take from its start until it begins in
    /// [`init`](crate::init), 30 s if this is not said; otherwise it is killed
    /// ([`Error::NeverBegan`]). Forked processes begin at once.
    #[must_use]
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.plan.patience = timeout;
        self
    }

    /// Starts it.
    ///
    /// Arguments of more than some 200 kB are read while it begins, and waited
    /// for as long as that may take.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyStarted`] the second time; [`Error::ProcessClosed`];
    /// [`Error::Encode`] if the
    /// arguments cannot cross; [`Error::CoresNotAvailable`];
    /// [`Error::ForkWithThreads`]; [`Error::InitNotReached`]; [`Error::Start`]
    /// if the operating system refuses; [`Error::NeverBegan`] if nobody reads the
    /// arguments. Nothing is left then, and it can be
    /// tried again.
    pub fn start(&mut self) -> Result<()> {
        let encode = match &self.state {
            State::New(encode) => encode,
            State::Closed => return Err(Error::ProcessClosed { name: self.plan.name.clone() }),
            _ => return Err(Error::AlreadyStarted { name: self.plan.name.clone() }),
        };
        registry::reap_forsaken();
        let plan = &self.plan;
        if !plan.cores.is_empty() {
            affinity::check(&plan.cores)?;
        }
        let method = plan.start_method.unwrap_or_else(start_method::settle_default);
        let encoded = encode()?;
        let inheritance = Inheritance { payload: encoded.bytes, descriptors: encoded.descriptors };
        let process = launch(
            method,
            Order {
                biography: plan.biography(method),
                entry: plan.entry,
                inheritance,
                has_line: true,
                patience: plan.patience,
            },
        )?;
        let started = Started { number: plan.number, is_daemon: plan.is_daemon, process };
        let started = Arc::new(started);
        registry::add(&started);
        self.state = State::Started(started);
        Ok(())
    }
}

impl Plan {
    fn biography(&self, method: StartMethod) -> Biography {
        let this = Biography::of_this_process();
        Biography {
            lineage: this.lineage_of_child(self.number),
            is_daemon: self.is_daemon,
            cores: self.cores.clone(),
            ..Biography::of_child(&self.name, method)
        }
    }
}
