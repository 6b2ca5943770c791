//! Bulk calls of shared-memory pools.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytemuck::{AnyBitPattern, NoUninit, Pod};

use super::{
    PoolArray, Wanted,
    board::Board,
    claims::{Claims, Terms},
    job::{Job, Stretch},
    participations::Participations,
    region::Region,
    ticket::{Part, Ticket},
};
use crate::{
    Error, Result, SharedMemory, SharedMemoryRings, TaskFn, TaskPanic, Token, codec,
    pool::{Builder, Bulk, Call, Chunks, Pool, Posted},
};

/// What a pool needs for bulk jobs.
#[derive(Debug, Default)]
pub(crate) struct Halls {
    pub(crate) wanted: Arc<Wanted>,
    /// Those of jobs that are done.
    vacant: Mutex<Vec<Hall>>,
}

/// The memory of one job's participants, used by one job after the other.
#[derive(Debug)]
struct Hall {
    board: Arc<Region>,
    participants: usize,
    /// Undo rooms, if a job has needed them.
    undo: Option<Arc<Region>>,
    pace: Pace,
}

/// How long a chunk of the last job took that the caller has helped with, and
/// what kind of chunk that was: its task, and its bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    kind: (Token, u64),
    chunk_ps: u64,
}

impl Pace {
    fn of(kind: (Token, u64), elapsed: Duration, chunks: u32) -> Self {
        let chunk_ps = elapsed.as_nanos() as u64 * 1_000 / u64::from(chunks.max(1));
        Self { kind, chunk_ps }
    }

    /// How long that many chunks will take, if it is known.
    fn forecast(self, kind: (Token, u64), chunks: u32) -> Option<Duration> {
        let total = self.chunk_ps.saturating_mul(chunks.into()) / 1_000;
        (self.kind == kind && self.chunk_ps > 0).then(|| Duration::from_nanos(total))
    }
}

/// A sleeper is woken for a job that takes longer than this: waking it takes
/// half of that, and costs the waker some 6 µs.
const WORTH_WAKING: Duration = Duration::from_micros(50);

/// Undo rooms that are larger together are not kept for the next job.
const KEPT_UNDO: usize = 64 << 20;

impl Halls {
    /// One for so many participants.
    fn take(&self, participants: usize) -> Result<Hall> {
        let mut vacant = self.vacant.lock().unwrap_or_else(PoisonError::into_inner);
        let place = vacant.iter().position(|hall| hall.participants >= participants);
        if let Some(place) = place {
            return Ok(vacant.swap_remove(place));
        }
        drop(vacant);
        let board = Region::new(Board::size(participants))?;
        Ok(Hall { board, participants, undo: None, pace: Pace::default() })
    }

    /// Back, when nobody participates any more.
    fn give_back(&self, mut hall: Hall) {
        if hall.undo.as_ref().is_some_and(|undo| undo.memory.len() > KEPT_UNDO) {
            hall.undo = None;
        }
        self.vacant.lock().unwrap_or_else(PoisonError::into_inner).push(hall);
    }
}

impl Hall {
    /// Rooms for a chunk of `stride` bytes for each participant.
    fn undo(&mut self, stride: usize) -> Result<Arc<Region>> {
        let needed = self.participants.saturating_mul(stride);
        match &self.undo {
            Some(undo) if undo.memory.len() >= needed => Ok(Arc::clone(undo)),
            _ => {
                let undo = Region::new(needed)?;
                self.undo = Some(Arc::clone(&undo));
                Ok(undo)
            }
        }
    }
}

/// What a bulk call is about.
struct Order<'a> {
    task: TaskFn,
    context: Vec<u8>,
    chunks: Chunks,
    input: Option<Side<'a>>,
    output: Side<'a>,
}

/// An array of a call.
struct Side<'a> {
    region: &'a Arc<Region>,
    /// Bytes of an element.
    element: usize,
    /// Elements.
    len: usize,
}

impl<'a> Side<'a> {
    fn new<E: Pod>(array: &'a PoolArray<E>) -> Self {
        Self { region: array.region(), element: size_of::<E>(), len: array.len() }
    }

    fn part(&self, chunks: Chunks) -> Part {
        Part {
            region: self.region.id.0,
            stride: chunks.len.saturating_mul(self.element) as u64,
            len: (self.len * self.element) as u64,
        }
    }
}

/// This process's view of a part.
fn stretch(memory: &SharedMemory, part: Part) -> Stretch {
    let stretch = Stretch::new(memory.clone(), part.stride as usize, part.len as usize);
    stretch.expect("an array lies in its region")
}

impl Builder<SharedMemoryRings> {
    /// Whether the thread that calls [`Pool::for_each_chunk`] or
    /// [`Pool::map_chunks`] executes chunks too, in the place of one worker:
    /// of n workers, n - 1 and the caller then work on the arrays. A small job
    /// costs no wake-up then, and a job of some microseconds is done sooner by
    /// two cores than by one.
    ///
    /// Off by default, since it is the caller's process that a chunk brings down
    /// which aborts, exits or overflows its stack there; only a panic is that
    /// chunk's error as always. Calls with deadlines are never helped with.
    pub fn caller_helps(self, helps: bool) -> Self {
        self.set_caller_helps(helps)
    }
}

impl Bulk for SharedMemoryRings {
    type Array<E: Pod + Send + Sync> = PoolArray<E>;

    fn array<E: Pod + Send + Sync>(_: &Pool<Self>, len: usize) -> Result<PoolArray<E>> {
        PoolArray::new(len)
    }

