//! Ten processes, started one after the other: which of them says hello
//! first is up to the operating system.
//!
//! Python starts and joins them in the same way:
//!
//! ```python
//! process = Process(target=hello, args=(number,))
//! process.start()
//! process.join()
//! ```

use std::io::{Write, stdout};

use multiproc::Process;

fn hello(number: u32) {
    // `println!` would panic if nobody reads any more, as with `| head -1`.
    let _ = writeln!(stdout(), "hello world {number}");
}

fn main() -> multiproc::Result<()> {
    multiproc::init();
    let mut processes: Vec<_> = (0..10).map(|number| Process::new(hello, number)).collect();
    for process in &mut processes {
        process.start()?;
    }
    for process in &mut processes {
        process.join()?;
    }
    Ok(())
}
