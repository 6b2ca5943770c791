//! A pool's dispatch without a pool: to count what it costs.
//!
//! How often a real pool sleeps, looks and gathers depends on when who runs, so
//! it executes other instructions each time. Here one thread is parent and worker
//! in turn, and executes the same ones each time.

use std::{
    io::{self, IoSlice},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    call::results_of,
    frame::{JobHeader, job},
    function::CallFn,
    jobs::{Function, Jobs, Order, Policy},
    lane::{Broken, Lane, News},
    status::Status,
    transport::{Port, Transport},
    work::Calls,
    worker::Worker,
};
use crate::{Error, Result};

/// Tasks whose requests are written together: their frames fit into what any
/// stream holds, so that nobody has to wait for the other.
const TASKS_AT_A_TIME: usize = 256;

/// The parent's and a worker's part of [`map`](super::Pool::map): everything
/// between arguments and results but processes, locks, and waiting.
pub struct Rehearsal<T: Transport> {
    jobs: Jobs,
    lane: Lane<T::Stream>,
    worker: Worker<Given<T::Port>>,
    /// The doorbell of both.
    _transport: T,
}

impl<T: Transport> Rehearsal<T> {
    /// A parent and its worker in this process.
    ///
    /// # Errors
    ///
    /// If the operating system refuses a descriptor or memory.
    pub fn new() -> Result<Self> {
        let transport = T::new()?;
        let (stream, descriptors) = transport.connect()?;
        let port = Given { port: T::open(descriptors)?, bytes: 0 };
        // A worker's status lives as long as its process.
        let status = Box::leak(Box::new(Status::new()?));
        Ok(Self {
            jobs: Jobs::default(),
            lane: Lane::new(stream, (std::process::id().cast_signed(), T::NAME.to_owned())),
            worker: Worker::new(port, status, T::HAS_ERRANDS),
            _transport: transport,
        })
    }

    /// As [`Pool::map`](super::Pool::map). The encoded arguments and results of
    /// 256 tasks must fit into the buffers of the operating system's pipes, 64 KiB.
    ///
    /// # Errors
    ///
    /// As there, and if the streams break.
    pub fn map<A, R, F>(&mut self, f: F, arguments: Vec<A>) -> Result<Vec<R>>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        let header = JobHeader { token: CallFn::new(f).token(), kind: job::CALL, is_timed: 0 };
        let id = self.jobs.enter(Order {
            function: Function { header, context: Vec::new() },
            policy: Policy::default(),
            count: arguments.len() as u64,
            work: Box::new(Calls::<A, R>::new(arguments).waited_for()),
            is_open: false,
            conclude: results_of::<A, R>,
        });
        while !self.jobs.is_finished(id) {
            self.take_turns().map_err(|source| Error::System { what: "rehearse", source })?;
        }
        let ended = self.jobs.take_outcome(id);
        drop(self.jobs.abandon(id));
        ended.conclude()
    }

    /// The parent writes what is next, the worker answers it, the parent reads it.
    fn take_turns(&mut self) -> io::Result<()> {
        let broken = |broken: Broken| io::Error::other(format!("{broken:?}"));
        self.lane.stage_tasks(&mut self.jobs, TASKS_AT_A_TIME);
        let before = self.lane.moved();
        self.lane.write(&self.jobs).map_err(broken)?;
        self.worker.port_mut().bytes += (self.lane.moved() - before) as usize;
        self.worker.work()?;
        self.lane.read(&mut self.jobs, &mut News::default()).map_err(broken)
    }
}

/// A port whose stream ends, for the time being, behind what was written: to read
/// on would be to wait for ever.
struct Given<P> {
    port: P,
    /// Bytes that were written and not read.
    bytes: usize,
}

impl<P: Port> Port for Given<P> {
    const WRITES_ARE_CHEAP: bool = P::WRITES_ARE_CHEAP;

    fn set_spin(&mut self, limit: Duration) {
        self.port.set_spin(limit);
    }
}

impl<P: Port> io::Read for Given<P> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.bytes == 0 {
            return Ok(0);
        }
        let read = self.port.read(into)?;
        self.bytes -= read;
        Ok(read)
    }
}

impl<P: Port> io::Write for Given<P> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.port.write(from)
    }

    fn write_vectored(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        self.port.write_vectored(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.port.flush()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::SharedMemoryRings;

    #[test]
    #[cfg_attr(miri, ignore = "needs sockets and memory files")]
    fn a_rehearsal_gives_what_a_pool_would_and_can_be_repeated() {
        let mut rehearsal = Rehearsal::<SharedMemoryRings>::new().unwrap();
        for _ in 0..3 {
            let numbers = rehearsal.map(|x: u64| x.pow(3), (0..1_000).collect()).unwrap();
            assert!(numbers.iter().zip(0u64..).all(|(&cube, x)| cube == x.pow(3)));
            let texts = (0..600u64).map(|x| x.to_string()).collect();
            let lens = rehearsal.map(|text: String| text.len() as u64, texts).unwrap();
            assert_eq!((lens.len(), lens[9], lens[10]), (600, 1, 2));
        }
        assert_eq!(rehearsal.map(|x: u64| x, Vec::new()).unwrap(), [0; 0]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs sockets and memory files")]
    fn a_task_that_panics_has_failed() {
        let mut rehearsal = Rehearsal::<SharedMemoryRings>::new().unwrap();
        let outcome = rehearsal.map(|x: u64| assert_ne!(x, 300), (0..400).collect());
        assert!(matches!(outcome, Err(Error::TaskPanicked { task: 300, .. })), "{outcome:?}");
        assert_eq!(rehearsal.map(|x: u64| x + 1, vec![1]).unwrap(), [2]);
    }
}
