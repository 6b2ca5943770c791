//! A queue that knows whether its items were done with.

use std::{
    ops::Deref,
    sync::atomic::Ordering::{AcqRel, Acquire, Relaxed},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Queue, patience::Patience};
use crate::{Error, Result};

/// A [`Queue`], with all its methods, of which one can wait until every item
/// that was put was also done with: whoever gets an item says
/// [`task_done`](Self::task_done) afterwards.
///
/// If a process dies between `get` and `task_done`, its item stays
/// unfinished: whoever notices the death (see [`Process`](crate::Process))
/// can say `task_done` in its place, or [`join_timeout`](Self::join_timeout).
///
/// ```
/// use multiproc::{JoinableQueue, Process};
///
/// fn work(queue: JoinableQueue<String>) {
///     for _order in queue.iter().map(Result::unwrap) {
///         queue.task_done().unwrap();
///     }
/// }
///
/// # fn main() -> multiproc::Result<()> {
/// let queue = JoinableQueue::new()?;
/// let mut worker = Process::new(work, queue.clone());
/// worker.start()?;
/// for order in ["bread", "milk"] {
///     queue.put(&order.to_owned())?;
/// }
/// queue.join();
/// assert_eq!(queue.unfinished(), 0);
/// queue.close();
/// worker.join()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct JoinableQueue<T> {
    queue: Queue<T>,
}

impl<T: Serialize + DeserializeOwned> JoinableQueue<T> {
    /// As [`Queue::new`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn new() -> Result<Self> {
        Ok(Self { queue: Queue::new()? })
    }

    /// As [`Queue::bounded`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// If `most` is 0.
    pub fn bounded(most: usize) -> Result<Self> {
        Ok(Self { queue: Queue::bounded(most)? })
    }
}

impl<T> JoinableQueue<T> {
    /// Says that one item that was got is done with.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyTasksDone`] if that was said of all items already.
    pub fn task_done(&self) -> Result<()> {
        let header = self.queue.channel.header();
        let mut done = header.done.load(Relaxed);
        loop {
            if done >= self.queue.channel.put_so_far() {
                return Err(Error::TooManyTasksDone);
            }
            // Pairs with the Acquire load in `unfinished`: whoever has joined
            // sees what was done. One store, so a death leaves no half.
            match header.done.compare_exchange_weak(done, done + 1, AcqRel, Relaxed) {
                Ok(_) => break,
                Err(now) => done = now,
            }
        }
        if self.unfinished() == 0 {
            header.sleepers.for_done.notify_all();
        }
        Ok(())
    }

    /// Items that were put and are not done with, got or not.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        // In this order, since `done` is never ahead.
        let done = self.queue.channel.header().done.load(Acquire);
        self.queue.channel.put_so_far().saturating_sub(done) as usize
    }

    /// Waits until all items are done with.
    pub fn join(&self) {
        // Endless patience has no other end.
        let _always_true = self.join_within(Patience::Endless);
    }

    /// As [`join`](Self::join), for at most `timeout`; whether all items are
    /// done with.
    #[must_use]
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        self.join_within(Patience::lasting(timeout))
    }

    fn join_within(&self, patience: Patience) -> bool {
        let is_done = || self.unfinished() == 0;
        let sleepers = &self.queue.channel.header().sleepers.for_done;
        patience.wait(sleepers, is_done, || is_done().then_some(())).is_some()
    }
}

impl<T> Clone for JoinableQueue<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<T> Deref for JoinableQueue<T> {
    type Target = Queue<T>;

    fn deref(&self) -> &Queue<T> {
        &self.queue
    }
}
