//! Errands, on the parent's side: what is posted to a worker past its stream,
//! and what becomes of it.
//!
//! An errand is posted only if the worker has nothing else to do and no task
//! waits for one, so it overtakes nobody. Whoever has posted it waits for it
//! without the lock. Should the worker die meanwhile, whoever leads finds that
//! as always, and leaves word.

use std::{thread, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Call, Pool,
    errand::{ANSWER_HEADER, answer, ask, is_in_stream, split},
    frame::Failure,
    function::CallFn,
    jobs::guard,
    shared::Shared,
    transport::Transport,
    value,
    work::Work,
};
use crate::{
    Error, Result,
    looking::look_for,
    ring::{Errand, SLOT_BYTES, Stage, Window},
};

/// An errand that a worker was asked to run.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(super) window: Window,
    pub(super) errand: Errand,
    pub(super) seat: usize,
    /// The worker's process id.
    pub(super) pid: i32,
    /// Where it is pinned to.
    pub(super) core: Option<usize>,
    /// For how long its end is looked for before sleeping.
    pub(super) spin: Duration,
    /// When it was called off, whether it had been begun.
    pub(super) was_begun: Option<bool>,
}

/// As long as this lives the workers of its pool look for work all the time
/// instead of sleeping, so a call or a bulk job costs no wake-up. Made by
/// [`Pool::hot`].
///
/// It costs the time of as many cores as there are workers.
#[must_use = "workers sleep again as soon as it is dropped"]
pub struct Hot<'p, T: Transport>(&'p Pool<T>);

impl<T: Transport> Pool<T> {
    /// Has the workers spin between jobs for as long as the guard lives, if
    /// this kind of pool can.
    pub fn hot(&self) -> Hot<'_, T> {
        self.shared.look(|core| core.heat(true));
        Hot(self)
    }
}

impl<T: Transport> Drop for Hot<'_, T> {
    fn drop(&mut self) {
        self.0.shared.look(|core| core.heat(false));
    }
}

impl Posted {
    /// The only core that the worker can run on.
    pub(crate) fn core(&self) -> Option<usize> {
        self.core
    }

    /// Wakes the worker if it sleeps; whether it has.
    pub(crate) fn wake(&self) -> bool {
        self.window.wake()
    }

    /// Whether it had been begun when it was called off.
    pub(crate) fn was_begun(&self) -> bool {
        self.was_begun == Some(true)
    }

    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.window.stage(self.errand) == Stage::Done
    }
}

impl<T: Transport> Shared<T> {
    /// Waits until the errand is done, or nobody is going to do it; whether it
    /// is the former.
    fn await_errand(&self, posted: &Posted) -> bool {
        if look_for(posted.spin, || posted.is_done().then_some(())).is_some() {
            return true;
        }
        self.wait(None, |core| posted.is_done() || core.has_lost(posted));
        posted.is_done()
    }

    /// Waits for the answer, all of it, and has `read` look at it. An error is
    /// why there is none; `None` if the errand was not begun.
    fn answer<R>(&self, posted: Posted, read: impl FnOnce(&[u8]) -> R) -> Result<R, Option<Error>> {
        let mut bytes = [0; SLOT_BYTES];
        if !self.await_errand(&posted) {
            return Err(self.with(|core| core.end_errand(&posted)));
        }
        let answer = posted.window.answer(&mut bytes);
        if !is_in_stream(answer) {
            self.with(|core| core.end_errand(&posted));
            return Ok(read(answer));
        }
        self.wait(None, |core| core.has_answer(posted.errand) || core.has_lost(&posted));
        let (answer, death) = self.with(|core| {
            let answer = core.take_answer(posted.errand);
            (answer, core.end_errand(&posted))
        });
        match answer {
            Some(Ok(answer)) => Ok(read(&answer)),
            Some(Err(error)) => {
                let why = error.to_string();
                Err(Some(Error::TaskValue { task: 0, what: "result", why }))
            }
            // It was begun.
            None => Err(Some(death.unwrap_or(Error::Broken))),
        }
    }
}

