//! Bulk jobs that the caller works on too.

use std::time::{Duration, Instant};

use super::{claims::Claims, halls::Hall, participations::Participations};
use crate::{
    Error, SharedMemoryRings, TaskPanic, Token,
    pool::{Builder, Call, Posted},
    process::step_aside,
};

impl Builder<SharedMemoryRings> {
    /// Whether the thread that calls
    /// [`Pool::for_each_chunk`](crate::pool::Pool::for_each_chunk) or
    /// [`Pool::map_chunks`](crate::pool::Pool::map_chunks) executes chunks too, in the
    /// place of one worker: of n workers, n - 1 and the caller then work on the
    /// arrays. A small job costs no wake-up then, and a job of some microseconds
    /// is done sooner by two cores than by one.
    ///
    /// Off by default, since it is the caller's process that a chunk brings down
    /// which aborts, exits or overflows its stack there; only a panic is that
    /// chunk's error as always. Calls with deadlines are never helped with.
    pub fn caller_helps(self, helps: bool) -> Self {
        self.set_caller_helps(helps)
    }
}

/// What is known of jobs that the caller has helped with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// What the chunks of the last job were: their task, and their bytes.
    kind: (Token, usize),
    /// How long one took.
    chunk_ps: u64,
    /// When that job ended.
    ended: Option<Instant>,
    /// What jobs took that followed closely upon each other and found all
    /// workers asleep.
    alone: Duration,
    /// Jobs since.
    unnoted: u32,
}

/// So many jobs of one kind in a row that workers took part in unasked go without
/// a look at the clock at their ends: it costs as much as some of what is told from
/// it, which is whether to wake somebody. Those that somebody was woken for are
/// noted all: the first of a kind often takes longer than those after it, and small
/// ones in a row are counted anew from then on.
const UNNOTED: u32 = 15;

/// Who has worked on a job beside the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Company {
    Nobody,
    /// Workers that were awake.
    Unasked,
    /// They were woken, whether they have come or not.
    Woken,
}

impl Pace {
    /// Whether a job of so many chunks, which begins now, is worth waking
    /// workers for: because it will take long, for all that is known, or
    /// because those before it together have. Then workers that are awake will
    /// be for the next, too. So jobs that come one after the other never cost
    /// more than twice what they would with those workers asleep, or awake, all
    /// the time.
    fn is_worth_waking(&self, kind: (Token, usize), chunks: u32, now: Instant) -> bool {
        let forecast = Duration::from_nanos(self.chunk_ps.saturating_mul(chunks.into()) / 1_000);
        let is_known = self.kind == kind && self.chunk_ps > 0;
        !is_known || forecast > WORTH_WAKING || self.is_close(now) && self.alone > WORTH_WAKING
    }

    /// Whether a worker that was woken for the last job would still be awake.
    fn is_close(&self, now: Instant) -> bool {
        self.ended.is_some_and(|ended| now.duration_since(ended) < WORTH_WAKING)
    }

    /// A job that began then has ended now.
    fn learn(
        &mut self,
        kind: (Token, usize),
        chunks: u32,
        begun: Instant,
        company: Company,
        now: impl FnOnce() -> Instant,
    ) {
        let is_like_the_last = self.kind == kind && company == Company::Unasked;
        if is_like_the_last && self.unnoted < UNNOTED {
            self.unnoted += 1;
            self.alone = Duration::ZERO;
        } else {
            self.note(kind, chunks, [begun, now()], company == Company::Nobody);
        }
    }

    /// A job has lasted from the first to the second of these moments.
    fn note(
        &mut self,
        kind: (Token, usize),
        chunks: u32,
        [begun, ended]: [Instant; 2],
        was_alone: bool,
    ) {
        let elapsed = ended.duration_since(begun);
        let before = if self.is_close(begun) { self.alone } else { Duration::ZERO };
        *self = Self {
            kind,
            chunk_ps: elapsed.as_nanos() as u64 * 1_000 / u64::from(chunks.max(1)),
            ended: Some(ended),
            alone: if was_alone { before + elapsed } else { Duration::ZERO },
            unnoted: 0,
        };
    }
}

/// A sleeper is woken for what takes longer than this: waking it takes half of
/// that, and costs the waker some 6 µs.
const WORTH_WAKING: Duration = Duration::from_micros(50);

/// Tells now and then how long something has taken: the clock costs more than
/// many chunks.
struct Watch {
    begun: Instant,
    /// When it was looked at last.
    last: Duration,
    /// Questions that go without a look, after each look.
    skips: u32,
    left: u32,
}

/// Between two looks at the clock.
const BETWEEN_LOOKS: Duration = Duration::from_micros(10);

impl Watch {
    fn start() -> Self {
        Self { begun: Instant::now(), last: Duration::ZERO, skips: 0, left: 3 }
    }

    /// Whether it has taken longer than `limit`, if it is time for a look.
    fn is_past(&mut self, limit: Duration) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        let now = self.begun.elapsed();
        self.skips = if now - self.last < BETWEEN_LOOKS { 2 * self.skips + 1 } else { 0 };
        (self.last, self.left) = (now, self.skips);
        now > limit
    }
}

