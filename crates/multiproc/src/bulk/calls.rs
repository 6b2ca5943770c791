//! Bulk calls of shared-memory pools.

use std::sync::Arc;

use bytemuck::{AnyBitPattern, NoUninit, Pod};

use super::{
    PoolArray, Wanted,
    board::Board,
    halls::Hall,
    helping::help,
    job::{Job, Stretch},
    participations::Participations,
    region::Region,
    ticket::{Fields, Part, Ticket},
};
use crate::{
    Error, Result, SharedMemory, SharedMemoryRings, TaskFn,
    pool::{Bulk, Call, Chunks, Pool},
};

/// What a bulk call is about.
struct Order<'a> {
    task: TaskFn,
    context: &'a [u8],
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
        let context = bytemuck::bytes_of(&context);
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
        let context = bytemuck::bytes_of(&context);
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
    let halls = call.transport().halls();
    let participants = call.workers().min(count);
    let mut hall = halls.take(participants)?;
    let work = prepare(&mut hall, &halls.wanted, order, participants, call.terms())?;
    let (mut work, error) = help(call, &mut hall, work).unwrap_or_else(|work| {
        let redeem = |(me, ticket): (u64, Ticket)| ticket.redeem(me);
        call.spread(redeem, work, participants as u64)
    });
    error.map_or_else(|| work.outcome(), Err)?;
    // Otherwise somebody may have left something there.
    if work.has_ended_well() {
        halls.give_back(hall, work);
    }
    Ok(())
}

/// Sets a job up in its hall.
fn prepare(
    hall: &mut Hall,
    wanted: &Wanted,
    order: &Order<'_>,
    participants: usize,
    (retries, is_timed): (u32, bool),
) -> Result<Box<Participations>> {
    let Order { task, context, chunks, .. } = *order;
    let output = order.output.part(chunks);
    let input = order.input.as_ref().map(|input| (input, input.part(chunks)));
    // What is computed from something else is computed from that again.
    let undo = (retries > 0 && input.is_none()).then(|| hall.undo(output.stride as usize));
    let undo = undo.transpose()?;
    let fields = Fields {
        participants: participants as u64,
        board: hall.board.id.0,
        task: task.token(),
        chunks: chunks.count as u64,
        is_timed: is_timed.into(),
        input: input.map(|(_, part)| part).unwrap_or_default(),
        output,
        undo: undo.as_ref().map_or(0, |undo| undo.id.0),
    };
    let last = hall.last.take();
    let again = last.and_then(|mut last| last.renew(&fields, context, retries).then_some(last));
    let work = again.unwrap_or_else(|| {
        let arrays = order.input.iter().chain([&order.output]).map(|side| side.region);
        wanted.add(arrays.chain([&hall.board]).chain(&undo));
        let board = Board::over(hall.board.memory.clone(), participants);
        let job = Job {
            board: board.expect("a hall has a board for its participants"),
            task,
            chunks: chunks.count as u32,
            is_timed,
            input: input.map(|(side, part)| stretch(&side.region.memory, part)),
            output: stretch(&order.output.region.memory, output),
            undo: undo.map(|undo| undo.memory.clone()),
            ticket: Ticket::new(&fields, context),
        };
        Box::new(Participations::new(job, retries))
    });
    work.job().deal();
    Ok(work)
}