    fn change_chunks<C, E, F>(
        call: &Call<'_, Self>,
        array: &mut PoolArray<E>,
        chunks: Chunks,
        context: C,
        f: F,
    ) -> Result<()>
    where
        C: NoUninit + AnyBitPattern,
        E: Pod + Send + Sync,
        F: Fn(C, &mut [E]) + Copy + Send + 'static,
    {
        let (task, output) = (TaskFn::chunk(f), Side::new(array));
        let context = bytemuck::bytes_of(&context).to_vec();
        execute(call, &Order { task, context, chunks, input: None, output })
    }

    fn map_chunks<C, I, O, F>(
        call: &Call<'_, Self>,
        input: &PoolArray<I>,
        output: &mut PoolArray<O>,
        chunks: Chunks,
        context: C,
        f: F,
    ) -> Result<()>
    where
        C: NoUninit + AnyBitPattern,
        I: Pod + Send + Sync,
        O: Pod + Send + Sync,
        F: Fn(C, &[I], &mut [O]) + Copy + Send + 'static,
    {
        let (task, input, output) = (TaskFn::map_chunk(f), Side::new(input), Side::new(output));
        let context = bytemuck::bytes_of(&context).to_vec();
        execute(call, &Order { task, context, chunks, input: Some(input), output })
    }
}

/// Executes a bulk job; what it works on is borrowed meanwhile.
fn execute(call: &Call<'_, SharedMemoryRings>, order: &Order<'_>) -> Result<()> {
    /// One number is no chunk.
    const MOST_CHUNKS: usize = u32::MAX as usize - 1;
    let Chunks { count, .. } = order.chunks;
    if count > MOST_CHUNKS {
        return Err(Error::TooLarge { what: "chunks", got: count, most: MOST_CHUNKS });
    }
    if count == 0 {
        return Ok(());
    }
    let (halls, workers) = call.ask(|rings, workers| (rings.halls(), workers));
    let participants = workers.min(count);
    let mut hall = halls.take(participants)?;
    let work = Box::new(prepare(&mut hall, &halls.wanted, order, participants, call.terms())?);
    let (work, error) = help(call, &mut hall, order, work).unwrap_or_else(|work| {
        let redeem = |ticket: Ticket| ticket.redeem();
        call.spread(redeem, work, participants as u64)
    });
    halls.give_back(hall);
    error.map_or_else(|| work.into_outcome(), Err)
}

/// Executes the job together with the workers, if the caller is to help, and
/// says why the pool has ended meanwhile if it has. The caller is the last
/// participant.
fn help(
    call: &Call<'_, SharedMemoryRings>,
    hall: &mut Hall,
    order: &Order<'_>,
    work: Box<Participations>,
) -> Result<(Participations, Option<Error>), Box<Participations>> {
    let (job, me) = (work.job(), work.participants() - 1);
    if !call.helps() || me == 0 {
        return Err(work);
    }
    let mut ticket = work.ticket().clone();
    let posted = call.post_to_many(work, me, |seat, question| {
        ticket.participant = seat as u32;
        codec::encode_plain_into(&ticket, question).expect("a ticket can be encoded");
    })?;
    TaskPanic::capture_here();
    let kind = (order.task.token(), order.output.part(order.chunks).stride);
    let is_long = hall.pace.forecast(kind, job.chunks).is_none_or(|time| time > WORTH_WAKING);
    let begun = Instant::now();
    let mut are_awake = false;
    let mut wake = || {
        if !std::mem::replace(&mut are_awake, true) {
            posted.iter().for_each(Posted::wake);
        }
    };
    if is_long {
        wake();
    }
    let mut goes_on = true;
    while goes_on {
        job.participate_while(me, Terms::of_the_caller(), &mut || {
            if begun.elapsed() > WORTH_WAKING {
                // Longer than was foretold, perhaps.
                wake();
                goes_on = !call.is_called_off();
            }
            goes_on
        });
        call.call_off(&posted);
        // If not, somebody has died who had claimed more than it has begun.
        goes_on &= !job.board.claims().iter().all(Claims::is_exhausted);
    }
    hall.pace = Pace::of(kind, begun.elapsed(), job.chunks);
    Ok(call.end(&posted))
}

/// Sets a job up in its hall.
fn prepare(
    hall: &mut Hall,
    wanted: &Wanted,
    order: &Order<'_>,
    participants: usize,
    (retries, is_timed): (u32, bool),
) -> Result<Participations> {
    let chunks = order.chunks.count as u32;
    let output = order.output.part(order.chunks);
    let input = order.input.as_ref().map(|input| (input, input.part(order.chunks)));
    // What is computed from something else is computed from that again.
    let undo = (retries > 0 && input.is_none()).then(|| hall.undo(output.stride as usize));
    let undo = undo.transpose()?;
    let arrays = order.input.iter().chain([&order.output]).map(|side| side.region);
    arrays.chain([&hall.board]).chain(&undo).for_each(|region| wanted.add(region));
    let board = Board::over(hall.board.memory.clone(), participants);
    let board = board.expect("a hall has a board for its participants");
    board.deal(chunks);
    let ticket = Ticket {
        participant: 0,
        participants: participants as u32,
        board: hall.board.id.0,
        task: order.task.token(),
        context: order.context.clone(),
        chunks,
        is_timed,
        input: input.map(|(_, part)| part),
        output,
        undo: undo.as_ref().map(|undo| undo.id.0),
    };
    let job = Job {
        board,
        task: order.task,
        context: order.context.clone(),
        chunks,
        is_timed,
        input: input.map(|(side, part)| stretch(&side.region.memory, part)),
        output: stretch(&order.output.region.memory, output),
        undo: undo.map(|undo| undo.memory.clone()),
    };
    Ok(Participations::new(Arc::new(job), ticket, retries))
}
