//! `driver runner`: hosts one backend for a driver.

use harness::{
    Backend, BackendError, Configuration, Input, Job, Placement, Running, Strategy, Workload,
};
use nix::sys::signal::Signal;

use super::tether;
use crate::{backends, cli::RunnerArgs, config::suggest, error::Error, outcome::End};

/// Speaks the protocol until it is told to quit or the driver is gone.
///
/// # Errors
///
/// If there is no such backend, it does not know the configuration, or the
/// driver hangs up in the middle of a line.
pub(super) fn execute(arguments: RunnerArgs) -> Result<End, Error> {
    let broken = |cause| Error::System {
        what: "the pipe to the driver broke".to_owned(),
        cause,
        help: "requests are single lines of JSON; `crates/harness/src/protocol.rs` describes them",
    };
    if let Some(parent) = arguments.parent {
        tether::tie_to(parent, Signal::SIGKILL).map_err(broken)?;
    }
    let Some(entry) = backends::find(&arguments.backend) else {
        let help = suggest::among(&arguments.backend, backends::ALL.iter().map(|entry| entry.name));
        let problem = format!("`--backend {}`: unknown backend\nhelp: {help}", arguments.backend);
        return Err(Error::Argument(problem));
    };
    let strategy = Strategy { backend: arguments.backend, start_method: arguments.start_method };
    let configuration = Configuration { strategy, workers: arguments.workers };
    let mut backend =
        (entry.construct)(&configuration).unwrap_or_else(|error| Box::new(Refused(error)));
    if arguments.extra_work > 0.0 {
        let share = arguments.extra_work / configuration.workers.get() as f64;
        backend = Box::new(Burdened { backend, share });
    }
    let placement = Placement::of(arguments.pin);
    harness::runner::serve(backend.as_ref(), placement).map_err(broken)?;
    Ok(End::Complete)
}

/// A backend that does more work than it is asked for, so that a duel has
/// something to find: after each run this thread works on a share of its
/// elements, divided by the number of workers, once more.
struct Burdened {
    backend: Box<dyn Backend>,
    share: f64,
}

struct RunningBurdened {
    running: Box<dyn Running>,
    share: f64,
    /// The work that comes on top: a task of that many elements.
    extra: Option<(Workload, usize, Vec<u64>)>,
}

impl Backend for Burdened {
    fn start(&self, placement: Placement) -> Result<Box<dyn Running>, BackendError> {
        let running = self.backend.start(placement)?;
        Ok(Box::new(RunningBurdened { running, share: self.share, extra: None }))
    }
}

impl Running for RunningBurdened {
    fn load(&mut self, job: Job) -> Result<(), BackendError> {
        let size = (job.elements() as f64 * self.share) as usize;
        let stretch = vec![1; job.workload.stretch_len(size)];
        self.extra = Some((job.workload, size, stretch));
        self.running.load(job)
    }

    fn input(&self) -> Input {
        self.running.input()
    }

    fn visit_buffer(&mut self, visit: &mut dyn FnMut(usize, &mut [u64])) {
        self.running.visit_buffer(visit);
    }

    fn run(&mut self) -> Result<(), BackendError> {
        self.running.run()?;
        if let Some((workload, size, stretch)) = &mut self.extra {
            workload.run_task(*size, stretch);
            std::hint::black_box(stretch);
        }
        Ok(())
    }

    fn stop(self: Box<Self>) -> Result<(), BackendError> {
        self.running.stop()
    }
}

/// A configuration that its backend does not know: the driver hears the
/// reason, typed, as the answer to its first request.
struct Refused(BackendError);

impl Backend for Refused {
    fn start(&self, _: Placement) -> Result<Box<dyn Running>, BackendError> {
        Err(self.0.clone())
    }
}
