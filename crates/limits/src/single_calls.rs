//! One call at a time.

use std::{
    thread,
    time::{Duration, Instant},
};

use multiproc::{
    SharedMemoryRings,
    pool::{Bulk, Pool},
};
use pipe_pool::Pipes;

use crate::{
    contest::{Contestant, count_for, each, nanoseconds},
    peers::{
        bare_pipe::{Peer, expect},
        hand_over::{Wait, round_trip},
    },
    pools,
    stage::Stage,
    task::square,
    trouble::Result,
};

/// What a sample of many calls takes.
const SAMPLE: Duration = Duration::from_millis(10);

/// Before each call from idle: longer than anybody spins.
const PAUSE: Duration = Duration::from_micros(1_500);

/// Calls of a sample from idle.
const IDLE_CALLS: usize = 30;

pub(crate) fn against_spinning(stage: &mut Stage<'_>) -> Result<()> {
    let pool = pools::for_single_calls::<SharedMemoryRings>()?;
    let calls = count_for(SAMPLE, |count| back_to_back(&pool, count))?;
    let trips = count_for(SAMPLE, |count| round_trip(Wait::Spinning, count, None))?;
    let mut contestants = [
        Contestant::new("shm-pool", || back_to_back(&pool, calls)),
        Contestant::new("spinning hand-over", || round_trip(Wait::Spinning, trips, None)),
    ];
    let time = stage.part(1);
    stage.alternate("back to back", time, &mut contestants, |t| t[0] / t[1])
}

pub(crate) fn from_idle(stage: &mut Stage<'_>) -> Result<()> {
    let pool = pools::for_single_calls::<SharedMemoryRings>()?;
    let mut contestants = [
        Contestant::new("shm-pool", || after_pauses(&pool)),
        Contestant::new("futex", || round_trip(Wait::Sleeping, IDLE_CALLS, Some(PAUSE))),
    ];
    let time = stage.part(1);
    stage.alternate("from idle", time, &mut contestants, |t| t[0] / t[1])
}

pub(crate) fn against_pipe(stage: &mut Stage<'_>) -> Result<()> {
    let pool = pools::for_single_calls::<Pipes>()?;
    let mut peer = Peer::echo()?;
    let mut trips = move |count| {
        each(count, || (0..count as u64).try_for_each(|number| expect(peer.ask(number)?, number)))
    };
    let calls = count_for(SAMPLE, |count| back_to_back(&pool, count))?;
    let count = count_for(SAMPLE, &mut trips)?;
    let mut contestants = [
        Contestant::new("pipe-pool", || back_to_back(&pool, calls)),
        Contestant::new("bare pipe", || trips(count)),
    ];
    let time = stage.part(1);
    stage.alternate("back to back", time, &mut contestants, |t| t[0] / t[1])
}

fn call<T: Bulk>(pool: &Pool<T>, number: u64) -> Result<()> {
    expect(pool.apply(square, number)?, square(number))
}

/// Nanoseconds of one of `count` calls.
fn back_to_back<T: Bulk>(pool: &Pool<T>, count: usize) -> Result<f64> {
    each(count, || (0..count as u64).try_for_each(|number| call(pool, number)))
}

/// Nanoseconds of a call with a pause before it, which is not counted.
fn after_pauses<T: Bulk>(pool: &Pool<T>) -> Result<f64> {
    let mut time = Duration::ZERO;
    for number in 0..IDLE_CALLS as u64 {
        thread::sleep(PAUSE);
        let begun = Instant::now();
        call(pool, number)?;
        time += begun.elapsed();
    }
    Ok(nanoseconds(time) / IDLE_CALLS as f64)
}
