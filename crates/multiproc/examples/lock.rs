//! Two processes count on one shared counter: with a lock the sum is right,
//! without it most of the work is lost.
//!
//! In Python, too, `counter.value += 1` is a read and a write, and what the
//! other process has written between them is overwritten:
//!
//! ```python
//! with lock:
//!     counter.value += 1
//! ```

use std::{
    io::{Write, stdout},
    thread::sleep,
    time::Duration,
};

use multiproc::{Lock, Process, RawValue, Result};

const PROCESSES: u32 = 2;
const ADDITIONS: u32 = 1000;

fn count((counter, lock): (RawValue<u32>, Option<Lock>)) {
    for _ in 0..ADDITIONS {
        // Held to the end of this round, if there is a lock.
        let _guard = lock.as_ref().map(|lock| lock.acquire().expect("nobody dies here"));
        let seen = counter.load();
        // A processor takes nanoseconds from the read to the write. This makes
        // it long enough for the other process to come in between each time,
        // even if there is only one processor.
        sleep(Duration::from_micros(1));
        counter.store(seen + 1);
    }
}

fn count_together(lock: Option<Lock>) -> Result<u32> {
    let counter = RawValue::new(0)?;
    let mut processes: Vec<_> =
        (0..PROCESSES).map(|_| Process::new(count, (counter.clone(), lock.clone()))).collect();
    for process in &mut processes {
        process.start()?;
    }
    for process in &mut processes {
        process.join()?;
    }
    Ok(counter.load())
}

fn main() -> Result<()> {
    multiproc::init();
    let mut out = stdout();
    let _ = writeln!(out, "expected: {}", PROCESSES * ADDITIONS);
    let _ = writeln!(out, "with a lock: {}", count_together(Some(Lock::new()?))?);
    let _ = writeln!(out, "without a lock: {}", count_together(None)?);
    Ok(())
}
