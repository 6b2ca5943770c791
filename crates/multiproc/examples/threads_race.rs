//! For comparison, threads: 2000 of them add one to the same counter, first
//! one after the other, then all at once, then all at once with a lock.
//!
//! In Python:
//!
//! ```python
//! thread.start(); thread.join()           # one after the other: in order
//! for thread in threads: thread.start()   # all at once: additions get lost
//! with lock: counter += 1                 # right again
//! ```

use std::{
    io::{Write, stdout},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use multiproc::{Error, Result};

const THREADS: u32 = 2000;
static COUNTER: AtomicU32 = AtomicU32::new(0);
static LOCK: Mutex<()> = Mutex::new(());

/// Reads, thinks, writes: others may have written in between.
fn add_one() {
    let seen = COUNTER.load(Relaxed);
    thread::sleep(Duration::from_micros(1));
    COUNTER.store(seen + 1, Relaxed);
}

fn add_one_with_lock() {
    let _guard = LOCK.lock().expect("no thread panics");
    add_one();
}

fn start(number: u32, work: fn()) -> Result<JoinHandle<()>> {
    let thread = thread::Builder::new().name(format!("Thread-{number}"));
    thread.spawn(work).map_err(|source| Error::System { what: "start a thread", source })
}

fn count_all_at_once(work: fn()) -> Result<u32> {
    COUNTER.store(0, Relaxed);
    let threads = (1..=THREADS).map(|number| start(number, work)).collect::<Result<Vec<_>>>()?;
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    Ok(COUNTER.load(Relaxed))
}

fn main() -> Result<()> {
    multiproc::init();
    let mut out = stdout();
    for number in 1..=THREADS {
        let thread = start(number, add_one)?;
        let name = thread.thread().name().map(str::to_owned);
        thread.join().expect("no thread panics");
        if number % 500 == 0 {
            let _ = writeln!(out, "{} made it {}", name.unwrap_or_default(), COUNTER.load(Relaxed));
        }
    }
    let _ = writeln!(out, "all at once: {}", count_all_at_once(add_one)?);
    let _ = writeln!(out, "all at once with a lock: {}", count_all_at_once(add_one_with_lock)?);
    Ok(())
}
