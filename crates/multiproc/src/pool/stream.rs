//! Results one by one, of arguments that are taken as they are needed.

use std::{any::Any, collections::VecDeque, fmt, marker::PhantomData, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    jobs::{DropEach, JobId},
    large::{self, Large, Room},
    plain,
    shared::Shared,
    transport::Transport,
    value,
    work::{RunShape, Work, direct_value, stage_value},
};
use crate::{Error, Result};

/// A window on a series of tasks: those from `first` on that are not
/// consumed.
pub(super) struct Window<A, R> {
    first: u64,
    places: DropEach<VecDeque<Place<A, R>>>,
    /// Arguments of tasks that are over, to be dropped by whoever consumes:
    /// not under the pool's lock.
    spent: Vec<A>,
    /// Tasks that are done and not consumed, in the order in which they came;
    /// `None` if the order of their arguments is wanted.
    done: Option<VecDeque<u64>>,
}

enum Place<A, R> {
    UnderWay(A),
    Done(Result<R>),
    Consumed,
}

impl<A, R> Window<A, R> {
    pub(super) fn new(in_order: bool) -> Self {
        let done = (!in_order).then(VecDeque::new);
        Self { first: 0, places: DropEach::default(), spent: Vec::new(), done }
    }

    fn place(&mut self, task: u64) -> &mut Place<A, R> {
        &mut self.places[(task - self.first) as usize]
    }

    fn settle(&mut self, task: u64, outcome: Result<R>) {
        let before = std::mem::replace(self.place(task), Place::Done(outcome));
        if let Place::UnderWay(argument) = before
            && std::mem::needs_drop::<A>()
        {
            self.spent.push(argument);
        }
        if let Some(done) = &mut self.done {
            done.push_back(task);
        }
    }

    /// The next outcome.
    fn consume(&mut self) -> Option<Result<R>> {
        let task = match &mut self.done {
            Some(done) => done.pop_front()?,
            None => matches!(self.places.front(), Some(Place::Done(_))).then_some(self.first)?,
        };
        let place = std::mem::replace(self.place(task), Place::Consumed);
        while matches!(self.places.front(), Some(Place::Consumed)) {
            self.places.pop_front();
            self.first += 1;
        }
        match place {
            Place::Done(outcome) => Some(outcome),
            Place::UnderWay(_) | Place::Consumed => unreachable!("it was done"),
        }
    }
}

impl<A, R> Work for Window<A, R>
where
    A: Serialize + Send + 'static,
    R: DeserializeOwned + Send + 'static,
{
    fn stage(&mut self, task: u64, frame: &mut Vec<u8>) -> Result<usize> {
        match self.place(task) {
            Place::UnderWay(argument) => stage_value(argument, frame),
            Place::Done(_) | Place::Consumed => unreachable!("a task ends once"),
        }
    }

    fn direct(&self, task: u64) -> Option<&[u8]> {
        match &self.places[(task - self.first) as usize] {
            Place::UnderWay(argument) => direct_value(argument),
            Place::Done(_) | Place::Consumed => None,
        }
    }

    fn room(&self, _: u64, bytes: usize) -> Room {
        large::room::<R>(bytes)
    }

    fn accept_large(&mut self, task: u64, output: Box<dyn Large>) {
        self.settle(task, Ok(large::unwrap(output)));
    }

    fn run_shape(&self) -> Option<RunShape> {
        RunShape::of::<A, R>()
    }

    fn stage_run(&mut self, first: u64, count: u64, frame: &mut Vec<u8>) {
        for task in first..first + count {
            self.stage(task, frame).expect("arguments with a shape");
        }
    }

    fn accept_run(&mut self, first: u64, outputs: &[u8]) {
        for (task, output) in (first..).zip(outputs.chunks_exact(size_of::<R>())) {
            self.settle(task, Ok(plain::read(output).expect("results with a shape")));
        }
    }

    fn accept(&mut self, task: u64, output: &[u8]) -> Result<()> {
        let result = value::decode(output)?;
        self.settle(task, Ok(result));
        Ok(())
    }

    fn fail(&mut self, task: u64, error: Error) {
        self.settle(task, Err(error));
    }
}

/// For a job that nobody gets as a whole.
pub(super) fn never_concluded(_: Box<dyn Work>) -> Box<dyn Any + Send> {
    Box::new(())
}

