//! A worker, as its pool sees it.

use std::time::{Duration, Instant};

use super::{
    frame::Failure,
    jobs::Jobs,
    lane::{Broken, Lane, News, TaskId},
    status::{Status, Step, Tag, Turn},
    transport::Stream,
};
use crate::{Child, Error, ExitStatus, memory::Placed};

/// One worker process and what goes on with it.
pub(super) struct Member<S> {
    pub(super) child: Child,
    pub(super) lane: Lane<S>,
    status: Placed<Status>,
    /// Its place among the workers; its successor has the same.
    pub(super) seat: usize,
    pub(super) born: Instant,
    /// It has said that it can take tasks.
    pub(super) is_ready: bool,
    /// It was told to end and is not given tasks any more.
    pub(super) is_leaving: bool,
    /// Since when somebody has seen that it has nothing more to do than that.
    leaves_since: Option<Instant>,
    /// Tasks that it was given.
    pub(super) given: u64,
    pub(super) answered: u64,
    busy: Duration,
    unfit: Option<Failure>,
    doom: Option<Doom>,
    /// What was asked to stop.
    asked: Option<Step>,
    /// If it has tasks with deadlines and executes none.
    still: Option<Still>,
}

/// A worker that does nothing, as far as one can see.
#[derive(Clone, Copy, Debug)]
struct Still {
    /// What it did last.
    turn: Turn,
    /// How many bytes had moved by then.
    moved: u64,
    /// Since when neither has changed.
    since: Instant,
    /// How often it was listened to since that is too long.
    heard: Option<u32>,
}

/// Why the pool kills a worker.
#[derive(Clone, Copy, Debug)]
enum Doom {
    /// Its task took longer than this.
    TooLong(Duration),
    /// Nobody wants its task's result any more.
    Cancelled,
    /// It has tasks and neither executes one nor moves a byte.
    Still,
}

/// What a worker has left behind.
pub(super) struct Remains {
    /// What it had said before it ended, and nobody had read.
    pub(super) news: News,
    /// Why it is gone, for those whom that concerns.
    pub(super) error: Error,
    /// The same for the task with this index.
    pub(super) death: Box<dyn Fn(Option<u64>) -> Error>,
    /// Whether the pool has killed it for the sake of a task, which was told.
    pub(super) was_doomed: bool,
    /// Whether it was ready and had no task.
    pub(super) was_idle: bool,
    /// Whether it executed a task, which was charged.
    pub(super) has_charged: bool,
    /// Whether its end was in order: it was told to end and did.
    pub(super) is_in_order: bool,
}

impl<S: Stream> Member<S> {
    pub(super) fn new(child: Child, stream: S, status: Placed<Status>, seat: usize) -> Self {
        let lane = Lane::new(stream, (child.pid(), child.name().to_owned()));
        Self {
            child,
            lane,
            status,
            seat,
            born: Instant::now(),
            is_ready: false,
            is_leaving: false,
            leaves_since: None,
            given: 0,
            answered: 0,
            busy: Duration::ZERO,
            unfit: None,
            doom: None,
            asked: None,
            still: None,
        }
    }

    /// Whether it can be given tasks.
    pub(super) fn can_work(&self) -> bool {
        self.is_ready && !self.is_leaving && self.doom.is_none()
    }

    /// Whether it has nothing to do and can be given something.
    pub(super) fn is_free(&self) -> bool {
        self.can_work()
            && self.lane.in_flight_len() == 0
            && !self.lane.has_output()
            && self.lane.stream().errand().is_none()
    }

    /// Reads what it has said, and enters it in `jobs`.
    pub(super) fn listen(&mut self, jobs: &mut Jobs) -> (News, Result<(), Broken>) {
        let mut news = News::default();
        let heard = self.lane.read(jobs, &mut news);
        if let Some(Still { heard: Some(times), .. }) = &mut self.still {
            *times += 1;
        }
        self.is_ready |= news.is_ready;
        self.answered += news.answered;
        self.busy += Duration::from_nanos(news.busy_ns);
        if news.unfit.is_some() {
            self.unfit = news.unfit.take();
        }
        (news, heard)
    }

    /// Tells it to end once it has done what it was given.
    pub(super) fn dismiss(&mut self) {
        if !std::mem::replace(&mut self.is_leaving, true) {
            self.lane.stage_end();
        }
    }

    /// Time that it has spent on tasks: what it has told, and what came since if
    /// it executes one.
    pub(super) fn busy(&self) -> Duration {
        let unreported = self.current().map(|_| self.status.busy());
        self.busy + unreported.unwrap_or_default()
    }

