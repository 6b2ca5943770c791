//! Who moves the exchange on: whoever waits for something.
//!
//! One of those who wait *leads*: it sleeps on the workers, and when it wakes
//! up it does what there is to do, for everybody's jobs. The others sleep
//! until something was finished, and one of them leads next. Nobody holds the
//! lock while it sleeps, so nobody else's question waits for an answer to
//! its own.
//!
//! A blocking call leads for itself, so its result costs one wake-up and the
//! program needs no thread besides its own, which would forbid `fork`. Results
//! that nobody waits for need somebody who does: the first asynchronous call
//! starts a thread that waits for the end of the pool.

use std::{
    os::fd::AsFd,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    config::{Config, Progress},
    core::{Core, Sleep},
    jobs::{Concluding, JobId, enter_lock, harmless},
    transport::Transport,
};
use crate::{Error, EventFd, Result, polling::poll_timeout, process};

/// A pool's workers and jobs, among all that have to do with it.
pub(super) struct Shared<T: Transport> {
    pub(super) transport: Arc<T>,
    /// How many workers there are to be, and whether the caller does the work
    /// of one: what many ask, and never changes.
    pub(super) workers: usize,
    pub(super) caller_helps: bool,
    state: Mutex<State<T>>,
    /// Something was finished, or nobody leads.
    turn: Condvar,
    /// Wakes the one who leads.
    bell: EventFd,
}

pub(super) struct State<T: Transport> {
    pub(super) core: Core<T>,
    /// Somebody sleeps on the workers.
    is_led: bool,
    /// How many sleep until it is their turn.
    followers: usize,
    /// Somebody wants the lead to end the pool.
    is_wanted: bool,
    driver: Option<JoinHandle<()>>,
    told_at: Instant,
    /// Somebody is telling how the pool gets on.
    is_telling: bool,
}

type Guard<'a, T> = MutexGuard<'a, State<T>>;

impl<T: Transport> Shared<T> {
    /// Starts the workers and returns when every one is ready.
    pub(super) fn start(config: Config) -> Result<Arc<Self>> {
        let deadline = Instant::now().checked_add(config.start_timeout);
        let (workers, caller_helps) = (config.workers.get(), config.caller_helps);
        let core = Core::start(config)?;
        let transport = Arc::clone(&core.transport);
        let state = State {
            core,
            is_led: false,
            followers: 0,
            is_wanted: false,
            driver: None,
            told_at: Instant::now(),
            is_telling: false,
        };
        let (state, turn, bell) = (Mutex::new(state), Condvar::new(), EventFd::new()?);
        let shared = Self { transport, workers, caller_helps, state, turn, bell };
        shared.wait(deadline, |core| core.has_started());
        shared.with(Core::open)?;
        Ok(Arc::new(shared))
    }

