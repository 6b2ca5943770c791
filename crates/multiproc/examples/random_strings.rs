//! Four processes put random strings of a given length on one queue.
//!
//! `cargo run --example random_strings 12` makes strings of twelve
//! characters. In Python:
//!
//! ```python
//! output.put(''.join(random.choice(characters) for _ in range(length)))
//! results = [output.get() for p in processes]
//! ```

use std::io::{Write, stdout};

use multiproc::{Process, Queue};
use rand::distr::{Alphanumeric, SampleString};

fn put_random_string((length, output): (usize, Queue<String>)) {
    // Each process has a generator of its own, seeded by the operating system.
    let string = Alphanumeric.sample_string(&mut rand::rng(), length);
    output.put(&string).expect("open until this process has ended");
}

fn main() -> multiproc::Result<()> {
    multiproc::init();
    let length = std::env::args().nth(1).and_then(|length| length.parse().ok()).unwrap_or(5);
    let output = Queue::new()?;
    let mut processes: Vec<_> =
        (0..4).map(|_| Process::new(put_random_string, (length, output.clone()))).collect();
    for process in &mut processes {
        process.start()?;
    }
    // To join before the queue is drained is a deadlock in Python as soon as
    // the items are large. Here they lie in the queue when `put` returns.
    for process in &mut processes {
        process.join()?;
    }
    output.close();
    let strings = output.iter().collect::<multiproc::Result<Vec<String>>>()?;
    let _ = writeln!(stdout(), "{strings:?}");
    Ok(())
}
