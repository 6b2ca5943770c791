//! Looking a few times before sleeping.
//!
//! To be woken by another core takes some 30 to 45 µs, to see a word that
//! another core has written a tenth of one. So a waiter looks again and again
//! for about as long as a wake-up would take, which at worst doubles what the
//! wait costs (Karlin et al., "Competitive randomized algorithms for
//! nonuniform problems", 1990) – if there is a core to do so, and if it has
//! paid lately: a thread that slept all the same soon looks only a few times.

use std::{cell::Cell, sync::OnceLock};

use crate::cpu_count;

/// Some 20 to 40 µs, for a pause is 20 to 40 ns on the machines of today.
const MOST: u32 = 1000;

/// Costs less than the system call that follows.
const LEAST: u32 = 8;

/// One in so many waits spins as long as it may, to find out whether that
/// pays again.
const PROBE_EVERY: u32 = 32;

thread_local! {
    /// How often this thread looks before it sleeps, and its count of waits.
    static HABIT: Cell<(u32, u32)> = const { Cell::new((MOST / 4, 0)) };
}

/// Looks until `attempt` gives something, for as long as that makes sense.
pub(crate) fn spin<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    if !another_core_can_help() {
        return None;
    }
    let (limit, waits) = HABIT.get();
    let probes = waits.is_multiple_of(PROBE_EVERY);
    let rounds = if probes { MOST } else { limit };
    for round in 0..rounds {
        std::hint::spin_loop();
        if let Some(value) = attempt() {
            // Twice what was needed now, approached slowly.
            let aim = (2 * round + LEAST).min(MOST);
            HABIT.set((limit - limit / 8 + aim.div_ceil(8), waits.wrapping_add(1)));
            return Some(value);
        }
    }
    HABIT.set(((limit / 2).max(LEAST), waits.wrapping_add(1)));
    None
}

/// Asked once: the answer takes the kernel longer than a wait may.
fn another_core_can_help() -> bool {
    static SEVERAL_CORES: OnceLock<bool> = OnceLock::new();
    // A model tries every order of events; looking twice adds none.
    !cfg!(loom) && *SEVERAL_CORES.get_or_init(|| cpu_count().get() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_while_it_looks_is_returned() {
        let mut looks = 0;
        let found = spin(|| {
            looks += 1;
            (looks == 5).then_some("here")
        });
        assert_eq!(found, another_core_can_help().then_some("here"));
    }

    #[test]
    fn a_thread_that_waits_in_vain_soon_looks_a_few_times_only() {
        let looks = |rounds: u32| {
            (0..rounds).fold(0, |_, _| {
                let mut looks = 0;
                assert_eq!(
                    spin(|| {
                        looks += 1;
                        None::<()>
                    }),
                    None
                );
                looks
            })
        };
        if another_core_can_help() {
            assert!(looks(1) > LEAST);
            assert_eq!(looks(PROBE_EVERY - 2), LEAST);
        }
    }
}