/// The results of [`Pool::imap`](super::Pool::imap) or
/// [`imap_unordered`](super::Pool::imap_unordered).
///
/// Arguments are taken from their iterator when there is need of them: so many
/// are under way that no worker waits, and no more, so an endless iterator is
/// no problem. Nothing is taken while nobody asks for results. Each item is
/// the outcome of one task; an error is that task's, and the others go on. If
/// the pool ends, what is done by then comes first (in order: up to the first
/// that is not), then the error that says why, and nothing more.
///
/// Dropping it cancels what is under way.
pub struct Stream<T: Transport, A, R, I> {
    pool: Arc<Shared<T>>,
    job: JobId,
    arguments: Option<I>,
    /// Tasks to have under way, or as many as keep the workers busy.
    ahead: Option<usize>,
    /// Tasks that were begun and not consumed.
    outstanding: usize,
    /// Why the pool takes no more of the arguments.
    cut_off: Option<Error>,
    items: PhantomData<fn(A) -> R>,
}

/// Few enough to hold, and enough for workers with the shortest tasks.
const MOST_AHEAD: usize = 8192;

impl<T, A, R, I> Stream<T, A, R, I>
where
    T: Transport,
    A: Serialize + Send + 'static,
    R: DeserializeOwned + Send + 'static,
    I: Iterator<Item = A>,
{
    pub(super) fn new(
        pool: Arc<Shared<T>>,
        job: JobId,
        arguments: I,
        ahead: Option<usize>,
    ) -> Self {
        let arguments = Some(arguments);
        Self { pool, job, arguments, ahead, outstanding: 0, cut_off: None, items: PhantomData }
    }

    /// Takes arguments until enough tasks are under way.
    fn top_up(&mut self) {
        let Some(arguments) = &mut self.arguments else { return };
        let (reach, refusal) = self.pool.look(|core| (core.reach(self.job), core.refusal()));
        if refusal.is_some() {
            (self.arguments, self.cut_off) = (None, refusal);
            return;
        }
        let wanted = self.ahead.unwrap_or(reach.clamp(1, MOST_AHEAD));
        // Not for every one of many: what is taken together travels together.
        if self.outstanding > wanted / 2 {
            return;
        }
        // A user's iterator is not run under the lock.
        let mut taken: DropEach<Vec<A>> =
            arguments.take(wanted - self.outstanding).collect::<Vec<A>>().into();
        let is_over = self.outstanding + taken.len() < wanted;
        self.outstanding += taken.len();
        let job = self.job;
        let count = taken.len();
        let refusal = self.pool.with_more_to_do(|core| {
            if let Some(refusal) = core.refusal() {
                return Some(refusal);
            }
            if let (window, None) = core.jobs.work::<Window<A, R>>(job) {
                window.places.extend(taken.drain(..).map(Place::UnderWay));
                core.extend(job, count as u64);
                if is_over {
                    core.jobs.close(job);
                }
            }
            None
        });
        if is_over || refusal.is_some() {
            self.arguments = None;
        }
        if refusal.is_some() {
            // Closed by another thread meanwhile.
            self.outstanding -= count;
            self.cut_off = refusal;
        }
    }

    fn consume(&mut self) -> Option<Result<R>> {
        let job = self.job;
        let mut consumed = None;
        let mut spent = DropEach::<Vec<A>>::default();
        self.pool.wait(None, |core| {
            let (window, failure) = core.jobs.work::<Window<A, R>>(job);
            spent.append(&mut window.spent);
            // What was done before the end is not lost.
            consumed = window.consume().or_else(|| failure.map(|error| Err(error.again())));
            consumed.is_some()
        });
        consumed
    }
}

impl<T, A, R, I> Iterator for Stream<T, A, R, I>
where
    T: Transport,
    A: Serialize + Send + 'static,
    R: DeserializeOwned + Send + 'static,
    I: Iterator<Item = A>,
{
    type Item = Result<R>;

    fn next(&mut self) -> Option<Result<R>> {
        self.top_up();
        if self.outstanding == 0 {
            return self.cut_off.take().map(Err);
        }
        self.outstanding -= 1;
        let outcome = self.consume();
        if matches!(&outcome, Some(Err(error)) if error.is_of_the_pool()) {
            // There is nothing more to come.
            (self.outstanding, self.arguments, self.cut_off) = (0, None, None);
        }
        outcome
    }
}

impl<T: Transport, A, R, I> Drop for Stream<T, A, R, I> {
    fn drop(&mut self) {
        let job = self.job;
        let discarded = self.pool.with(|core| {
            core.jobs.cancel(job);
            let _ = core.keep_times();
            core.jobs.abandon(job)
        });
        // Not before the lock is free.
        drop(discarded);
    }
}

impl<T: Transport, A, R, I> fmt::Debug for Stream<T, A, R, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("outstanding", &self.outstanding).finish_non_exhaustive()
    }
}
