//! A persistent pool with one shared queue.
//!
//! Safe code cannot lend parts of one buffer to threads that outlive the
//! loan, so a task owns its stretch: it travels to a worker and back by
//! pointer, as arguments and results do in any pool that takes `'static` jobs.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use harness::{Backend, BackendError, FailureKind, Input, Job, Loaded, Placement, Running, Seats};

pub(crate) struct Threads {
    pub(crate) workers: usize,
}

impl Backend for Threads {
    fn start(&self, placement: Placement) -> Result<Box<dyn Running>, BackendError> {
        let seats = Arc::new(Seats::of(placement)?);
        let mut started =
            Started { job: None, tasks: Vec::new(), shared: Arc::default(), threads: Vec::new() };
        for index in 0..self.workers {
            let (shared, seats) = (Arc::clone(&started.shared), Arc::clone(&seats));
            let thread = thread::Builder::new().name(format!("threads-{index}"));
            let thread = thread.spawn(move || shared.work(seats.take(index))).map_err(|error| {
                BackendError::new(FailureKind::System, format!("cannot start a thread: {error}"))
            })?;
            started.threads.push(thread);
        }
        started.shared.wait_until_answered(self.workers)?;
        Ok(Box::new(started))
    }
}

struct Started {
    job: Option<Job>,
    /// In their order, between runs.
    tasks: Vec<Task>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Task {
    index: usize,
    stretch: Stretch,
}

/// A task's part of the buffer.
enum Stretch {
    /// A single result needs no allocation of its own.
    One(u64),
    Many(Box<[u64]>),
}

impl Stretch {
    fn as_mut(&mut self) -> &mut [u64] {
        match self {
            Self::One(slot) => std::slice::from_mut(slot),
            Self::Many(elements) => elements,
        }
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something in the queue, or an end.
    work: Condvar,
    /// Something was finished, or a worker has answered.
    progress: Condvar,
}

#[derive(Default)]
struct State {
    job: Option<Job>,
    queue: VecDeque<Task>,
    finished: Vec<Task>,
    /// Tasks of the job that are not finished.
    left: usize,
    answered: usize,
    /// The first worker that could not be placed.
    misplaced: Option<BackendError>,
    /// The first panic of a task.
    panicked: Option<usize>,
    end: bool,
}

impl Running for Started {
    fn load(&mut self, job: Job) -> Result<(), BackendError> {
        self.tasks = Vec::new();
        let mut whole = Loaded::new(job)?;
        let stretches = whole.stretches_mut();
        self.tasks = stretches
            .enumerate()
            .map(|(index, stretch)| Task { index, stretch: owned(stretch) })
            .collect();
        self.job = Some(job);
        Ok(())
    }

    fn input(&self) -> Input {
        Input::InProcess
    }

    fn visit_buffer(&mut self, visit: &mut dyn FnMut(usize, &mut [u64])) {
        let mut first = 0;
        for task in &mut self.tasks {
            let stretch = task.stretch.as_mut();
            visit(first, stretch);
            first += stretch.len();
        }
    }

    fn run(&mut self) -> Result<(), BackendError> {
        let Some(job) = self.job else { return Ok(()) };
        let mut finished = self.shared.run(job, std::mem::take(&mut self.tasks));
        // Results come in any order; each goes to its place.
        let mut in_order: Vec<Option<Task>> = Vec::new();
        in_order.resize_with(finished.len(), || None);
        for task in finished.drain(..) {
            let index = task.index;
            in_order[index] = Some(task);
        }
        self.tasks = in_order.into_iter().flatten().collect();
        match self.shared.lock().panicked.take() {
            None => Ok(()),
            Some(task) => {
                Err(BackendError::new(FailureKind::TaskPanicked, format!("task {task} panicked")))
            }
        }
    }

    fn stop(self: Box<Self>) -> Result<(), BackendError> {
        // Dropping ends and joins the threads.
        Ok(())
    }
}

fn owned(stretch: &[u64]) -> Stretch {
    match stretch {
        [one] => Stretch::One(*one),
        many => Stretch::Many(many.into()),
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.shared.lock().end = true;
        self.shared.work.notify_all();
        for thread in self.threads.drain(..) {
            // Tasks' panics are caught, so a worker returns.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until_answered(&self, workers: usize) -> Result<(), BackendError> {
        let state = self.lock();
        let waiting = |state: &mut State| state.answered < workers;
        let mut state =
            self.progress.wait_while(state, waiting).unwrap_or_else(PoisonError::into_inner);
        state.misplaced.take().map_or(Ok(()), Err)
    }

    /// Executes `tasks` and returns them in the order in which they were finished.
    fn run(&self, job: Job, tasks: Vec<Task>) -> Vec<Task> {
        let mut state = self.lock();
        state.left = tasks.len();
        state.job = Some(job);
        state.finished.reserve(tasks.len());
        state.queue.extend(tasks);
        self.work.notify_all();
        let waiting = |state: &mut State| state.left > 0;
        let mut state =
            self.progress.wait_while(state, waiting).unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.finished)
    }

    /// A worker's life, once it is told whether it sits where it should: one lock
    /// a task, to hand in the last and take the next.
    fn work(&self, seated: Result<(), BackendError>) {
        let mut state = self.lock();
        state.answered += 1;
        if let Err(error) = seated {
            state.misplaced.get_or_insert(error);
        }
        self.progress.notify_all();
        loop {
            let idle = |state: &mut State| state.queue.is_empty() && !state.end;
            state = self.work.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
            let (Some(mut task), Some(job)) = (state.queue.pop_front(), state.job) else { return };
            drop(state);
            let executed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                job.run_task(task.stretch.as_mut());
            }));
            state = self.lock();
            if executed.is_err() {
                state.panicked.get_or_insert(task.index);
            }
            state.finished.push(task);
            state.left -= 1;
            if state.left == 0 {
                self.progress.notify_all();
            }
        }
    }
}
