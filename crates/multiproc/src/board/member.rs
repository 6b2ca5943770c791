//! A board's worker: claims tasks and executes them.

use std::{
    collections::HashMap,
    os::{fd::OwnedFd, unix::net::UnixStream},
    slice,
    sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst},
};

use bytemuck::{Pod, Zeroable};

use super::{
    layout::{CONTEXT_BYTES, Header, Layout, NO_REGION, Slot, StretchWords, kind, state},
    stretch::last_begins_within,
};
use crate::{
    EventFd, Inheritance, SharedMemory, TaskFn, TaskPanic, futex, socket::receive_with_descriptors,
};

/// What a worker is told at birth.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Orders {
    pub(super) workers: u32,
    pub(super) index: u32,
    /// How often a worker looks for a job before it sleeps.
    pub(super) spin: u32,
}

/// Sent to every worker, with a descriptor if the region is new.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct RegionMessage {
    pub(super) region: u32,
    /// 1 to map it, 0 to let go of it.
    pub(super) attach: u32,
    pub(super) len: u64,
}

/// The entry point of a worker process.
///
/// # Panics
///
/// If what the parent says makes no sense. The process ends then and the
/// parent reports it.
pub(super) fn serve(inheritance: Inheritance) {
    let orders: Orders = bytemuck::pod_read_unaligned(&inheritance.payload);
    let [memory, event, socket] =
        <[OwnedFd; 3]>::try_from(inheritance.descriptors).expect("three descriptors");
    let workers = orders.workers as usize;
    let memory =
        SharedMemory::from_descriptor(memory, Layout::size(workers)).expect("the board's memory");
    let mut member = Member {
        layout: Layout::new(memory, workers),
        me: orders.index as usize,
        spin: orders.spin,
        event: EventFd::from_descriptor(event),
        socket: UnixStream::from(socket),
        regions: HashMap::new(),
    };
    TaskPanic::capture();
    member.work();
}

struct Member {
    layout: Layout,
    me: usize,
    spin: u32,
    event: EventFd,
    socket: UnixStream,
    regions: HashMap<u32, SharedMemory>,
}

/// A task's function and where the stretches lie, checked once a job.
struct Job {
    task: TaskFn,
    tasks: u32,
    context: [u8; CONTEXT_BYTES],
    context_len: usize,
    input: Stretches,
    output: Stretches,
}

/// Invariant: `len` bytes from `base` on are mapped while the job runs, and the
/// stretch of each of its tasks begins within them.
#[derive(Clone, Copy)]
struct Stretches {
    base: *mut u8,
    stride: usize,
    len: usize,
}

impl Member {
    fn work(&mut self) {
        self.slot().status.0.state.store(state::IDLE, SeqCst);
        self.tell_completed(1, self.layout.slots().len() as u32);
        let mut generation = 0;
        loop {
            generation = self.next_generation(generation);
            if !self.become_active(generation) {
                continue;
            }
            match self.header().job.kind.load(Relaxed) {
                kind::TASKS => self.execute_tasks(),
                kind::REGIONS => self.update_regions(),
                _ => return,
            }
            // Pairs with the parent's load in `Board::close`: it writes the
            // next job only after everything that was read of this one.
            self.slot().status.0.state.store(state::IDLE, Release);
        }
    }

    fn header(&self) -> &Header {
        self.layout.header()
    }

    fn slot(&self) -> &Slot {
        &self.layout.slots()[self.me]
    }

    /// Waits for a published generation other than `last`: spins a little,
    /// then sleeps.
    fn next_generation(&self, last: u32) -> u32 {
        let header = self.header();
        let published = || {
            // Pairs with the store in `Board::publish`: whoever sees the
            // generation also sees the job.
            let now = header.generation.0.load(Acquire);
            (now != last && now.is_multiple_of(2)).then_some(now)
        };
        for _ in 0..self.spin {
            if let Some(generation) = published() {
                return generation;
            }
            std::hint::spin_loop();
        }
        // Pairs with `Board::publish`, which stores the generation and then
        // reads this: either it sees a sleeper to wake, or the futex sees the
        // new generation and does not sleep.
        header.sleepers.0.fetch_add(1, SeqCst);
        let generation = loop {
            let now = header.generation.0.load(SeqCst);
            if now != last && now.is_multiple_of(2) {
                break now;
            }
            futex::wait(&header.generation.0, now, None);
        };
        header.sleepers.0.fetch_sub(1, SeqCst);
        generation
    }

    /// Step 3 of the protocol; false if the generation is over already.
    fn become_active(&self, generation: u32) -> bool {
        let state = &self.slot().status.0.state;
        state.store(state::ACTIVE, SeqCst);
        let current = self.header().generation.0.load(SeqCst) == generation;
        if !current {
            state.store(state::IDLE, SeqCst);
        }
        current
    }

