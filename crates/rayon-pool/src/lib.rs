//! The rayon strategy: a parallel iterator over the tasks, on a thread pool of
//! its own.
//!
//! Rayon divides the tasks among its threads as it sees fit, which is what its
//! users get: one task is not one unit of dispatch here.
#![forbid(unsafe_code)]

use std::thread::{self, JoinHandle};

use harness::{
    Backend, BackendError, Configuration, FailureKind, Input, Job, Loaded, Placement, Running,
    Seats,
};
use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};

/// The rayon backend for `configuration`.
///
/// # Errors
///
/// If it asks for a start method.
pub fn backend(configuration: &Configuration) -> Result<Box<dyn Backend>, BackendError> {
    if configuration.strategy.start_method.is_some() {
        return Err(BackendError::unsupported(configuration, "threads have no start method"));
    }
    Ok(Box::new(Rayon { workers: configuration.workers.get() }))
}

struct Rayon {
    workers: usize,
}

impl Backend for Rayon {
    fn start(&self, placement: Placement) -> Result<Box<dyn Running>, BackendError> {
        let seats = Seats::of(placement)?;
        let mut threads = Vec::new();
        let pool = ThreadPoolBuilder::new()
            .num_threads(self.workers)
            // Threads of our own making can be joined; rayon's cannot.
            .spawn_handler(|worker| {
                let thread = thread::Builder::new().name(format!("rayon-{}", worker.index()));
                threads.push(thread.spawn(|| worker.run())?);
                Ok(())
            })
            .build()
            .map_err(|error| BackendError::new(FailureKind::System, error))?;
        // Every thread has answered once it has run this.
        let seated = pool.broadcast(|worker| seats.take(worker.index()));
        let started = Box::new(Started { loaded: None, pool, threads });
        match seated.into_iter().find_map(Result::err) {
            None => Ok(started),
            Some(error) => started.stop().and(Err(error)),
        }
    }
}

struct Started {
    loaded: Option<Loaded>,
    pool: ThreadPool,
    threads: Vec<JoinHandle<()>>,
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
        self.pool.install(|| match job.stretch_len() {
            // Nothing to divide, and as many tasks as there are.
            0 => (0..job.tasks).into_par_iter().for_each(|_| job.run_task(&mut [])),
            len => buffer.par_chunks_exact_mut(len).for_each(|stretch| job.run_task(stretch)),
        });
        Ok(())
    }

    fn stop(self: Box<Self>) -> Result<(), BackendError> {
        // Dropping the pool tells its threads to end without waiting for them.
        drop(self.pool);
        for thread in self.threads {
            thread.join().map_err(|_| {
                BackendError::new(FailureKind::WorkerDied, "a thread of rayon's panicked")
            })?;
        }
        Ok(())
    }
}
