//! Looking a while before sleeping, as long as that pays.

use std::time::Duration;

use crate::looking::look_for;

/// Whether looking for something before sleeping on it has paid of late.
///
/// To be woken costs some 20 µs if it is from a sleep on another core, so
/// whoever has a core to spare looks for what it waits for first. But where what
/// it waits for takes longer, or waits for this very core, that is time lost:
/// after a look in vain the next waits go without one, twice as many each
/// time, up to 256.
///
/// ```
/// # use std::time::Duration;
/// let mut patience = multiproc::pool::Patience::default();
/// let a_while = Duration::from_micros(50);
/// assert!(patience.look(a_while, || true));
/// assert!(!patience.look(a_while, || false));
/// assert!(!patience.look(a_while, || unreachable!("the last look was in vain")));
/// assert!(patience.look(a_while, || true));
/// ```
#[derive(Debug, Default)]
pub struct Patience {
    /// Waits to go without a look.
    without: u32,
    /// How many they were the last time.
    last: u32,
}

/// Most waits without a look: one look in so many costs next to nothing.
const MOST_WITHOUT: u32 = 256;

impl Patience {
    /// Looks for so long until it `is_there`; whether it is. Or does not look
    /// at all.
    pub fn look(&mut self, limit: Duration, mut is_there: impl FnMut() -> bool) -> bool {
        if self.without > 0 || limit.is_zero() {
            self.without = self.without.saturating_sub(1);
            return false;
        }
        let is_there = look_for(limit, || is_there().then_some(())).is_some();
        self.last = if is_there { 0 } else { (2 * self.last).clamp(1, MOST_WITHOUT) };
        self.without = self.last;
        is_there
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Waits without a look until there is one.
    fn waits_without(patience: &mut Patience, is_there: bool) -> u32 {
        let mut has_looked = false;
        let mut waits = 0;
        loop {
            patience.look(Duration::from_nanos(1), || {
                has_looked = true;
                is_there
            });
            if has_looked {
                return waits;
            }
            waits += 1;
        }
    }

    #[test]
    fn looks_in_vain_become_rare() {
        let mut patience = Patience::default();
        let waits: Vec<u32> = (0..11).map(|_| waits_without(&mut patience, false)).collect();
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 256]);
    }

    #[test]
    fn a_look_that_pays_is_followed_by_others() {
        let mut patience = Patience::default();
        for _ in 0..5 {
            waits_without(&mut patience, false);
        }
        assert_eq!(waits_without(&mut patience, true), 16);
        assert_eq!(waits_without(&mut patience, true), 0);
        assert_eq!(waits_without(&mut patience, false), 0);
        assert_eq!(waits_without(&mut patience, false), 1);
    }
}