    /// The task that it executes.
    fn current(&self) -> Option<(Step, TaskId)> {
        match self.status.turn() {
            Turn::Executing(step) => self.lane.task(step.tag).map(|task| (step, task)),
            Turn::Between(_) => None,
        }
    }

    /// Kills it if it has not become ready in time. How long until this is to
    /// be asked again.
    pub(super) fn keep_start_time(&mut self, limit: Duration) -> Option<Duration> {
        if self.is_ready {
            return None;
        }
        let left = limit.saturating_sub(self.born.elapsed());
        if left.is_zero() {
            self.child.kill();
        }
        Some(left.max(Duration::from_millis(1)))
    }

    /// Kills it if it was told to end, has nothing more to do, and has not ended
    /// in time. How long until this is to be asked again.
    pub(super) fn keep_exit_time(&mut self, limit: Duration) -> Option<Duration> {
        if !self.is_leaving || self.lane.in_flight_len() > 0 {
            return None;
        }
        let since = *self.leaves_since.get_or_insert_with(Instant::now);
        let left = limit.saturating_sub(since.elapsed());
        if left.is_zero() {
            self.child.kill();
        }
        Some(left.max(Duration::from_millis(1)))
    }

    /// Asks its task to stop or kills it if its time is over, or if nobody
    /// wants the result. How long until this is to be asked again.
    pub(super) fn keep_time(&mut self, jobs: &Jobs) -> Option<Duration> {
        /// A task that was cancelled may begin when another one ends.
        const CANCELLED_AGAIN: Duration = Duration::from_millis(5);
        if self.doom.is_some() || !(jobs.has_timed() || jobs.has_cancelled()) {
            return None;
        }
        let policies = self.lane.jobs().map(|job| jobs.policy(job));
        let limit = |policy: &super::jobs::Policy| {
            let (soft, hard) = (policy.soft_deadline, policy.hard_deadline);
            soft.into_iter().chain(hard).min()
        };
        let again = policies.filter_map(limit).min();
        let mut again = again.map(|limit| limit.max(Duration::from_millis(1)));
        let has_cancelled = jobs.has_cancelled();
        if has_cancelled && self.lane.jobs().any(|job| jobs.is_cancelled(job)) {
            again = Some(again.unwrap_or(CANCELLED_AGAIN).min(CANCELLED_AGAIN));
        }
        let Some((step, task)) = again.and_then(|_| self.current()) else {
            return self.keep_moving(jobs, again);
        };
        self.still = None;
        if has_cancelled && jobs.is_cancelled(task.job) {
            self.doom_step(step, Doom::Cancelled);
            return again;
        }
        let policy = jobs.policy(task.job);
        if !policy.is_timed() {
            return again;
        }
        let elapsed = self.status.elapsed();
        if let Some(hard) = policy.hard_deadline.filter(|&hard| elapsed >= hard) {
            self.doom_step(step, Doom::TooLong(hard));
            return again;
        }
        if policy.soft_deadline.is_some_and(|soft| elapsed >= soft) && self.asked != Some(step) {
            self.status.ask_to_stop(step);
            self.asked = Some(step);
        }
        let soft = policy.soft_deadline.filter(|_| self.asked != Some(step));
        let next = soft.into_iter().chain(policy.hard_deadline).min();
        let left = next.map(|limit| limit.saturating_sub(elapsed));
        left.or(again).map(|left| left.max(Duration::from_millis(1)))
    }

    /// Kills a worker that has a task with a deadline and, for as long as that
    /// may take, neither begins one nor moves a byte: it is stopped, or worse.
    /// How long until this is to be asked again, if not `again`.
    fn keep_moving(&mut self, jobs: &Jobs, again: Option<Duration>) -> Option<Duration> {
        let first = self.lane.jobs().next().filter(|_| again.is_some());
        let limit = first.and_then(|job| jobs.policy(job).hard_deadline);
        let Some(limit) = limit else {
            self.still = None;
            return again;
        };
        let (turn, moved) = (self.status.turn(), self.lane.moved());
        let is_same = |still: &Still| (still.turn, still.moved) == (turn, moved);
        let begun = || Still { turn, moved, since: Instant::now(), heard: None };
        let still = self.still.filter(is_same).unwrap_or_else(begun);
        let left = limit.saturating_sub(still.since.elapsed());
        let heard = still.heard.or(left.is_zero().then_some(0));
        self.still = Some(Still { heard, ..still });
        // It may be this process that was away: what lay in the streams then
        // is read, and written, by now.
        if heard.is_some_and(|times| times > 0) && self.status.doom_turn(turn) {
            self.doom = Some(Doom::Still);
            self.child.kill();
        }
        again.map(|again| again.min(left).max(Duration::from_millis(1)))
    }

