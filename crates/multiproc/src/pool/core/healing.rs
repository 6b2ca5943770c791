//! Workers that come and go: a seat that is vacant is filled again.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use super::{Core, Stage};
use crate::{
    EntryPoint, Error, ExitStatus, Result,
    pool::{
        lane::Broken,
        member::{Member, Remains},
        status::Status,
        transport::{Stream, Transport},
        worker::serve,
    },
    process::LAST_BREATH,
};

/// So many workers in a row may end before they have begun anything, if none
/// is left.
const MOST_FRUITLESS: u32 = 8;

/// And for so long, however many: on a machine so busy that a worker takes a
/// while to begin, somebody may well kill eight before.
const LONGEST_FRUITLESS: Duration = Duration::from_secs(3);

/// Before a worker that has died idle is replaced, if it never did anything:
/// nobody waits for it, and the next may be no better.
const IDLE_PAUSE: Duration = Duration::from_millis(10);

/// So many workers of one seat may be leaving at a time, busy with their last
/// tasks or with their ends.
const MOST_LEAVING: usize = 2;

/// A worker that is no use any more and has not been found dead yet.
pub(super) struct Dying<S> {
    pub(super) member: Member<S>,
    why: Broken,
    /// When it is killed, if it was not: it has hung up, and is given the time to
    /// end by itself.
    pub(super) grace: Option<Instant>,
}

impl<S: Stream> Dying<S> {
    /// How it has ended, if it has.
    fn end(&mut self) -> Option<ExitStatus> {
        let child = &mut self.member.child;
        match child.wait(Some(Duration::ZERO)) {
            Ok(Some(status)) => return Some(status),
            Ok(None) => {}
            // Nothing more will ever be learned of it.
            Err(_) => return Some(ExitStatus::KILLED),
        }
        if self.grace.is_some_and(|grace| grace <= Instant::now()) {
            self.grace = None;
            self.why = Broken::LivedOn;
            child.kill();
        }
        None
    }
}

impl<T: Transport> Core<T> {
    /// A worker has begun a task. If it was started since others could not,
    /// whatever ailed them is over.
    pub(super) fn has_borne_fruit(&mut self, born: Instant) {
        self.fruitless = self.fruitless.filter(|&(_, since)| born < since);
    }

    /// The worker `pid` is no use any more.
    pub(super) fn lose(&mut self, pid: i32, why: Broken) {
        let Some(index) = self.members.iter().position(|member| member.child.pid() == pid) else {
            return;
        };
        let member = self.members.swap_remove(index);
        let grace = matches!(why, Broken::HungUp).then(|| Instant::now() + LAST_BREATH);
        if grace.is_none() {
            tracing::warn!(target: "multiproc", pid, ?why, "worker dismissed");
            member.child.kill();
        }
        self.dying.push(Dying { member, why, grace });
        self.bury_dead();
    }

    /// Buries those of the dying that have ended, and kills those that live on
    /// although they have hung up. Nobody waits for them here: however long they
    /// take, the others go on.
    pub(super) fn bury_dead(&mut self) {
        let mut index = 0;
        while let Some(dying) = self.dying.get_mut(index) {
            match dying.end() {
                None => index += 1,
                Some(status) => {
                    let Dying { member, why, .. } = self.dying.swap_remove(index);
                    self.bury(member, why, status);
                }
            }
        }
    }

