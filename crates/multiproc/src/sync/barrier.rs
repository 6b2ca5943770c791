//! A place where processes wait for each other.

use std::{
    fmt,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    monitor::{Inside, Monitor},
    parties::{self, Parties},
    phase::WhyBroken,
};
use crate::{Error, Result, process::this_process};

/// A place where a number of parties, threads of any processes, wait for each
/// other again and again.
///
/// Clones are the same barrier, and so is what another process gets that a
/// handle is given to or sent to. If a party cannot come or stay, because it
/// timed out, died, or called [`abort`](Self::abort), the barrier is *broken*:
/// all who wait are told why, and so is who comes later, until somebody
/// [resets](Self::reset) it. The death of a party that had arrived is noticed
/// within 50 ms by those who wait, and by the last one before it goes on; nobody
/// can know of one that has not arrived.
///
/// ```
/// use multiproc::{Barrier, Process};
///
/// let barrier = Barrier::new(2)?;
/// let mut process =
///     Process::new(|barrier: Barrier| drop(barrier.wait().unwrap()), barrier.clone());
/// process.start()?;
/// let place = barrier.wait()?;
/// assert!(place < 2);
/// process.join()?;
/// # Ok::<(), multiproc::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct Barrier {
    pub(super) monitor: Monitor<Parties>,
}

impl Barrier {
    /// A barrier for `parties` parties.
    ///
    /// # Errors
    ///
    /// [`Error::NoParties`] for none, and [`Error::Memory`] if there is no memory
    /// or no descriptor for it.
    pub fn new(parties: u32) -> Result<Self> {
        let parties = NonZeroU32::new(parties).ok_or(Error::NoParties)?;
        Ok(Self { monitor: Monitor::new(|state: &Parties| state.initialise(parties.get()))? })
    }

    /// Waits until all parties have come; returns how many came before this
    /// one, a number from 0 to parties - 1 that is each party's own.
    ///
    /// # Errors
    ///
    /// [`Error::BrokenBarrier`] if the barrier is broken or breaks.
    pub fn wait(&self) -> Result<usize> {
        self.wait_until(None, || ())
    }

