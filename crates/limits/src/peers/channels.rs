//! A thread pool over crossbeam's channels: one for tasks, from which all
//! threads take, and one for results.

use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::machine::{WORKERS, pin, two_cores};
use crate::trouble::Result;

/// What is executed: a number and where its result belongs.
type Task = (u32, u64);

/// Two threads that execute one function.
pub(crate) struct ChannelPool {
    tasks: Option<Sender<Task>>,
    results: Receiver<Task>,
    threads: Vec<JoinHandle<()>>,
}

impl ChannelPool {
    pub(crate) fn start(is_pinned: bool, f: fn(u64) -> u64) -> Result<Self> {
        let cores = two_cores()?;
        let (tasks, to_do) = unbounded::<Task>();
        let (done, results) = unbounded::<Task>();
        let threads = (0..WORKERS).map(|thread| {
            let (to_do, done) = (to_do.clone(), done.clone());
            thread::spawn(move || {
                if is_pinned {
                    pin(cores[thread]);
                }
                for (place, argument) in to_do {
                    if done.send((place, f(argument))).is_err() {
                        break;
                    }
                }
            })
        });
        let threads = threads.collect();
        Ok(Self { tasks: Some(tasks), results, threads })
    }

    /// The result for each of `arguments`, in their order.
    pub(crate) fn map(&self, arguments: &[u64], results: &mut [u64]) {
        let tasks = self.tasks.as_ref().expect("open until this is dropped");
        for task in (0..).zip(arguments.iter().copied()) {
            tasks.send(task).expect("the threads live");
        }
        for (place, result) in self.results.iter().take(arguments.len()) {
            results[place as usize] = result;
        }
    }
}

impl Drop for ChannelPool {
    fn drop(&mut self) {
        self.tasks = None;
        for thread in self.threads.drain(..) {
            // A panic there was one here already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::square;

    #[test]
    fn results_come_in_the_order_of_arguments() {
        let Ok(pool) = ChannelPool::start(false, square) else { return };
        let (arguments, mut results) = ((0..100).collect::<Vec<u64>>(), [0; 100]);
        pool.map(&arguments, &mut results);
        assert!(results.iter().zip(0..).all(|(&x, i)| x == i * i));
    }
}
