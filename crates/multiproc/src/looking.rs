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
    let (mut spell, mut batch) = (Spell::new(limit), 1);
    loop {
        if let Some(found) = (0..batch).find_map(|_| looks(&mut look)) {
            return Some(found);
        }
        match spell.go_on() {
            Some(Spent::Yielded) => {}
            // The clock costs as much as some looks.
            Some(Spent::Looking) => batch += batch,
            None => return None,
        }
    }
}

/// The same where a look is a system call, beside which the clock costs nothing.
pub(crate) fn ask_for<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let mut spell = Spell::new(limit);
    loop {
        let found = look();
        if found.is_some() || spell.go_on().is_none() {
            return found;
        }
    }
}

/// The time that somebody looks.
struct Spell {
    limit: Duration,
    begun: Instant,
    last_yield: Instant,
}

/// What the time since the last question has gone to.
enum Spent {
    Looking,
    Yielded,
}

impl Spell {
    fn new(limit: Duration) -> Self {
        let begun = Instant::now();
        Self { limit, begun, last_yield: begun }
    }

    /// Gives way if it is time for that; `None` if it is over.
    fn go_on(&mut self) -> Option<Spent> {
        let now = Instant::now();
        if now - self.begun >= self.limit {
            return None;
        }
        if now - self.last_yield < BETWEEN_YIELDS {
            return Some(Spent::Looking);
        }
        thread::yield_now();
        self.last_yield = now;
        Some(Spent::Yielded)
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// How often it is looked, in vain, for a millisecond, if a look takes that
    /// long.
    fn looks_in_vain(by: fn(Duration, &mut dyn FnMut() -> Option<()>) -> Option<()>) -> u32 {
        const A_WHILE: Duration = Duration::from_millis(1);
        let mut looks = 0;
        let found = by(A_WHILE, &mut || {
            looks += 1;
            thread::sleep(A_WHILE);
            None
        });
        assert_eq!(found, None);
        looks
    }

    #[test]
    fn the_clock_is_looked_at_after_every_look_that_takes_long_itself() {
        assert_eq!(looks_in_vain(|limit, look| ask_for(limit, look)), 1);
        // Not where the clock would cost as much.
        assert_eq!(looks_in_vain(|limit, look| look_for(limit, look)), 8 * (UNTIMED + 1));
    }

    #[test]
    fn what_is_there_is_found_and_what_comes_is_too() {
        assert_eq!(ask_for(Duration::ZERO, || Some(1)), Some(1));
        let mut looks = 0;
        let mut third = || {
            looks += 1;
            (looks == 3).then_some(looks)
        };
        assert_eq!(ask_for(Duration::MAX, &mut third), Some(3));
        looks = 0;
        let mut thousandth = || {
            looks += 1;
            (looks == 1_000).then_some(looks)
        };
        assert_eq!(look_for(Duration::MAX, &mut thousandth), Some(1_000));
    }
}