    fn execute_tasks(&self) {
        let job = self.job();
        let current = &self.slot().status.0.current;
        let mut executed = 0;
        while let Some(task) = self.claim() {
            assert!(task < job.tasks, "a claimed task is one of the job's");
            current.store(task + 1, Relaxed);
            if let Err(panic) = job.execute(task) {
                self.fail(task, &panic.message);
            }
            executed += 1;
        }
        current.store(0, Relaxed);
        self.tell_completed(executed, job.tasks);
    }

    fn claim(&self) -> Option<u32> {
        let slots = self.layout.slots();
        let mine = &slots[self.me].range.0;
        mine.take_first().or_else(|| {
            let victims = slots[self.me + 1..].iter().chain(&slots[..self.me]);
            let stolen = victims.map(|slot| &slot.range.0).find_map(|range| range.steal_half())?;
            mine.set(stolen.start + 1, stolen.end);
            Some(stolen.start)
        })
    }

    /// Adds to `completed`, and wakes the parent if that makes it `target`.
    fn tell_completed(&self, executed: u32, target: u32) {
        if executed == 0 {
            return;
        }
        let header = self.header();
        // Release: whoever sees the sum sees the results. SeqCst: pairs with
        // `Board::wait`, which says that it sleeps and then reads the sum.
        let before = header.completed.0.fetch_add(executed, SeqCst);
        if before + executed == target && header.parent_sleeps.load(SeqCst) != 0 {
            self.event.set();
        }
    }

    /// Keeps the first failure of a job.
    fn fail(&self, task: u32, message: &str) {
        let header = self.header();
        let first = header.failed.compare_exchange(0, 1 + self.me as u32, Relaxed, Relaxed).is_ok();
        if first {
            // Published, like every result, with `completed`.
            self.slot().set_failure(task, message);
        }
    }

    fn job(&self) -> Job {
        let words = &self.header().job;
        let (context, context_len) = words.context();
        let tasks = words.tasks.load(Relaxed);
        Job {
            task: TaskFn::from_token(words.token()).expect("a task of this executable"),
            tasks,
            context,
            context_len,
            input: self.stretches(&words.input, tasks),
            output: self.stretches(&words.output, tasks),
        }
    }

    fn stretches(&self, words: &StretchWords, tasks: u32) -> Stretches {
        let (region, stride, len) = words.get();
        if region == NO_REGION {
            return Stretches { base: std::ptr::dangling_mut(), stride: 0, len: 0 };
        }
        let memory = self.regions.get(&region).expect("a region that was announced");
        assert!(len <= memory.len(), "the array lies in its region");
        let fits = last_begins_within(tasks as usize, stride, len);
        assert!(fits, "the stretches lie in their array");
        Stretches { base: memory.base().as_ptr(), stride, len }
    }

    /// Reads as many messages as the job says.
    fn update_regions(&mut self) {
        for _ in 0..self.header().job.tasks.load(Relaxed) {
            let mut message = RegionMessage::zeroed();
            let bytes = bytemuck::bytes_of_mut(&mut message);
            let descriptors = receive_with_descriptors(&self.socket, bytes).expect("a message");
            let descriptor = descriptors.expect("an open socket").pop();
            if message.attach == 0 {
                self.regions.remove(&message.region);
                continue;
            }
            let descriptor = descriptor.expect("the region's descriptor");
            match SharedMemory::from_descriptor(descriptor, message.len as usize) {
                Ok(memory) => _ = self.regions.insert(message.region, memory),
                Err(error) => self.fail(message.region, &error.to_string()),
            }
        }
        self.tell_completed(1, self.layout.slots().len() as u32);
    }
}

impl Job {
    fn execute(&self, task: u32) -> Result<(), TaskPanic> {
        // SAFETY: `task` is one of the job's, so both stretches are mapped
        // (invariant of `Stretches`). This task was claimed by this worker
        // alone and output stretches do not overlap, so the exclusive
        // reference is the only one; the parent keeps the arrays borrowed
        // until the job is over, and input and output are different arrays.
        let (input, output) = unsafe {
            let (input, input_len) = self.input.of(task);
            let (output, output_len) = self.output.of(task);
            (slice::from_raw_parts(input, input_len), slice::from_raw_parts_mut(output, output_len))
        };
        self.task.run(&self.context[..self.context_len], input, output)
    }
}

impl Stretches {
    /// Where the stretch of `task`, which is one of the job's, begins, and its length.
    #[inline]
    fn of(self, task: u32) -> (*mut u8, usize) {
        let start = task as usize * self.stride;
        (self.base.wrapping_add(start), self.stride.min(self.len - start))
    }
}
