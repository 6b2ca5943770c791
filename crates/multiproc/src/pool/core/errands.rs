//! Errands: who can be given one, and what becomes of those of workers that die.

use std::{ops::Range, time::Duration};

use super::Core;
use crate::{
    Error, Result,
    pool::{
        config::Waiting,
        errand::{ask, is_in_stream},
        express::Posted,
        jobs::own,
        lane::{Broken, News},
        member::Member,
        transport::{Stream, Transport},
        work::{Loss, Work},
    },
    ring::{Errand, SLOT_BYTES, Stage, Window},
};

/// The errands that are participations in a bulk job, which is no more than one
/// at a time.
struct BulkErrands {
    work: Box<dyn Work>,
    /// Each is the participation with the number of its worker's seat.
    errands: Range<Errand>,
}

/// What of errands the pool keeps.
#[derive(Default)]
pub(super) struct ErrandTable {
    last: Errand,
    /// Of the worker that was asked to call something last.
    last_seat: usize,
    /// Those of workers that have died while they ran them, or were killed.
    lost: Vec<(Errand, Error)>,
    bulk: Option<BulkErrands>,
    /// Answers that came through the streams, or why they are not there.
    answers: Vec<(Errand, Result<Vec<u8>>)>,
    /// Why the pool has ended in the middle of that.
    bulk_error: Option<Error>,
    /// How many want the workers hot.
    heat: usize,
}

/// An errand of a worker that is about to be no more.
pub(super) struct Orphan {
    errand: Errand,
    /// Where it is watched.
    window: Window,
    /// Of the worker.
    seat: usize,
}

impl<T: Transport> Core<T> {
    /// Whether errands overtake nobody, and all that the workers do may be one.
    fn is_calm(&self) -> bool {
        self.refusal().is_none() && self.jobs.waiting() == 0 && self.config.max_tasks.is_none()
    }

    /// Posts `question` to a worker that is awake, or else to one that sleeps;
    /// `None` if that cannot be.
    pub(in crate::pool) fn post_to_one(&mut self, question: &[u8]) -> Option<Posted> {
        if !self.is_calm() {
            return None;
        }
        // Who was asked last has the function in its caches, unless others are
        // kept awake for this.
        let (is_hot, last) = (self.is_hot(), self.errands.last_seat);
        let cost = |member: &Member<T::Stream>| {
            (is_hot && member.lane.stream().is_asleep(), member.seat != last, member.seat)
        };
        let free = self.members.iter().enumerate().filter(|(_, member)| member.is_free());
        let (index, member) = free.min_by_key(|(_, member)| cost(member))?;
        self.errands.last_seat = member.seat;
        self.post_to(index, [question, &[]])
    }

    /// Posts their tickets to the workers in the seats before `seats` that are
    /// free, `into` an empty list. The work comes back if that cannot be.
    pub(in crate::pool) fn post_to_many<W: Work>(
        &mut self,
        work: Box<W>,
        seats: usize,
        ticket: &[u8],
        into: &mut Vec<Posted>,
    ) -> Result<(), Box<W>> {
        let fits = ticket.len() + 2 * size_of::<u64>() <= SLOT_BYTES;
        if !fits || !self.is_calm() || self.errands.bulk.is_some() {
            return Err(work);
        }
        let first = self.errands.last + 1;
        for index in 0..self.members.len() {
            let member = &self.members[index];
            if member.seat < seats && member.is_free() {
                let question = ask::participate(member.seat);
                into.extend(self.post_to(index, [&question, ticket]));
            }
        }
        if into.is_empty() {
            return Err(work);
        }
        let errands = first..self.errands.last + 1;
        self.errands.bulk = Some(BulkErrands { work, errands });
        Ok(())
    }

    fn post_to(&mut self, index: usize, question: [&[u8]; 2]) -> Option<Posted> {
        let member = &mut self.members[index];
        let window = member.lane.stream().window()?;
        self.errands.last += 1;
        let errand = self.errands.last;
        // What is wrong with the stream is found where it is used.
        if !matches!(member.lane.stream_mut().post(errand, question), Ok(true)) {
            return None;
        }
        let (seat, pid) = (member.seat, member.child.pid());
        let busy = self.members.iter().filter(|member| !member.is_free()).count();
        let spins = self.config.spins;
        let spin = if busy < spins.cores { spins.caller } else { Duration::ZERO };
        let core = self.config.core_of(seat);
        Some(Posted { window, errand, seat, pid, core, spin, was_begun: None })
    }

    /// Keeps an answer that came through a stream until it is fetched.
    pub(super) fn keep_answer(&mut self, news: &mut News) {
        self.errands.answers.extend(news.errand.take());
    }

    /// Whether the answer came through the stream.
    pub(in crate::pool) fn has_answer(&self, errand: Errand) -> bool {
        self.errands.answers.iter().any(|(known, _)| *known == errand)
    }

    /// The answer that came through the stream, if one did.
    pub(in crate::pool) fn take_answer(&mut self, errand: Errand) -> Option<Result<Vec<u8>>> {
        let answers = &mut self.errands.answers;
        let place = answers.iter().position(|(known, _)| *known == errand)?;
        Some(answers.swap_remove(place).1)
    }

