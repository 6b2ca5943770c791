//! Bulk jobs that the caller works on too.

use std::time::{Duration, Instant};

use super::{
    calls::Hall,
    claims::{Claims, Terms},
    participations::Participations,
};
use crate::{
    Error, SharedMemoryRings, TaskPanic, Token, codec,
    pool::{Builder, Call, Posted},
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

/// How long a chunk of the last job took that the caller has helped with, and
/// what kind of chunk that was: its task, and its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    kind: (Token, u64),
    chunk_ps: u64,
}

impl Pace {
    fn of(kind: (Token, u64), elapsed: Duration, chunks: u32) -> Self {
        let chunk_ps = elapsed.as_nanos() as u64 * 1_000 / u64::from(chunks.max(1));
        Self { kind, chunk_ps }
    }

    /// How long that many chunks will take, if it is known.
    fn forecast(self, kind: (Token, u64), chunks: u32) -> Option<Duration> {
        let total = self.chunk_ps.saturating_mul(chunks.into()) / 1_000;
        (self.kind == kind && self.chunk_ps > 0).then(|| Duration::from_nanos(total))
    }
}

/// A sleeper is woken for a job that takes longer than this: waking it takes
/// half of that, and costs the waker some 6 µs.
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
        Self { begun: Instant::now(), last: Duration::ZERO, skips: 0, left: 0 }
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
) -> Result<(Participations, Option<Error>), Box<Participations>> {
    let (job, me) = (work.job(), work.participants() - 1);
    if me == 0 || !call.helps() {
        return Err(work);
    }
    let mut ticket = work.ticket().clone();
    let kind = (ticket.task, ticket.output.stride);
    let posted = call.post_to_many(work, me, |seat, question| {
        ticket.participant = seat as u32;
        codec::encode_plain_into(&ticket, question).expect("a ticket can be encoded");
    })?;
    TaskPanic::capture_here();
    let is_long = hall.pace.forecast(kind, job.chunks).is_none_or(|time| time > WORTH_WAKING);
    let mut watch = Watch::start();
    let mut are_awake = false;
    let mut wake = || {
        if !std::mem::replace(&mut are_awake, true) {
            posted.iter().for_each(Posted::wake);
        }
    };
    if is_long {
        wake();
    }
    let mut goes_on = true;
    while goes_on {
        job.participate_while(me, Terms::of_the_caller(), &mut || {
            if watch.is_past(WORTH_WAKING) {
                // Longer than was foretold, perhaps.
                wake();
                goes_on = !call.is_called_off();
            }
            goes_on
        });
        call.call_off(&posted);
        // If not, somebody has died who had claimed more than it has begun.
        goes_on &= !job.board.claims().iter().all(Claims::is_exhausted);
    }
    hall.pace = Pace::of(kind, watch.begun.elapsed(), job.chunks);
    Ok(call.end(&posted))
}
