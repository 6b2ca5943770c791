//! Looking for something all the time, by those who have a core to spare.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Whoever looks gives way now and then: what it waits for may be waiting for
/// this very core, where the system likes to put those who are woken.
const BETWEEN_YIELDS: Duration = Duration::from_micros(5);

/// Batches of looks before the first look at the clock, which takes as long as
/// one: what another core does at once is there after some 0.3 µs.
const UNTIMED: u32 = 4;

/// Looks until there is something, for so long.
#[inline]
pub(crate) fn look_for<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    if limit.is_zero() {
        return None;
    }
    match (0..UNTIMED).find_map(|_| looks(&mut look)) {
        None => look_on(limit, look),
        found => found,
    }
}

#[cold]
fn look_on<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    let (mut last_yield, mut batch) = (begun, 1);
    loop {
        if let Some(found) = (0..batch).find_map(|_| looks(&mut look)) {
            return Some(found);
        }
        let now = Instant::now();
        if now - begun >= limit {
            return None;
        }
        if now - last_yield >= BETWEEN_YIELDS {
            thread::yield_now();
            last_yield = now;
        } else {
            // The clock costs as much as some looks.
            batch += batch;
        }
    }
}

/// Pauses, then looks some times, until there is something. A pause takes some
/// 50 ns on many processors, half as long as a hand-over between cores: whoever
/// pauses before every look notices late.
#[inline]
fn looks<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    std::hint::spin_loop();
    (0..8).find_map(|_| look())
}
