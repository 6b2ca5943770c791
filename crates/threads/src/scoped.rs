//! New threads for every run, each with an equal share of the tasks.

use std::{panic::resume_unwind, thread};

use harness::{
    Backend, BackendError, FailureKind, Input, Job, Loaded, Placement, Running, Seats,
    job::stretches_mut,
};

pub(crate) struct Scoped {
    pub(crate) workers: usize,
}

impl Backend for Scoped {
    fn start(&self, placement: Placement) -> Result<Box<dyn Running>, BackendError> {
        let seats = Seats::of(placement)?;
        Ok(Box::new(Started { workers: self.workers, seats, loaded: None }))
    }
}

struct Started {
    workers: usize,
    seats: Seats,
    loaded: Option<Loaded>,
}

impl Running for Started {
    fn load(&mut self, job: Job) -> Result<(), BackendError> {
        self.loaded = None;
        self.loaded = Some(Loaded::new(job)?);
        Ok(())
    }

    fn input(&self) -> Input {
        Input::InProcess
    }

    fn visit_buffer(&mut self, visit: &mut dyn FnMut(usize, &mut [u64])) {
        if let Some(loaded) = &mut self.loaded {
            visit(0, &mut loaded.buffer);
        }
    }

    fn run(&mut self) -> Result<(), BackendError> {
        let Some(Loaded { job, buffer }) = &mut self.loaded else { return Ok(()) };
        let job = *job;
        let (workers, seats) = (self.workers, &self.seats);
        let mut rest = &mut buffer[..];
        thread::scope(|scope| {
            let mut started = Vec::new();
            for worker in 0..workers {
                let tasks = share(job.tasks, workers, worker);
                let share = Job { tasks, ..job };
                let (stretches, tail) =
                    std::mem::take(&mut rest).split_at_mut(tasks * job.stretch_len());
                rest = tail;
                let work = move || {
                    seats.take(worker)?;
                    stretches_mut(&share, stretches).for_each(|stretch| job.run_task(stretch));
                    Ok(())
                };
                started.push(thread::Builder::new().spawn_scoped(scope, work));
            }
            started.into_iter().try_for_each(|thread| match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                Err(error) => Err(BackendError::new(
                    FailureKind::System,
                    format!("cannot start a thread: {error}"),
                )),
            })
        })
    }

    fn stop(self: Box<Self>) -> Result<(), BackendError> {
        Ok(())
    }
}

/// Tasks of one worker; the first ones get one more if they do not divide evenly.
fn share(tasks: usize, workers: usize, worker: usize) -> usize {
    tasks / workers + usize::from(worker < tasks % workers)
}