/// The output in an answer, or why there is none.
fn output_of(answer: &[u8], pid: i32, name: impl FnOnce() -> String) -> Result<&[u8]> {
    let garbled = || Error::Garbled { pid, what: "the answer to an errand".to_owned() };
    let (header, output) = answer.split_at_checked(ANSWER_HEADER).ok_or_else(garbled)?;
    match split(header).0 {
        answer::DONE => Ok(output),
        answer::FAILED => {
            let failure: Failure = postcard::from_bytes(output).map_err(|_| garbled())?;
            Err(failure.into_error(0, (pid, &name())))
        }
        _ => Err(garbled()),
    }
}

impl<T: Transport> Call<'_, T> {
    /// The result of `f` for `argument`, if a worker can be asked past its
    /// stream and the argument fits there.
    pub(super) fn apply_at_once<A, R, F>(&self, f: F, argument: &A) -> Option<Result<R>>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        if !T::HAS_ERRANDS || self.policy.is_timed() || self.policy.retries > 0 {
            return None;
        }
        let mut question = Vec::with_capacity(128);
        question.extend_from_slice(&ask::CALL.to_ne_bytes());
        question.extend_from_slice(bytemuck::bytes_of(&CallFn::new(f).token()));
        // What cannot be encoded, or panics, is told where that is tried next.
        guard("encoded", || value::encode_within(argument, &mut question, SLOT_BYTES)).ok()?;
        let shared = &self.pool.shared;
        let posted = shared.look(|core| core.post_to_one(&question))?;
        let (pid, seat) = (posted.pid, posted.seat);
        if posted.wake() {
            // The system may have put it behind this thread, which has nothing
            // to do before it answers.
            thread::yield_now();
        }
        let name = || shared.look(|core| core.config.name_of(seat));
        let read = |answer: &[u8]| {
            let output = output_of(answer, pid, name)?;
            guard("decoded", || value::decode(output)).map_err(|why| Error::TaskValue {
                task: 0,
                what: "result",
                why,
            })
        };
        match shared.answer(posted, read) {
            Ok(result) => Some(result),
            Err(Some(error)) => Some(Err(error)),
            Err(None) => None,
        }
    }

    /// Whether the caller helps with bulk jobs of these chunks.
    pub(crate) fn helps(&self) -> bool {
        T::HAS_ERRANDS && !self.policy.is_timed() && self.pool.shared.caller_helps
    }

    /// Has the workers in the seats before `seats` that have nothing else to do
    /// participate in `work`, as number so and so, and lists them in `into`, an
    /// empty list. They are not woken. The work comes back if there are none.
    pub(crate) fn post_to_many<W: Work>(
        &self,
        work: Box<W>,
        seats: usize,
        ticket: &[u8],
        into: &mut Vec<Posted>,
    ) -> Result<(), Box<W>> {
        self.pool.shared.look(|core| core.post_to_many(work, seats, ticket, into))
    }

    /// Waits until none of them participates any more; those that have not
    /// begun never will.
    pub(crate) fn call_off(&self, posted: &mut [Posted]) {
        for one in posted.iter_mut().filter(|one| one.was_begun.is_none()) {
            let was_begun = !one.window.revoke(one.errand);
            one.was_begun = Some(was_begun);
            if was_begun {
                self.pool.shared.await_errand(one);
            }
        }
    }

    /// Has those workers replaced that have died.
    pub(crate) fn look_after_workers(&self) {
        self.pool.shared.look_after();
    }

    /// Whether the pool has ended since then.
    pub(crate) fn is_called_off(&self) -> bool {
        self.pool.shared.look(|core| core.has_lost_bulk())
    }

    /// The work, when all were called off, and why the pool has ended
    /// meanwhile, if it has.
    pub(crate) fn end<W: Work>(&self, posted: &[Posted]) -> (Box<W>, Option<Error>) {
        let mut bytes = [0; SLOT_BYTES];
        let (mut work, error): (Box<W>, _) = self.pool.shared.with(|core| core.end_bulk(posted));
        for one in posted.iter().filter(|one| one.is_done()) {
            let (answer, task) = (one.window.answer(&mut bytes), one.seat as u64);
            let output = output_of(answer, one.pid, String::new);
            if let Err(error) = output.and_then(|output| work.accept(task, output)) {
                work.fail(task, error);
            }
        }
        (work, error)
    }
}
