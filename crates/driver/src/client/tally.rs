//! What runners are at work on, and what the driver itself uses meanwhile.

use std::{
    ops::AddAssign,
    time::{Duration, Instant},
};

use harness::protocol::Request;
use nix::time::{ClockId, clock_gettime};

/// Sums over requests.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// From when a request was to be sent until the reply was there, or none would come.
    pub(crate) at_work: Duration,
    /// The same of requests for what is timed.
    pub(crate) timed: Duration,
    /// Processor time of the driver, all its threads, from when the request had been sent
    /// until it had been woken for the reply.
    pub(crate) timed_cpu: Duration,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.at_work += other.at_work;
        self.timed += other.timed;
        self.timed_cpu += other.timed_cpu;
    }
}

/// One request under way.
pub(super) struct Watch {
    /// Before the request was sent: the runner may take the driver's core from it
    /// while it is sending.
    asked: Instant,
    /// Processor time of the driver when it had been sent, if what is asked for is timed.
    cpu: Option<Duration>,
}

impl Watch {
    /// The request, begun when it was `asked`, has been sent.
    pub(super) fn start(request: &Request, asked: Instant) -> Self {
        let is_timed = matches!(request, Request::Start | Request::Run | Request::Stop);
        Self { asked, cpu: is_timed.then(own_cpu) }
    }

    /// The reply is there, which the driver was woken for at this processor time of its
    /// own, or will not come.
    pub(super) fn stop(self, woken_cpu: Duration, tally: &mut Tally) {
        let took = self.asked.elapsed();
        tally.at_work += took;
        if let Some(cpu) = self.cpu {
            tally.timed += took;
            tally.timed_cpu += woken_cpu.saturating_sub(cpu);
        }
    }
}

/// Processor time of this process so far.
pub(crate) fn own_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