    /// Kills the worker for the sake of a task, if it still executes that.
    fn doom_step(&mut self, step: Step, doom: Doom) {
        if self.status.doom(step) {
            self.doom = Some(doom);
            self.child.kill();
        }
    }

    /// Settles what the tasks of a worker come to that has ended with `status`,
    /// because of `why`: the one that it executed is charged, those that it had
    /// not begun are given to others, and so are those of which nobody knows, if
    /// they may.
    pub(super) fn bury(mut self, why: Broken, status: ExitStatus, jobs: &mut Jobs) -> Remains {
        // What it has said before it ended counts, unless it makes no sense.
        let is_garbled = matches!(why, Broken::Garbled(_));
        let news = if is_garbled { News::default() } else { self.listen(jobs).0 };
        // Those that were forked meanwhile have it mapped as long as they live.
        self.lane.stream_mut().outlive_worker();
        self.status.memory().release_with_last_handle();
        let was_idle = self.is_ready && self.lane.in_flight_len() == 0;
        let (pid, name) = (self.child.pid(), self.child.name().to_owned());
        let unfit = self.unfit.take();
        let has_spoken = self.is_ready || unfit.is_some();
        let error = move |task: Option<u64>| {
            let task = task.map(|task| task as usize);
            match (&why, &unfit) {
                (_, Some(failure)) => {
                    let message = failure.to_string();
                    Error::InitialiserFailed { pid, name: name.clone(), message }
                }
                (Broken::Garbled(what), _) => Error::Garbled { pid, what: what.clone() },
                (Broken::LivedOn, _) => {
                    Error::Garbled { pid, what: "it hung up and lived on".to_owned() }
                }
                // Whatever was refused: it was killed for that.
                (Broken::System(_) | Broken::Withdrawn | Broken::HungUp, _) => {
                    Error::WorkerDied { pid, name: name.clone(), status, task }
                }
            }
        };
        let is_in_order = self.is_leaving && status.success() && self.lane.in_flight_len() == 0;
        let name = self.child.name();
        if !is_in_order {
            tracing::warn!(target: "multiproc", name, pid, code = status.code, "worker lost");
        }
        let told = if has_spoken {
            error(None)
        } else {
            // It may never have begun, which has reasons of its own.
            match self.child.death(status) {
                Error::WorkerDied { .. } => error(None),
                never_began => never_began,
            }
        };
        let has_charged = self.settle(jobs, &error);
        let death = Box::new(error);
        let was_doomed = self.doom.is_some();
        Remains { news, error: told, death, was_doomed, was_idle, has_charged, is_in_order }
    }

    /// Whether a task was charged.
    fn settle(&self, jobs: &mut Jobs, error: &impl Fn(Option<u64>) -> Error) -> bool {
        let (executing, last) = match self.status.turn() {
            Turn::Executing(step) => (Some(step.tag), step.tag),
            Turn::Between(tag) => (None, tag),
        };
        let garbled = matches!(error(None), Error::Garbled { .. });
        let mut has_charged = false;
        // Those to be given again come in their old order before all others.
        for (place, (tag, task)) in
            self.lane.in_flight().enumerate().collect::<Vec<_>>().into_iter().rev()
        {
            // In a worker that talks rubbish nobody knows what its status means.
            let is_charged = if garbled { place == 0 } else { Some(tag) == executing };
            let was_begun = last.wrapping_sub(tag) <= Tag::MAX / 2;
            if is_charged {
                has_charged = true;
                self.charge(task, jobs, error);
            } else if was_begun && jobs.policy(task.job).at_most_once {
                jobs.fail(task, error(Some(task.task)));
            } else {
                jobs.give_back(task);
            }
        }
        has_charged
    }

    fn charge(&self, id: TaskId, jobs: &mut Jobs, error: &impl Fn(Option<u64>) -> Error) {
        match self.doom {
            None | Some(Doom::Still) => jobs.charge(id, true, &|task| error(Some(task))),
            Some(Doom::Cancelled) => jobs.fail(id, Error::Cancelled),
            Some(Doom::TooLong(limit)) => {
                let (pid, name) = (self.child.pid(), self.child.name());
                jobs.charge(id, false, &|task| {
                    let (task, name) = (task as usize, name.to_owned());
                    Error::DeadlineExceeded { task, pid, name, limit }
                });
            }
        }
    }
}
