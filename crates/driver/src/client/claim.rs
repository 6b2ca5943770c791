//! A time that a runner has taken of itself.

use std::time::Duration;

/// By how much two clocks may disagree: a runner in another language may time
/// by one that is being slewed (up to 500 ppm) and reads in microseconds.
const CLOCK_SLACK: Duration = Duration::from_micros(100);

/// A time as both sides saw it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// What the runner says it took.
    pub(crate) ns: u64,
    /// From the request to the reply, by the driver's clock.
    pub(crate) outside: Duration,
}

impl Claim {
    /// What the runner says it took.
    pub(crate) const fn time(self) -> Duration {
        Duration::from_nanos(self.ns)
    }

    /// Whether it exceeds the request, within which what was timed lies.
    pub(crate) fn is_too_long(self) -> bool {
        self.time() > self.outside + self.outside / 1000 + CLOCK_SLACK
    }
}
