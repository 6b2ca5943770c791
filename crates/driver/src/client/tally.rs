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
    /// From when the request was sent until the reply was there.
    pub(crate) at_work: Duration,
    /// The same of requests for what is timed.
    pub(crate) timed: Duration,
    /// Processor time of the driver, all its threads, in that time.
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
    begun: Instant,
    /// Processor time of the driver by then, if what is asked for is timed.
    cpu: Option<Duration>,
}

impl Watch {
    pub(super) fn start(request: &Request) -> Self {
        let is_timed = matches!(request, Request::Start | Request::Run | Request::Stop);
        Self { cpu: is_timed.then(own_cpu), begun: Instant::now() }
    }

    /// The reply is there.
    pub(super) fn stop(self, tally: &mut Tally) {
        let took = self.begun.elapsed();
        tally.at_work += took;
        if let Some(cpu) = self.cpu {
            tally.timed += took;
            tally.timed_cpu += own_cpu().saturating_sub(cpu);
        }
    }
}

/// Processor time of this process so far.
pub(crate) fn own_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
