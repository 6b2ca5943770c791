//! The floor below a call: a number handed to another thread on the other core
//! and back, by spinning or by futexes.

use std::{
    hint::spin_loop,
    sync::atomic::{
        AtomicU32,
        Ordering::{Acquire, Release},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::thread::futex;

use crate::{
    contest::nanoseconds,
    machine::{WORKERS, pin, two_cores},
    trouble::Result,
};

/// How a thread waits for the other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    Spinning,
    Sleeping,
}

/// A word on cache lines of its own: two, since neighbours are fetched together.
#[derive(Default)]
#[repr(align(128))]
struct Word(AtomicU32);

/// Ends the thread that answers.
const END: u32 = u32::MAX;

impl Word {
    /// Pairs with the Acquire load in `wait_for_change`: whoever sees the
    /// number also sees what was written before.
    fn set(&self, value: u32, wait: Wait) -> Result<()> {
        self.0.store(value, Release);
        if let Wait::Sleeping = wait {
            futex::wake(&self.0, futex::Flags::PRIVATE, 1).map_err(std::io::Error::from)?;
        }
        Ok(())
    }

    /// The value, once it is not `old` any more. Pairs with the Release store
    /// in `set`.
    fn wait_for_change(&self, old: u32, wait: Wait) -> u32 {
        loop {
            match self.0.load(Acquire) {
                value if value != old => return value,
                _ => match wait {
                    Wait::Spinning => spin_loop(),
                    // Interrupted, or changed meanwhile: the load will tell.
                    Wait::Sleeping => drop(futex::wait(&self.0, futex::Flags::PRIVATE, old, None)),
                },
            }
        }
    }
}

/// Nanoseconds of one of `count` round trips between two threads that are
/// pinned to two cores, both started for it. `pause` lies before each and is
/// not counted.
pub(crate) fn round_trip(wait: Wait, count: usize, pause: Option<Duration>) -> Result<f64> {
    let cores = two_cores()?;
    let [ping, pong] = <[Word; WORKERS]>::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(cores[1]);
            let mut seen = 0;
            while seen != END {
                seen = ping.wait_for_change(seen, wait);
                pong.set(seen, wait)?;
            }
            Ok::<_, crate::trouble::Trouble>(())
        });
        let asking = scope.spawn(|| {
            pin(cores[0]);
            let took = ask(&ping, &pong, wait, count, pause);
            ping.set(END, wait)?;
            took
        });
        asking.join().expect("it does not panic")
    })
}

fn ask(ping: &Word, pong: &Word, wait: Wait, count: usize, pause: Option<Duration>) -> Result<f64> {
    let trip = |number: u32| {
        ping.set(number + 1, wait)?;
        assert_eq!(pong.wait_for_change(number, wait), number + 1);
        Ok::<_, crate::trouble::Trouble>(())
    };
    // Both threads are there.
    trip(0)?;
    let mut time = Duration::ZERO;
    match pause {
        None => {
            let begun = Instant::now();
            (1..=count as u32).try_for_each(trip)?;
            time += begun.elapsed();
        }
        Some(pause) => {
            for number in 1..=count as u32 {
                thread::sleep(pause);
                let begun = Instant::now();
                trip(number)?;
                time += begun.elapsed();
            }
        }
    }
    Ok(nanoseconds(time) / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_however_one_waits() {
        if two_cores().is_err() {
            return;
        }
        for wait in [Wait::Spinning, Wait::Sleeping] {
            let took = round_trip(wait, 100, None).expect("futexes work");
            assert!(took > 0.0, "{wait:?}");
        }
    }
}
