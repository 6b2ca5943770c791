//! The baseline: one thread, no dispatch.
//!
//! Every speed-up is measured against this strategy, so it does nothing but
//! run the tasks one after the other.
#![forbid(unsafe_code)]

use harness::{
    Backend, BackendError, Configuration, Input, Job, Lent, Loaded, Placement, Running, Seats,
};

/// The serial backend for `configuration`.
///
/// # Errors
///
/// If it asks for more than one worker or for a start method.
pub fn backend(configuration: &Configuration) -> Result<Box<dyn Backend>, BackendError> {
    if configuration.workers.get() != 1 || configuration.strategy.start_method.is_some() {
        let why = "the baseline has one worker and no start method";
        return Err(BackendError::unsupported(configuration, why));
    }
    Ok(Box::new(Serial))
}

struct Serial;

impl Backend for Serial {
    fn start(&self, placement: Placement) -> Result<Box<dyn Running>, BackendError> {
        let _seat = Seats::of(placement)?.borrow(0)?;
        Ok(Box::new(Started { loaded: None, _seat }))
    }
}

struct Started {
    loaded: Option<Loaded>,
    /// The caller's, which is the one worker.
    _seat: Lent,
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
        let Some(loaded) = &mut self.loaded else { return Ok(()) };
        let job = loaded.job;
        loaded.stretches_mut().for_each(|stretch| job.run_task(stretch));
        Ok(())
    }

    fn stop(self: Box<Self>) -> Result<(), BackendError> {
        Ok(())
    }
}
