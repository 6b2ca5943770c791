//! A pipeline of two processes: one puts the cubes of the first ten natural
//! numbers on a queue, the other adds one to each.
//!
//! Python needs an item of its own that says "no more", such as `None`; here
//! a queue can be closed, and what is left in it is still got:
//!
//! ```python
//! cubes.put(number ** 3)
//! for cube in iter(cubes.get, None):
//!     sums.put(cube + 1)
//! ```

use std::io::{Write, stdout};

use multiproc::{Process, Queue};

fn put_cubes(cubes: Queue<u64>) {
    for number in 1..=10_u64 {
        cubes.put(&number.pow(3)).expect("open until this process has ended");
    }
}

fn add_one((cubes, sums): (Queue<u64>, Queue<u64>)) {
    for cube in &cubes {
        let cube = cube.expect("a cube is put whole");
        sums.put(&(cube + 1)).expect("open until this process has ended");
    }
}

fn main() -> multiproc::Result<()> {
    multiproc::init();
    let (cubes, sums) = (Queue::new()?, Queue::new()?);
    let mut first = Process::new(put_cubes, cubes.clone());
    let mut second = Process::new(add_one, (cubes.clone(), sums.clone()));
    first.start()?;
    second.start()?;
    // Whoever joins a process closes the queue that it has put items on. That
    // happens even if it was killed, so nobody waits for the rest in vain.
    first.join()?;
    cubes.close();
    second.join()?;
    sums.close();
    for sum in &sums {
        let _ = writeln!(stdout(), "{}", sum?);
    }
    Ok(())
}
