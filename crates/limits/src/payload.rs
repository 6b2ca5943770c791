//! Many bytes at once, to another process.

use bytemuck::{Pod, Zeroable};
use pipe_pool::{Pipes, Pool};
use serde_bytes::ByteBuf;

use crate::{
    contest::{Contestant, each, fastest},
    peers::{
        bare_pipe::{Peer, Way, expect},
        python::{Ask, Python},
    },
    pools,
    stage::Stage,
    trouble::Result,
};

/// Of one message.
const BYTES: usize = 64 << 20;

/// What a message of an array is made of: so many bytes that next to nothing
/// comes back.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
struct Page([u8; PAGE]);

const PAGE: usize = 4_096;
const PAGES: usize = BYTES / PAGE;

pub(crate) fn array_against_pipe(stage: &mut Stage<'_>) -> Result<()> {
    let pool = pools::for_single_calls::<Pipes>()?;
    against_pipe(stage, through_array(&pool)?)
}

pub(crate) fn argument_against_pipe(stage: &mut Stage<'_>) -> Result<()> {
    let pool = pools::for_single_calls::<Pipes>()?;
    against_pipe(stage, through_apply(&pool))
}

/// The better of the pool's two ways counts.
pub(crate) fn against_python(stage: &mut Stage<'_>) -> Result<()> {
    let mut python = Python::start(stage.terms())?;
    let pool = pools::for_single_calls::<Pipes>()?;
    let mut ways = [through_array(&pool)?, through_apply(&pool)];
    let best = fastest(&mut ways)?;
    let [array, apply] = ways;
    let ours = if best == 0 { array } else { apply };
    stage.note(format!("the faster way here: {}", ours.name))?;
    let python = Contestant::new("CPython Connection.send_bytes, recv_bytes", move || {
        Ok(python.ask(Ask::Payload { bytes: BYTES })? * 1e3)
    });
    let time = stage.part(1);
    stage.alternate("64 MiB", time, &mut [ours, python], |t| t[1] / t[0])
}

fn against_pipe(stage: &mut Stage<'_>, ours: Contestant<'_>) -> Result<()> {
    let mut ways = Way::ALL.map(bare).into_iter().collect::<Result<Vec<_>>>()?;
    let best = fastest(&mut ways)?;
    let bare = ways.swap_remove(best);
    drop(ways);
    stage.note(format!("the fastest bare pipe here: {}", bare.name))?;
    let time = stage.part(1);
    stage.alternate("64 MiB", time, &mut [ours, bare], |t| t[1] / t[0])
}

/// Milliseconds.
fn milliseconds(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    Ok(each(1, work)? / 1e6)
}

fn bare<'a>(way: Way) -> Result<Contestant<'a>> {
    let mut peer = Peer::sink(BYTES)?;
    let message = vec![1; BYTES];
    Ok(Contestant::new(way.name(), move || {
        milliseconds(|| expect(peer.send(&message, way)?, u64::from_ne_bytes([1; 8])))
    }))
}

/// One chunk, to the only worker, which returns a byte a page.
fn through_array(pool: &Pool) -> Result<Contestant<'_>> {
    let mut input = pool.array::<Page>(PAGES)?;
    input.fill(Page([1; PAGE]));
    let mut output = pool.array::<u8>(PAGES)?;
    Ok(Contestant::new("pipe-pool, an array's chunk", move || {
        milliseconds(|| {
            // The peers do not look at all of it either.
            pool.map_chunks(&input, &mut output, PAGES, 0u8, |_: u8, pages: &[Page], lasts| {
                lasts.fill(pages[pages.len() - 1].0[PAGE - 1]);
            })?;
            expect(output.iter().map(|&last| u64::from(last)).sum(), PAGES as u64)
        })
    }))
}

fn through_apply(pool: &Pool) -> Contestant<'_> {
    let message = vec![1; BYTES];
    Contestant::new("pipe-pool, apply", move || {
        // A call owns its argument; a program that reads a message has it anew.
        let argument = ByteBuf::from(message.clone());
        milliseconds(|| {
            let len = pool.apply(|bytes: ByteBuf| bytes.len() as u64, argument)?;
            expect(len, BYTES as u64)
        })
    })
}
