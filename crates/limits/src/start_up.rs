//! Until a pool of two is up and has done its first map.

use multiproc::{SharedMemoryRings, StartMethod, pool::Bulk};
use pipe_pool::Pipes;

use crate::{
    contest::{Contestant, each},
    machine::WORKERS,
    peers::python::{Ask, Python},
    pools,
    stage::Stage,
    task::square,
    trouble::{Result, Trouble},
};

pub(crate) fn fork(stage: &mut Stage<'_>) -> Result<()> {
    against_python(stage, StartMethod::Fork)
}

pub(crate) fn fork_server(stage: &mut Stage<'_>) -> Result<()> {
    against_python(stage, StartMethod::ForkServer)
}

pub(crate) fn spawn(stage: &mut Stage<'_>) -> Result<()> {
    against_python(stage, StartMethod::Spawn)
}

/// Both pools against CPython's; the slower of the two counts. Fork servers are
/// up on both sides when the clock starts.
fn against_python(stage: &mut Stage<'_>, method: StartMethod) -> Result<()> {
    let mut python = Python::start(stage.terms())?;
    let method_name = method.name();
    let mut contestants = [
        Contestant::new("shm-pool", || first_map::<SharedMemoryRings>(method)),
        Contestant::new("pipe-pool", || first_map::<Pipes>(method)),
        Contestant::new(format!("CPython, {method_name}"), move || {
            Ok(python.ask(Ask::StartUp { method: method_name })? * 1e3)
        }),
    ];
    let time = stage.part(1);
    stage.alternate(method_name, time, &mut contestants, |t| t[2] / t[0].max(t[1]))
}

/// Milliseconds; the pool's end is not counted.
fn first_map<T: Bulk>(method: StartMethod) -> Result<f64> {
    let mut pool = None;
    let took = each(1, || {
        let pool = pool.insert(pools::as_it_comes::<T>(WORKERS, method)?);
        let results = pool.map(square, 0..WORKERS as u64)?;
        assert_eq!(results, [0, 1]);
        Ok::<_, Trouble>(())
    })?;
    pool.map_or(Ok(()), multiproc::pool::Pool::shutdown)?;
    Ok(took / 1e6)
}

/// Touched by the parent.
const LARGE: usize = 1 << 30;

/// Below a page of any size that an allocator would take for it.
const STRIDE: usize = 4_096;

pub(crate) fn large_parent(stage: &mut Stage<'_>) -> Result<()> {
    let free = procfs_available()?;
    if free < 2 * LARGE as u64 {
        let why = format!("it takes 2 GiB of free memory, and there are {} MiB", free >> 20);
        return Err(Trouble::lacking(why));
    }
    let time = stage.part(2);
    for method in [StartMethod::Spawn, StartMethod::ForkServer] {
        let mut contestants = [
            Contestant::new("1 GiB", || {
                let memory = touched();
                let took = some_first_maps(method);
                drop(std::hint::black_box(memory));
                took
            }),
            Contestant::new("little", || some_first_maps(method)),
        ];
        stage.alternate(method.name(), time, &mut contestants, |t| t[0] / t[1])?;
    }
    Ok(())
}

/// The median of a few, since touching memory takes far longer.
fn some_first_maps(method: StartMethod) -> Result<f64> {
    let times = (0..5).map(|_| first_map::<SharedMemoryRings>(method));
    let times = times.collect::<Result<Vec<_>>>()?;
    Ok(stats::median(&times).unwrap_or(f64::NAN))
}

fn touched() -> Vec<u8> {
    let mut memory = vec![0; LARGE];
    memory.iter_mut().step_by(STRIDE).for_each(|byte| *byte = 1);
    memory
}

/// Bytes that can be had without swapping.
fn procfs_available() -> Result<u64> {
    use procfs::Current;
    let memory = procfs::Meminfo::current()?;
    Ok(memory.mem_available.unwrap_or(memory.mem_free))
}
