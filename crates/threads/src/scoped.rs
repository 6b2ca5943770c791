//! New threads for every run, each with an equal share of the tasks.

use std::thread;

use harness::{
    Backend, BackendError, FailureKind, Input, Job, Loaded, Running, job::stretches_mut,
};

pub(crate) struct Scoped {
    pub(crate) workers: usize,
}

impl Backend for Scoped {
    fn start(&self) -> Result<Box<dyn Running>, BackendError> {
        Ok(Box::new(Started { workers: self.workers, loaded: None }))
    }
}

struct Started {
    workers: usize,
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
        let shares = (0..self.workers).map(|worker| share(job.tasks, self.workers, worker));
        let mut rest = &mut buffer[..];
        thread::scope(|scope| {
            let mut started = Vec::new();
            for tasks in shares {
                let share = Job { tasks, ..job };
                let (stretches, tail) =
                    std::mem::take(&mut rest).split_at_mut(tasks * job.stretch_len());
                rest = tail;
                let work = move || {
                    stretches_mut(&share, stretches).for_each(|stretch| job.run_task(stretch))
                };
                started.push(thread::Builder::new().spawn_scoped(scope, work));
            }
            let failed = started.into_iter().find_map(Result::err);
            failed.map_or(Ok(()), |error| {
                Err(BackendError::new(
                    FailureKind::System,
                    format!("cannot start a thread: {error}"),
                ))
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
