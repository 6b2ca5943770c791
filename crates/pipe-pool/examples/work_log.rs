//! Four items of work for a pool of two processes: each process takes the next
//! item as it finishes one, so the long one does not hold up the others.
//!
//! In Python:
//!
//! ```python
//! with multiprocessing.Pool(2) as pool:
//!     pool.map(work_log, [("A", 5), ("B", 2), ("C", 1), ("D", 3)])
//! ```
//!
//! A unit of time is 100 ms, or as many as the argument says:
//! `cargo run --example work_log -- 20`.

use std::{
    env,
    error::Error,
    process, thread,
    time::{Duration, SystemTime},
};

use pipe_pool::Pool;
use serde::{Deserialize, Serialize};

/// What a process is told.
#[derive(Clone, Serialize, Deserialize)]
struct Work {
    name: char,
    units: u32,
    unit_ms: u32,
}

/// What it answers.
#[derive(Clone, Serialize, Deserialize)]
struct Log {
    pid: u32,
    started_ms: u64,
}

fn work_log(work: Work) -> Log {
    let Work { name, units, unit_ms } = work;
    let pid = process::id();
    let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let unit = if units == 1 { "unit" } else { "units" };
    println!("process {pid}: {name} waits {units} {unit}");
    thread::sleep(Duration::from_millis(u64::from(units * unit_ms)));
    println!("process {pid}: {name} is done");
    Log { pid, started_ms: since_1970.as_millis() as u64 }
}

fn main() -> Result<(), Box<dyn Error>> {
    pipe_pool::init(); // child processes start here and never return
    let unit_ms = env::args().nth(1).map_or(Ok(100), |unit| unit.parse())?;
    let items = [('A', 5), ('B', 2), ('C', 1), ('D', 3)];
    let work = items.map(|(name, units)| Work { name, units, unit_ms });

    let pool = Pool::builder().workers(2).build()?;
    let logs = pool.map(work_log, work)?;
    pool.shutdown()?;

    // To the nearest unit: A and B start together.
    let first_ms = logs.iter().map(|log| log.started_ms).min().unwrap_or_default();
    let unit = u64::from(unit_ms.max(1));
    let started = |log: &Log| (log.started_ms - first_ms + unit / 2) / unit;
    let mut done: Vec<_> = items.into_iter().zip(&logs).collect();
    done.sort_by_key(|(_, log)| started(log));
    let order: Vec<_> = done.iter().map(|((name, _), _)| name.to_string()).collect();
    let times: Vec<_> = done.iter().map(|(_, log)| started(log).to_string()).collect();
    println!("order of starts: {}", order.join(" "));
    println!("after units:     {}", times.join(" "));
    for first in [&logs[0], &logs[1]] {
        let mine = done.iter().filter(|(_, log)| log.pid == first.pid);
        let names: Vec<_> = mine.map(|((name, _), _)| name.to_string()).collect();
        println!("process {} did {}", first.pid, names.join(", "));
    }
    Ok(())
}