    fn bury(&mut self, member: Member<T::Stream>, why: Broken, status: ExitStatus) {
        let (seat, born, answered) = (member.seat, member.born, member.answered);
        let errand = Self::orphan(&member);
        let Remains { mut news, error, death, was_doomed, was_idle, mut has_charged, is_in_order } =
            member.bury(why, status, &mut self.jobs);
        self.keep_answer(&mut news);
        self.tally(&news, born);
        let had_answered = answered + news.answered > 0;
        let was_idle = was_idle && errand.is_none();
        has_charged |= errand.is_some_and(|errand| self.lose_errand(errand, &death));
        if has_charged {
            self.has_borne_fruit(born);
        }
        match self.stage {
            Stage::Starting => _ = self.failure.get_or_insert(error),
            _ if is_in_order => self.tallies.retired += u64::from(self.stage < Stage::Ending),
            Stage::Open | Stage::Closed => {
                self.tallies.healed += 1;
                match (had_answered || has_charged, was_idle) {
                    (true, _) => {}
                    (false, true) => self.pause(seat..seat + 1, IDLE_PAUSE),
                    (false, false) => self.back_off(seat..seat + 1, &error),
                }
            }
            // Whose task was cancelled or took too long knows already.
            Stage::Ending | Stage::Ended if was_doomed => {}
            // The jobs are done, so nobody else would be told.
            Stage::Ending | Stage::Ended => _ = self.failure.get_or_insert(error),
        }
    }

    /// A worker has ended before it had begun anything, or could not be started,
    /// which concerns these seats.
    fn back_off(&mut self, seats: Range<usize>, error: &Error) {
        let (before, since) = self.fruitless.unwrap_or((0, Instant::now()));
        let deaths = before + 1;
        self.fruitless = Some((deaths, since));
        // Who lives can do everything, if more slowly.
        let nobody_works = !self.members.iter().any(|member| member.is_ready);
        let most = MOST_FRUITLESS.max(2 * self.config.workers.get() as u32);
        if nobody_works && deaths >= most && since.elapsed() >= LONGEST_FRUITLESS {
            let failure = Error::WorkersKeepDying { deaths, last: error.to_string() };
            self.kill(failure.again());
            self.failure = Some(failure);
            return;
        }
        // The first death of a worker without work is nothing to be wary of.
        if deaths > 1 {
            self.pause(seats, Duration::from_millis(1 << deaths.min(7)));
        }
    }

    /// Keeps those of these seats that are vacant so for a while.
    fn pause(&mut self, seats: Range<usize>, pause: Duration) {
        let until = Instant::now() + pause;
        for seat in seats {
            if !self.is_taken(seat) {
                self.pauses[seat] = Some(until);
            }
        }
    }

    pub(super) fn seats(&self) -> Range<usize> {
        0..self.config.workers.get()
    }

    /// Starts workers for the seats that are vacant.
    pub(super) fn fill_seats(&mut self) {
        if !matches!(self.stage, Stage::Open | Stage::Closed) {
            return;
        }
        for seat in self.seats() {
            if self.pauses[seat].is_some_and(|until| Instant::now() < until) {
                continue;
            }
            self.pauses[seat] = None;
            if self.is_taken(seat) {
                continue;
            }
            if let Err(error) = self.hire(seat) {
                tracing::warn!(target: "multiproc", %error, "worker not replaced");
                // What this one wants for, the others would.
                return self.back_off(self.seats(), &error);
            }
        }
    }

    /// Whether a seat has a worker, be it one that is dying and of which one does
    /// not know what of, or so many that are leaving that it must not have
    /// another: who retires after every task must not become as many
    /// processes as there are tasks.
    fn is_taken(&self, seat: usize) -> bool {
        let mut leaving = 0;
        for member in self.all_members().filter(|member| member.seat == seat) {
            if !member.is_leaving {
                return true;
            }
            leaving += 1;
        }
        leaving >= MOST_LEAVING
    }

    pub(super) fn hire(&mut self, seat: usize) -> Result<()> {
        let (stream, descriptors) = self.transport.connect()?;
        let status = Status::new()?;
        let inheritance = self.config.inheritance(seat, &status, descriptors)?;
        let name = self.config.name_of(seat);
        let starter = self.starter.as_mut().ok_or(Error::Broken)?;
        let child = starter.start(&name, EntryPoint::new(serve::<T>), inheritance)?;
        let mut member = Member::new(child, stream, status, seat);
        if self.is_hot() && seat < self.config.hot_seats() {
            member.lane.stream_mut().set_hot(true);
        }
        self.members.push(member);
        self.has_new_members = true;
        Ok(())
    }
}