/// Executes the job together with the workers, if the caller is to help, and
/// says why the pool has ended meanwhile if it has. The caller is the last
/// participant.
pub(super) fn help(
    call: &Call<'_, SharedMemoryRings>,
    hall: &mut Hall,
    work: Box<Participations>,
) -> Result<(Box<Participations>, Option<Error>), Box<Participations>> {
    let job = work.job();
    let me = job.board.claims().len() - 1;
    if me == 0 || !call.helps() {
        return Err(work);
    }
    let posted = &mut hall.posted;
    call.post_to_many(work, me, job.ticket.bytes(), posted)?;
    TaskPanic::capture_here();
    let kind = (job.task.token(), job.output.stride);
    let mut watch = Watch::start();
    let mut are_woken = hall.pace.is_worth_waking(kind, job.chunks, watch.begun);
    if are_woken {
        wake(posted);
    }
    let mut goes_on = true;
    while goes_on {
        job.participate_while(me, job.terms().of_the_caller(), &mut || {
            if watch.is_past(WORTH_WAKING) {
                // Longer than was foretold, perhaps.
                if !std::mem::replace(&mut are_woken, true) {
                    wake(posted);
                }
                goes_on = !call.is_called_off();
            }
            goes_on
        });
        call.call_off(posted);
        // If not, somebody has died who had claimed more than it has begun.
        goes_on &= !job.board.claims().iter().all(Claims::is_exhausted);
    }
    let company = match are_woken {
        true => Company::Woken,
        false if posted.iter().any(Posted::was_begun) => Company::Unasked,
        false => Company::Nobody,
    };
    hall.pace.learn(kind, job.chunks, watch.begun, company, Instant::now);
    let has_come = posted.iter().all(Posted::was_begun);
    let ended = call.end(posted);
    posted.clear();
    if are_woken && !has_come {
        // Late, perhaps. Or dead, which nobody would notice who never waits.
        call.look_after_workers();
    }
    Ok(ended)
}

/// Wakes those workers, and leaves the cores to them that they are pinned to.
fn wake(posted: &[Posted]) {
    posted.iter().for_each(|one| _ = one.wake());
    step_aside(posted.iter().filter_map(Posted::core));
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const KIND: (Token, usize) = ([7, 7], 8);

    /// What is known after jobs, and when the last of them has ended.
    struct Past {
        pace: Pace,
        now: Instant,
        /// How often the clock was looked at.
        looks: u32,
    }

    impl Past {
        fn none() -> Self {
            Self { pace: Pace::default(), now: Instant::now(), looks: 0 }
        }

        /// So many jobs more of so many microseconds, with such pauses after
        /// them.
        fn and(mut self, jobs: usize, micros: u64, pause: u64, company: Company) -> Self {
            for _ in 0..jobs {
                let ended = self.now + Duration::from_micros(micros);
                let looks = &mut self.looks;
                self.pace.learn(KIND, 10, self.now, company, || {
                    *looks += 1;
                    ended
                });
                self.now = ended + Duration::from_micros(pause);
            }
            self
        }

        /// Whether the next job is worth waking somebody for.
        fn wakes(&self) -> bool {
            self.pace.is_worth_waking(KIND, 10, self.now)
        }
    }

    #[test]
    fn workers_are_woken_for_what_is_unknown_or_takes_long() {
        assert!(Past::none().wakes());
        assert!(Past::none().and(1, 200, 0, Company::Nobody).wakes());
        assert!(Past::none().and(1, 200, 1_000_000, Company::Nobody).wakes());
        assert!(Past::none().and(9, 200, 0, Company::Woken).wakes());
    }

    #[test]
    fn workers_are_woken_for_small_jobs_if_there_are_many_in_a_row() {
        assert!(!Past::none().and(1, 10, 0, Company::Nobody).wakes());
        assert!(Past::none().and(10, 10, 0, Company::Nobody).wakes());
        let far_between = Past::none().and(10, 10, 1_000, Company::Nobody);
        assert!(!far_between.wakes(), "they would sleep again in between");
        let interrupted = Past::none().and(4, 10, 0, Company::Nobody);
        let interrupted =
            interrupted.and(1, 10, 0, Company::Unasked).and(4, 10, 0, Company::Nobody);
        assert!(!interrupted.wakes(), "they are not asleep all the time");
    }

    #[test]
    fn nobody_is_woken_because_the_first_job_of_its_kind_took_long() {
        let cold = Past::none().and(1, 200, 0, Company::Woken);
        assert!(cold.wakes());
        assert!(!cold.and(1, 1, 0, Company::Woken).wakes());
    }

    #[test]
    fn small_jobs_in_a_row_are_counted_anew_after_somebody_was_woken_for_them() {
        let many = Past::none().and(10, 10, 0, Company::Nobody);
        assert!(many.wakes());
        assert!(!many.and(1, 10, 0, Company::Woken).and(4, 10, 0, Company::Nobody).wakes());
    }

    #[test]
    fn jobs_that_workers_come_to_unasked_cost_a_look_at_the_clock_now_and_then() {
        let first = Past::none().and(1, 1, 0, Company::Woken);
        let next = first.and(10 * (UNNOTED as usize + 1), 1, 0, Company::Unasked);
        assert_eq!(next.looks, 1 + 10);
        assert!(!next.wakes());
    }
}