    /// The same, but not longer than `timeout`, which breaks the barrier, also
    /// if this party could not even come because another one was stopped
    /// (`SIGSTOP`) in the middle of a call of this barrier's. Where it could not
    /// come because an action still runs, nobody waits for it and nothing breaks.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`], or [`Error::BrokenBarrier`] as for [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<usize> {
        self.wait_until(Instant::now().checked_add(timeout), || ())
    }

    /// The same as [`wait`](Self::wait), and exactly one of the parties, the
    /// one that comes last, executes its `action` before any goes on.
    ///
    /// The action is passed here and not to the constructor, as in Python:
    /// what crosses to another process is a function that captures nothing, and
    /// one that captures nothing can reach nothing that the parties share.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait); also if the party that executes its action
    /// dies or panics.
    pub fn wait_with_action(&self, action: impl FnOnce()) -> Result<usize> {
        self.wait_until(None, action)
    }

    /// The same, but not longer than `timeout`, which breaks the barrier; an
    /// action that has begun is not interrupted.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`], or as for
    /// [`wait_with_action`](Self::wait_with_action).
    pub fn wait_with_action_timeout(
        &self,
        timeout: Duration,
        action: impl FnOnce(),
    ) -> Result<usize> {
        self.wait_until(Instant::now().checked_add(timeout), action)
    }

    /// Makes the barrier as new. Parties that wait get
    /// [`Error::BrokenBarrier`].
    pub fn reset(&self) {
        self.reset_inside(self.monitor.enter());
    }

    /// The same, but waits not longer than `timeout` for a process that was
    /// stopped (`SIGSTOP`) in the middle of a call of this barrier's.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`]; then the barrier is as it was.
    pub fn reset_timeout(&self, timeout: Duration) -> Result<()> {
        let deadline = Instant::now().checked_add(timeout);
        let inside = self.monitor.enter_until(deadline).ok_or(Error::TimedOut)?;
        self.reset_inside(inside);
        Ok(())
    }

    /// Breaks the barrier: parties that wait and parties that come get
    /// [`Error::BrokenBarrier`], until somebody resets it.
    pub fn abort(&self) {
        let why = WhyBroken::Aborted { pid: this_process() as i32 };
        while !self.break_in(self.monitor.state.phase(), why) {}
    }

    /// How many it takes to go on.
    #[must_use]
    pub fn parties(&self) -> usize {
        self.monitor.state.number() as usize
    }

    /// How many wait, at this moment.
    #[must_use]
    pub fn n_waiting(&self) -> usize {
        let phase = self.monitor.state.phase();
        if phase.why_broken().is_some() {
            0
        } else {
            parties::arrived(self.monitor.records(), phase).count()
        }
    }

    /// Whether it is broken.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.why_broken().is_some()
    }

    /// Why it is broken, if it is.
    #[must_use]
    pub fn why_broken(&self) -> Option<WhyBroken> {
        self.monitor.state.phase().why_broken()
    }

    fn reset_inside(&self, inside: Inside<'_, Parties>) {
        inside.state.reset(this_process() as i32, inside.records());
        drop(inside);
        self.monitor.sleepers.notify_all();
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties())
            .field("n_waiting", &self.n_waiting())
            .field("why_broken", &self.why_broken())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{atomic::Ordering::Relaxed, sync::stopped::stopped_after};

    /// A barrier at which one party waits while `then` happens; what it is told.
    fn told_while(then: impl FnOnce(&Barrier)) -> Result<usize> {
        let barrier = Barrier::new(2).unwrap();
        std::thread::scope(|scope| {
            let party = scope.spawn(|| barrier.wait());
            while barrier.n_waiting() == 0 {
                std::thread::yield_now();
            }
            then(&barrier);
            party.join().unwrap()
        })
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn a_reset_that_was_begun_by_who_died_is_finished_by_the_next_one() {
        let told = told_while(|barrier| {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let inside = barrier.monitor.enter();
                    let phase = inside.state.phase();
                    assert!(inside.state.replace(phase, phase.broken(WhyBroken::Reset { pid: 7 })));
                    std::mem::forget(inside);
                });
            });
            assert!(barrier.is_broken());
            let alone = barrier.wait_timeout(Duration::from_millis(1));
            assert!(matches!(alone, Err(Error::TimedOut)), "it is whole, but nobody comes");
        });
        assert!(
            matches!(told, Err(Error::BrokenBarrier { why: WhyBroken::Reset { pid: 7 } })),
            "{told:?}"
        );
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn who_died_before_its_arrival_was_written_has_not_arrived() {
        let told = told_while(|barrier| {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let inside = barrier.monitor.enter();
                    let (_, record) = inside.claim().unwrap();
                    record.note.store(inside.state.phase().generation(), Relaxed);
                    std::mem::forget(inside);
                });
            });
            assert_eq!(barrier.n_waiting(), 1);
            assert_eq!(barrier.wait().unwrap(), 1);
        });
        assert_eq!(told.unwrap(), 0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs processes")]
    fn a_process_stopped_inside_delays_timed_calls_only_as_long_as_they_like() {
        let barrier = Barrier::new(2).unwrap();
        let stopped = stopped_after(barrier.clone(), |barrier: &Barrier| {
            std::mem::forget(barrier.monitor.enter());
        });
        let soon = Duration::from_millis(20);
        assert!(matches!(barrier.reset_timeout(soon), Err(Error::TimedOut)));
        assert!(matches!(barrier.wait_timeout(soon), Err(Error::TimedOut)));
        assert!(matches!(barrier.why_broken(), Some(WhyBroken::TimedOut { .. })));
        drop(stopped);
        barrier.reset_timeout(soon).unwrap();
        assert!(!barrier.is_broken());
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs processes")]
    fn a_process_stopped_inside_does_not_delay_who_breaks_a_barrier() {
        let barrier = Barrier::new(2).unwrap();
        let _stopped = stopped_after(barrier.clone(), |barrier: &Barrier| {
            std::mem::forget(barrier.monitor.enter());
        });
        barrier.abort();
        assert!(matches!(barrier.why_broken(), Some(WhyBroken::Aborted { .. })));
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn who_finds_no_room_until_its_deadline_breaks_nothing() {
        let barrier = Barrier::new(1).unwrap();
        let place = barrier.wait_with_action(|| {
            let late = barrier.wait_timeout(Duration::from_millis(1));
            assert!(matches!(late, Err(Error::TimedOut)), "{late:?}");
        });
        assert_eq!(place.unwrap(), 0);
        assert!(!barrier.is_broken());
    }
}