    fn place_of(&self, errand: Errand) -> Option<usize> {
        self.members.iter().position(|member| member.lane.stream().errand() == Some(errand))
    }

    /// Whether somebody waits for an errand.
    pub(in crate::pool) fn has_errands(&self) -> bool {
        self.all_members().any(|member| member.lane.stream().errand().is_some())
    }

    /// Whether nobody is going to do the errand. A worker whose slot shows
    /// another one has written over it, and ends here. Of one that is dying
    /// nobody knows yet.
    pub(in crate::pool) fn has_lost(&mut self, posted: &Posted) -> bool {
        if let Some(index) = self.place_of(posted.errand)
            && posted.window.stage(posted.errand) == Stage::Gone
        {
            let pid = self.members[index].child.pid();
            self.lose(pid, Broken::Garbled("the number of an errand".to_owned()));
        }
        let is_this =
            |member: &Member<T::Stream>| member.lane.stream().errand() == Some(posted.errand);
        !self.all_members().any(is_this)
    }

    /// Nobody waits for the errand any more, which is done, revoked or lost.
    /// In the latter case, why.
    pub(in crate::pool) fn end_errand(&mut self, posted: &Posted) -> Option<Error> {
        // Nobody has fetched it.
        self.take_answer(posted.errand);
        let dying = self.dying.iter_mut().map(|dying| &mut dying.member);
        let mut all = self.members.iter_mut().chain(dying);
        let holder = all.find(|member| member.lane.stream().errand() == Some(posted.errand));
        if let Some(member) = holder {
            member.lane.stream_mut().forget_errand();
            member.given += 1;
            member.answered += 1;
            self.tallies.answered += 1;
            if self.jobs.waiting() > 0 {
                self.hand_out();
            }
        }
        let lost = self.errands.lost.iter().position(|(lost, _)| *lost == posted.errand)?;
        Some(self.errands.lost.swap_remove(lost).1)
    }

    /// The work of a bulk job that nobody participates in any more.
    /// If the pool has ended meanwhile, why.
    pub(in crate::pool) fn end_bulk<W: Work>(
        &mut self,
        posted: &[Posted],
    ) -> (Box<W>, Option<Error>) {
        posted.iter().for_each(|posted| _ = self.end_errand(posted));
        let bulk = self.errands.bulk.take().expect("only its caller ends it");
        (own(bulk.work), self.errands.bulk_error.take())
    }

    pub(in crate::pool) fn has_lost_bulk(&self) -> bool {
        self.errands.bulk_error.is_some()
    }

    /// Nobody does anything any more.
    pub(super) fn lose_all_errands(&mut self, orphans: Vec<Orphan>, error: &Error) {
        for orphan in orphans {
            self.lose_errand(orphan, &|_| error.again());
        }
        self.errands.bulk_error = self.errands.bulk.is_some().then(|| error.again());
    }

    /// What a worker may leave undone that is about to be reaped.
    pub(super) fn orphan(member: &Member<T::Stream>) -> Option<Orphan> {
        let stream = member.lane.stream();
        let (errand, window) = (stream.errand()?, stream.window()?);
        Some(Orphan { errand, window, seat: member.seat })
    }

    /// The worker is no more that had this errand; `death` says how, of a task
    /// or of the index of a chunk. Whether it had begun and not ended it.
    pub(super) fn lose_errand(
        &mut self,
        Orphan { errand, window, seat }: Orphan,
        death: &dyn Fn(Option<u64>) -> Error,
    ) -> bool {
        let is_answered = || !is_in_stream(window.answer(&mut [0; SLOT_BYTES]));
        if window.revoke(errand)
            || (window.stage(errand) == Stage::Done && (self.has_answer(errand) || is_answered()))
        {
            return false;
        }
        let bulk = self.errands.bulk.as_mut().filter(|bulk| bulk.errands.contains(&errand));
        let Some(BulkErrands { work, .. }) = bulk else {
            self.tallies.failed += 1;
            self.errands.lost.push((errand, death(Some(0))));
            return true;
        };
        let loss = work.lost(seat as u64, true, &|chunk| death(Some(chunk)));
        self.jobs.retried += u64::from(loss == Loss::Retried);
        self.jobs.failed_unanswered += u64::from(loss == Loss::Failed);
        loss != Loss::Nothing
    }

    pub(in crate::pool) fn heat(&mut self, is_wanted: bool) {
        let was_hot = self.is_hot();
        let heat = &mut self.errands.heat;
        *heat = if is_wanted { *heat + 1 } else { heat.saturating_sub(1) };
        if self.is_hot() != was_hot {
            let seats = self.config.hot_seats();
            let members = self.members.iter_mut().filter(|member| member.seat < seats);
            members.for_each(|member| member.lane.stream_mut().set_hot(!was_hot));
        }
    }

    pub(super) fn is_hot(&self) -> bool {
        self.errands.heat > 0 || self.config.waiting == Waiting::Hot
    }
}
