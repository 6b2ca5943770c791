//! The pool as a strategy to be measured.

use harness::{
    Backend, BackendError, Configuration, FailureKind, Input, Job, Lent, Placement, Running, Seats,
    Workload,
};
use multiproc::{
    Error, StartMethod,
    pool::{Bulk, Chunks, Pinning},
};

use crate::{Array, Pool, SharedMemoryRings};

/// The shared-memory pool for `configuration`.
///
/// # Errors
///
/// If it names no start method.
pub fn backend(configuration: &Configuration) -> Result<Box<dyn Backend>, BackendError> {
    let method = configuration.strategy.start_method.map(|method| method.name().parse());
    let Some(Ok(start_method)) = method else {
        return Err(BackendError::unsupported(
            configuration,
            "a process pool needs a start method",
        ));
    };
    Ok(Box::new(ShmPool { workers: configuration.workers.get(), start_method }))
}

struct ShmPool {
    workers: usize,
    start_method: StartMethod,
}

impl Backend for ShmPool {
    fn start(&self, placement: Placement) -> Result<Box<dyn Running>, BackendError> {
        // The tasks are known to end in order, so the caller may work beside the
        // workers: that is what somebody would choose who measures.
        let builder = Pool::builder().workers(self.workers).start_method(self.start_method);
        let builder = builder.caller_helps(true);
        let builder = match placement {
            Placement::Free => builder,
            Placement::Pinned => builder.pinning(Pinning::Spread),
        };
        // The workers are spread over the cores that this thread may run on before
        // it takes the seat of the last of them, in whose place it works.
        let seats = Seats::of(placement)?;
        let pool = builder.build().map_err(failure)?;
        let _seat = seats.borrow(self.workers - 1)?;
        Ok(Box::new(Started { loaded: None, pool, _seat }))
    }
}

struct Started {
    loaded: Option<(Job, Array<u64>)>,
    pool: Pool,
    /// The caller's.
    _seat: Lent,
}

impl Running for Started {
    fn load(&mut self, job: Job) -> Result<(), BackendError> {
        self.loaded = None;
        let len = job.buffer_len().ok_or_else(|| BackendError::out_of_memory(&job))?;
        self.loaded = Some((job, self.pool.array(len).map_err(failure)?));
        Ok(())
    }

    fn input(&self) -> Input {
        Input::BornShared
    }

    fn visit_buffer(&mut self, visit: &mut dyn FnMut(usize, &mut [u64])) {
        if let Some((_, buffer)) = &mut self.loaded {
            visit(0, buffer);
        }
    }

    fn run(&mut self) -> Result<(), BackendError> {
        let Some((job, buffer)) = &mut self.loaded else { return Ok(()) };
        let chunks = Chunks { len: job.stretch_len(), count: job.tasks };
        let size = job.task_size as u64;
        let call = self.pool.call();
        // Each arm is a task function of its own: what crosses is its place.
        match job.workload {
            Workload::SumOfSquares => {
                SharedMemoryRings::change_chunks(&call, buffer, chunks, size, |n: u64, sum| {
                    Workload::SumOfSquares.run_task(n as usize, sum);
                })
            }
            Workload::Square => {
                SharedMemoryRings::change_chunks(&call, buffer, chunks, size, |n: u64, chunk| {
                    Workload::Square.run_task(n as usize, chunk);
                })
            }
            Workload::Cube => {
                SharedMemoryRings::change_chunks(&call, buffer, chunks, size, |n: u64, chunk| {
                    Workload::Cube.run_task(n as usize, chunk);
                })
            }
        }
        .map_err(failure)
    }

    fn stop(self: Box<Self>) -> Result<(), BackendError> {
        drop(self.loaded);
        self.pool.shutdown().map_err(failure)
    }
}

fn failure(error: Error) -> BackendError {
    BackendError::new(FailureKind::from_name(error.kind()), error)
}
