//! Ten tasks, four processes, two queues: each process takes tasks until
//! there are none, and says who has done them.
//!
//! The end of the tasks is an error as in Python, where one writes
//!
//! ```python
//! try:
//!     task = tasks.get_nowait()
//! except queue.Empty:
//!     break
//! done.put(task + ' is done by ' + current_process().name)
//! ```

use std::{
    io::{Write, stdout},
    thread::sleep,
    time::Duration,
};

use multiproc::{Error, Process, Queue, Result, current_process};

fn work((tasks, done): (Queue<String>, Queue<String>)) {
    loop {
        match tasks.try_get() {
            Ok(task) => {
                sleep(Duration::from_millis(50)); // the work
                let report = format!("{task} is done by {}", current_process().name());
                done.put(&report).expect("open until this process has ended");
            }
            Err(Error::Empty) => break,
            Err(error) => panic!("{error}"),
        }
    }
}

fn main() -> Result<()> {
    multiproc::init();
    let (tasks, done) = (Queue::new()?, Queue::new()?);
    for number in 0..10 {
        tasks.put(&format!("Task no {number}"))?;
    }
    let mut processes: Vec<_> =
        (0..4).map(|_| Process::new(work, (tasks.clone(), done.clone()))).collect();
    for process in &mut processes {
        process.start()?;
    }
    for process in &mut processes {
        process.join()?;
    }
    done.close();
    for report in &done {
        let _ = writeln!(stdout(), "{}", report?);
    }
    Ok(())
}
