//! Five workers start, sleep and finish, all at the same time.
//!
//! `cargo run --example workers 1000` lets them sleep for a second each. The
//! whole then takes one second, not five, as in Python with
//!
//! ```python
//! def worker(number):
//!     print('Worker', number, 'starts')
//!     time.sleep(1)
//!     print('Worker', number, 'finishes')
//! ```

use std::{
    io::{Write, stdout},
    thread::sleep,
    time::{Duration, Instant},
};

use multiproc::Process;

fn work((number, pause): (u32, Duration)) {
    let _ = writeln!(stdout(), "Worker {number} starts");
    sleep(pause);
    let _ = writeln!(stdout(), "Worker {number} finishes");
}

fn main() -> multiproc::Result<()> {
    multiproc::init();
    let pause = std::env::args().nth(1).and_then(|millis| millis.parse().ok()).unwrap_or(200);
    let pause = Duration::from_millis(pause);
    let begin = Instant::now();
    let mut workers: Vec<_> = (1..=5).map(|number| Process::new(work, (number, pause))).collect();
    for worker in &mut workers {
        worker.start()?;
    }
    for worker in &mut workers {
        worker.join()?;
    }
    let took = begin.elapsed().as_millis();
    let _ = writeln!(stdout(), "5 workers of {} ms each took {took} ms", pause.as_millis());
    Ok(())
}
