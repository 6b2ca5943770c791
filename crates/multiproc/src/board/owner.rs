//! A board's parent: publishes jobs and waits for them.

use std::{
    cmp::Ordering,
    os::{
        fd::{AsFd, AsRawFd, RawFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc, PoisonError,
        atomic::Ordering::{Acquire, Relaxed, SeqCst},
    },
    time::{Duration, Instant},
};

use bytemuck::Pod;
use nix::poll::{PollFd, PollFlags};

use super::{
    BoardArray, RegionId, Stretch,
    array::Detached,
    layout::{CONTEXT_BYTES, Header, Layout, NO_REGION, Slot, StretchWords, kind, state},
    member::{Orders, RegionMessage, serve},
};
use crate::{
    Crew, EntryPoint, Error, EventFd, Inheritance, ParentEnd, PoolConfig, Result, SharedMemory,
    TaskFn, cpu_count, futex, socket::send_with_descriptors,
};

/// Worker processes that claim the tasks of one job at a time from shared
/// memory. Dropping it kills and reaps them.
#[derive(Debug)]
pub struct Board {
    layout: Layout,
    crew: Crew,
    sockets: Vec<ParentEnd<UnixStream>>,
    event: EventFd,
    /// How often the parent looks whether a job is done before it sleeps.
    spin: u32,
    generation: u32,
    next_region: u32,
    detached: Detached,
}

/// A worker or parent that waits looks this often before it sleeps, if there
/// is a core to spare: some 50 µs, about what waking a sleeper costs, so that
/// waiting never costs more than twice the best that could have been done
/// (Karlin et al., "Competitive randomized algorithms for nonuniform
/// problems", 1990).
const SPIN_WITH_CORES_TO_SPARE: u32 = 2_000;

/// Otherwise a worker looks for some 5 µs, which bridges back-to-back jobs
/// and is less than a time slice by far.
const SPIN_WITHOUT: u32 = 200;

impl Board {
    /// Starts the workers and returns when every one has answered.
    ///
    /// # Errors
    ///
    /// If one cannot be started or does not answer in time; none is left then.
    pub fn start(config: &PoolConfig) -> Result<Self> {
        let workers = config.workers.get();
        let memory = SharedMemory::new(Layout::size(workers))?;
        let event = EventFd::new()?;
        let (worker_spin, parent_spin) = match config.workers.cmp(&cpu_count()) {
            Ordering::Less => (SPIN_WITH_CORES_TO_SPARE, SPIN_WITH_CORES_TO_SPARE),
            Ordering::Equal => (SPIN_WITHOUT, 0),
            // A spinner would hold up the work that it waits for.
            Ordering::Greater => (0, 0),
        };
        let mut sockets = Vec::new();
        let inheritances = (0..workers).map(|index| {
            let (ours, theirs) =
                UnixStream::pair().map_err(Error::system("create a socket pair"))?;
            sockets.push(ParentEnd::new(ours));
            let orders = Orders { workers: workers as u32, index: index as u32, spin: worker_spin };
            let copy = |fd: &dyn AsFd| {
                fd.as_fd().try_clone_to_owned().map_err(Error::system("copy a descriptor"))
            };
            Ok(Inheritance {
                payload: bytemuck::bytes_of(&orders).to_vec(),
                descriptors: vec![copy(&memory)?, copy(&event)?, theirs.into()],
            })
        });
        let crew = Crew::start(config, EntryPoint::new(serve), inheritances)?;
        let mut board = Self {
            layout: Layout::new(memory, workers),
            crew,
            sockets,
            event,
            spin: parent_spin,
            generation: 0,
            next_region: 0,
            detached: Detached::default(),
        };
        board.wait_until_ready(config.start_timeout)?;
        Ok(board)
    }

    /// Worker processes; 0 once an error has ended them.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.crew.pids().len()
    }

    /// Process ids of the workers.
    pub fn pids(&self) -> impl ExactSizeIterator<Item = i32> {
        self.crew.pids()
    }

    /// An array of `len` zeros in memory that every worker has mapped.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`] if there is not enough, or [`Error::WorkerDied`].
    pub fn array<T: Pod>(&mut self, len: usize) -> Result<BoardArray<T>> {
        self.check_alive()?;
        let bytes = len.saturating_mul(size_of::<T>());
        let memory = SharedMemory::new(bytes)?;
        let region = RegionId(self.next_region);
        self.next_region += 1;
        let attach = RegionMessage { region: region.0, attach: 1, len: bytes as u64 };
        self.announce_regions(attach, memory.as_fd().as_raw_fd())?;
        Ok(BoardArray::new(memory, len, region, Arc::clone(&self.detached)))
    }

    /// Executes `task` once for every index below `tasks` and returns when
    /// every result can be read.
    ///
    /// Task i gets `context`, the i-th stretch of `input` and the i-th
    /// stretch of `output`, which it may change.
    ///
    /// # Errors
    ///
    /// - [`Error::TaskPanicked`] for the first task that panicked; all others
    ///   were executed.
    /// - [`Error::WorkerDied`]: the other workers are killed too, the array
    ///   holds whatever they had done, and the board is [`Error::Broken`]
    ///   from then on.
    /// - [`Error::TooLarge`] if there are 2³² − 1 tasks or more, or more than
    ///   64 bytes of context.
    ///
    /// # Panics
    ///
    /// If a stretch does not lie in an array of this board, or `output` does
    /// not come from [`BoardArray::stretches_mut`].
    pub fn execute(
        &mut self,
        task: TaskFn,
        context: &[u8],
        tasks: usize,
        input: Option<Stretch<'_>>,
        output: Stretch<'_>,
    ) -> Result<()> {
        for stretch in input.iter().chain([&output]) {
            assert!(
                stretch.holds(tasks, &self.detached),
                "every stretch lies in an array of this board"
            );
        }
        assert!(output.exclusive, "the output is borrowed exclusively");
        limit("tasks", tasks, u32::MAX as usize - 1)?;
        limit("bytes of context", context.len(), CONTEXT_BYTES)?;
        self.check_alive()?;
        if tasks == 0 {
            return Ok(());
        }
        self.close()?;
        let job = &self.header().job;
        job.set_token(task.token());
        job.set_context(context);
        set_stretch(&job.input, input.as_ref());
        set_stretch(&job.output, Some(&output));
        self.deal(tasks);
        self.publish(kind::TASKS, tasks as u32);
        self.wait(tasks as u32, None)?;
        self.failure_of_job()
    }

    /// Tells the workers to end and waits until they have; kills those that
    /// take longer than `patience`.
    ///
    /// # Errors
    ///
    /// [`Error::WorkerDied`] for the first that did not end as it should.
    pub fn shutdown(mut self, patience: Duration) -> Result<()> {
        self.check_alive()?;
        self.close()?;
        self.publish(kind::END, 0);
        self.crew.join(patience)
    }

    fn header(&self) -> &Header {
        self.layout.header()
    }

    fn check_alive(&self) -> Result<()> {
        if self.crew.is_empty() { Err(Error::Broken) } else { Ok(()) }
    }

    fn wait_until_ready(&mut self, timeout: Duration) -> Result<()> {
        let workers = self.workers() as u32;
        if self.wait(workers, Some(Instant::now() + timeout))? {
            return Ok(());
        }
        let starting = |slot: &Slot| slot.status.0.state.load(SeqCst) == state::STARTING;
        let silent = self.layout.slots().iter().position(starting).unwrap_or(0);
        let pid = self.pids().nth(silent).unwrap_or_default();
        self.crew.kill();
        Err(Error::StartTimedOut { pid, seconds: timeout.as_secs() })
    }

    /// Step 1: no worker is active any more, and none can become so.
    fn close(&mut self) -> Result<()> {
        self.generation = self.generation.wrapping_add(1);
        // Pairs with `Member::become_active`: a worker that is not seen as
        // active below sees this generation and steps back.
        self.header().generation.0.store(self.generation, SeqCst);
        let mut looks = 0u32;
        while self
            .layout
            .slots()
            .iter()
            .any(|slot| slot.status.0.state.load(SeqCst) == state::ACTIVE)
        {
            looks += 1;
            if looks < SPIN_WITHOUT {
                std::hint::spin_loop();
            } else {
                // It has been displaced, stopped or killed in its last steps.
                self.sleep(Some(Duration::from_millis(1)))?;
            }
        }
        Ok(())
    }

    /// Gives every worker the same share, to within one task.
    fn deal(&self, tasks: usize) {
        let slots = self.layout.slots();
        let share = |index: usize| (tasks as u64 * index as u64 / slots.len() as u64) as u32;
        for (index, slot) in slots.iter().enumerate() {
            slot.range.0.set(share(index), share(index + 1));
        }
    }

    /// Step 2: the rest of the job is written.
    fn publish(&mut self, kind: u32, tasks: u32) {
        let header = self.layout.header();
        header.job.kind.store(kind, Relaxed);
        header.job.tasks.store(tasks, Relaxed);
        header.completed.0.store(0, Relaxed);
        header.failed.store(0, Relaxed);
        self.generation = self.generation.wrapping_add(1);
        // Release: pairs with the loads in `Member::next_generation`. SeqCst:
        // a worker that this does not see as a sleeper sees the generation.
        header.generation.0.store(self.generation, SeqCst);
        if header.sleepers.0.load(SeqCst) > 0 {
            futex::wake_all(&header.generation.0);
        }
    }

    /// Sends one message, and those about dropped arrays, to every worker and
    /// waits until all have followed them.
    fn announce_regions(&mut self, attach: RegionMessage, descriptor: RawFd) -> Result<()> {
        let dropped =
            std::mem::take(&mut *self.detached.lock().unwrap_or_else(PoisonError::into_inner));
        let detach =
            dropped.iter().map(|region| RegionMessage { region: region.0, attach: 0, len: 0 });
        let messages: Vec<RegionMessage> = detach.chain([attach]).collect();
        self.close()?;
        let sent = self.sockets.iter().try_for_each(|socket| {
            messages.iter().try_for_each(|message| {
                let descriptors = if message.attach == 1 { &[descriptor][..] } else { &[] };
                send_with_descriptors(socket, bytemuck::bytes_of(message), descriptors)
            })
        });
        if let Err(source) = sent {
            // Most likely a worker has died; which one is what the user wants to know.
            self.sleep(Some(Duration::from_millis(100)))?;
            self.crew.kill();
            return Err(Error::System { what: "send a message to a worker", source });
        }
        let workers = self.workers() as u32;
        self.publish(kind::REGIONS, messages.len() as u32);
        self.wait(workers, None)?;
        match self.failure() {
            None => Ok(()),
            Some((_, message)) => Err(Error::System {
                what: "share memory with a worker",
                source: std::io::Error::other(message),
            }),
        }
    }

    fn failure(&self) -> Option<(usize, String)> {
        let worker = self.header().failed.load(Relaxed).checked_sub(1)?;
        Some(self.layout.slots().get(worker as usize)?.failure())
    }

    fn failure_of_job(&self) -> Result<()> {
        match self.failure() {
            None => Ok(()),
            Some((task, message)) => {
                let name = "worker".to_owned();
                Err(Error::TaskPanicked { task, pid: 0, name, message, backtrace: None })
            }
        }
    }

    /// Returns true when `completed` has reached `target`, false at the deadline.
    fn wait(&mut self, target: u32, deadline: Option<Instant>) -> Result<bool> {
        for _ in 0..self.spin {
            // Pairs with the addition in `Member::tell_completed`: whoever
            // sees the sum sees the results.
            if self.header().completed.0.load(Acquire) >= target {
                return Ok(true);
            }
            std::hint::spin_loop();
        }
        self.header().parent_sleeps.store(1, SeqCst);
        let waited = self.sleep_until_completed(target, deadline);
        self.header().parent_sleeps.store(0, SeqCst);
        waited
    }

    fn sleep_until_completed(&mut self, target: u32, deadline: Option<Instant>) -> Result<bool> {
        // Pairs with `Member::tell_completed`, which adds and then reads
        // whether the parent sleeps: one of the two sees the other.
        while self.header().completed.0.load(SeqCst) < target {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(false);
            }
            self.sleep(left)?;
        }
        Ok(true)
    }

    /// Sleeps until a worker sets the event, or for `timeout`. If a worker has
    /// died, or nobody can tell, kills all of them, so that nobody writes to
    /// the caller's memory any more, and fails.
    fn sleep(&mut self, timeout: Option<Duration>) -> Result<()> {
        let slept = self.try_sleep(timeout);
        if slept.is_err() {
            self.crew.kill();
        }
        slept
    }

    fn try_sleep(&mut self, timeout: Option<Duration>) -> Result<()> {
        let mut fds = [PollFd::new(self.event.as_fd(), PollFlags::POLLIN)];
        let dead = self.crew.poll(&mut fds, timeout)?;
        self.event.clear();
        let Some(index) = dead else { return Ok(()) };
        let mut death = self.crew.death_of(index);
        if let Error::WorkerDied { task, .. } = &mut death {
            let current = self.layout.slots()[index].status.0.current.load(Relaxed);
            *task = current.checked_sub(1).map(|task| task as usize);
        }
        Err(death)
    }
}

fn set_stretch(words: &StretchWords, stretch: Option<&Stretch<'_>>) {
    match stretch {
        Some(stretch) => words.set(stretch.region.0, stretch.stride, stretch.len),
        None => words.set(NO_REGION, 0, 0),
    }
}

fn limit(what: &'static str, got: usize, most: usize) -> Result<()> {
    if got <= most { Ok(()) } else { Err(Error::TooLarge { what, got, most }) }
}