    fn lock(&self) -> Guard<'_, T> {
        enter_lock(std::ptr::from_ref(self).addr());
        // Should a panic of ours have poisoned it, the workers must still be
        // ended when the pool is dropped.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something that takes no time. The one who leads is woken if it
    /// must know.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Core<T>) -> R) -> R {
        let mut state = self.lock();
        let result = act(&mut state.core);
        if state.is_led {
            // There may be something to do, or it may have waited for this.
            self.bell.set();
        } else if state.core.has_ended() {
            // Nobody waits for the workers any more.
            state = self.conclude(state);
        }
        self.leave_to_others(state);
        result
    }

    /// The same for what finishes nothing that anybody waits for.
    pub(super) fn with_more_to_do<R>(&self, act: impl FnOnce(&mut Core<T>) -> R) -> R {
        let mut state = self.lock();
        let result = act(&mut state.core);
        if state.is_led && state.core.takes_a_leader() {
            self.bell.set();
        }
        self.leave_to_others(state);
        result
    }

    /// The same for a look at what is there.
    pub(super) fn look<R>(&self, look: impl FnOnce(&mut Core<T>) -> R) -> R {
        look(&mut self.lock().core)
    }

    /// Nobody will ask for the job any more.
    pub(super) fn abandon(&self, job: JobId) {
        let discarded = self.look(|core| core.jobs.abandon(job));
        // Not before the lock is free.
        drop(discarded);
    }

    /// Moves the exchange on until `is_done` says so or the deadline comes.
    /// Whether it was the former.
    pub(super) fn wait(
        &self,
        deadline: Option<Instant>,
        mut is_done: impl FnMut(&mut Core<T>) -> bool,
    ) -> bool {
        let mut state = self.lock();
        loop {
            if is_done(&mut state.core) {
                self.leave_to_others(state);
                return true;
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                self.leave_to_others(state);
                return false;
            }
            state = if state.is_led || state.is_wanted {
                self.follow(state, deadline)
            } else {
                self.lead(state, deadline)
            };
        }
    }

    /// Does what there is to do, without waiting for anything: for who has not
    /// waited and thinks that somebody may have died.
    pub(super) fn look_after(&self) {
        let state = self.lock();
        if state.is_led || state.is_wanted {
            return;
        }
        let state = self.lead(state, Some(Instant::now()));
        self.leave_to_others(state);
    }

    fn follow<'a>(&self, mut state: Guard<'a, T>, deadline: Option<Instant>) -> Guard<'a, T> {
        state.followers += 1;
        let mut state = match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
            None => self.turn.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(left) => {
                self.turn.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.followers -= 1;
        state
    }

    /// Sleeps until something happens, and does what there is to do.
    fn lead<'a>(&'a self, mut state: Guard<'a, T>, deadline: Option<Instant>) -> Guard<'a, T> {
        let progress = state.core.config.progress.clone();
        let alarm =
            progress.as_ref().and_then(|progress| state.told_at.checked_add(progress.every));
        let deadline = deadline.into_iter().chain(alarm).min();
        let mut dead = Vec::new();
        // Nobody has looked.
        let mut may_have_rung = true;
        if let Some(mut sleep) = state.core.plan_sleep(self.bell.as_fd(), deadline) {
            state.is_led = true;
            drop(state);
            sleep.until_something_happens();
            state = self.lock();
            state.is_led = false;
            dead = sleep.dead();
            may_have_rung = sleep.has_rung();
        }
        if may_have_rung {
            self.bell.clear();
        }
        state.core.progress(&dead);
        let state = self.conclude(state);
        let state = self.report(state, progress);
        if state.followers > 0 {
            self.turn.notify_all();
        }
        state
    }

    /// Calls callbacks and wakes futures, whose time has come, without the lock.
    fn conclude<'a>(&'a self, mut state: Guard<'a, T>) -> Guard<'a, T> {
        loop {
            let mut concluding = state.core.jobs.take_callbacks();
            if concluding.is_empty() && !state.core.jobs.has_aftermath() {
                return state;
            }
            self.leave_to_others(state);
            concluding.iter_mut().for_each(Concluding::call);
            state = self.lock();
            concluding.into_iter().for_each(|done| state.core.jobs.restore(done));
            if state.is_led {
                // Somebody else has gone to sleep meanwhile, perhaps for one of these.
                self.bell.set();
            }
        }
    }

    fn report<'a>(&'a self, mut state: Guard<'a, T>, to: Option<Progress>) -> Guard<'a, T> {
        let is_due = |progress: &Progress| state.told_at.elapsed() >= progress.every;
        // One after the other: who is told need not expect two threads at once.
        let Some(progress) = to.filter(is_due).filter(|_| !state.is_telling) else {
            return state;
        };
        (state.told_at, state.is_telling) = (Instant::now(), true);
        let statistics = state.core.statistics();
        self.leave_to_others(state);
        harmless(|| (progress.tell)(&statistics));
        let mut state = self.lock();
        state.is_telling = false;
        state
    }

    /// Frees the lock, wakes those who may have waited for what has changed,
    /// and then runs what a user's code has to do with it.
    fn leave_to_others(&self, mut state: Guard<'_, T>) {
        let aftermath = state.core.jobs.take_aftermath();
        let followers = state.followers;
        drop(state);
        if followers > 0 {
            self.turn.notify_all();
        }
        aftermath.settle();
    }

    /// Has somebody wait from now on, so that things go on while the program
    /// does something else.
    pub(super) fn drive(self: &Arc<Self>) {
        let mut state = self.lock();
        let is_driven = state.driver.as_ref().is_some_and(|driver| !driver.is_finished());
        if is_driven || state.core.has_ended() {
            return;
        }
        let shared = Arc::clone(self);
        let drive = move || _ = shared.wait(None, |core| core.has_ended());
        // Without it things go on whenever somebody waits.
        state.driver = thread::Builder::new().name("pool-driver".to_owned()).spawn(drive).ok();
    }

    /// Ends the workers at once; jobs that are not finished fail with `error`.
    pub(super) fn kill(&self, error: Error) {
        let mut state = self.lock();
        state.is_wanted = true;
        // Whoever leads sleeps on descriptors that are about to be closed.
        while state.is_led {
            self.bell.set();
            state = self.follow(state, Some(Instant::now() + Duration::from_millis(100)));
        }
        state.is_wanted = false;
        state.core.kill(error);
        let state = self.conclude(state);
        self.leave_to_others(state);
        self.dismiss_driver();
    }

    /// Waits until the driver has ended, which it does when the workers have.
    pub(super) fn dismiss_driver(&self) {
        let driver = self.lock().driver.take();
        self.bell.set();
        self.turn.notify_all();
        if let Some(driver) = driver
            && driver.thread().id() != thread::current().id()
        {
            let _ = driver.join();
            // It counts as a thread of this process for some moments more, in
            // which a fork would be refused.
            process::await_end_of_thread();
        }
    }
}

impl Sleep {
    fn until_something_happens(&mut self) {
        let timeout = self.timeout.map_or(-1, |timeout| i32::from(poll_timeout(timeout)));
        // SAFETY: so many `pollfd`s, borrowed exclusively. A descriptor that
        // is closed or another's by now is at worst a reason to wake up.
        unsafe { libc::poll(self.fds.as_mut_ptr(), self.fds.len() as libc::nfds_t, timeout) };
    }
}
