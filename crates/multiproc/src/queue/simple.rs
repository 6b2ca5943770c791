//! A queue with nothing that is not needed.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::Queue;
use crate::Result;

/// A queue that can `put`, `get` and no more, for those who want the promise
/// in the type. It is a [`Queue`] inside, and everything said there holds.
///
/// ```
/// # fn main() -> multiproc::Result<()> {
/// let queue = multiproc::SimpleQueue::new()?;
/// queue.put(&"hello".to_owned())?;
/// assert!(!queue.is_empty());
/// assert_eq!(queue.get()?, "hello");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct SimpleQueue<T> {
    queue: Queue<T>,
}

impl<T: Serialize + DeserializeOwned> SimpleQueue<T> {
    /// An unbounded queue.
    ///
    /// # Errors
    ///
    /// As for [`Queue::new`].
    pub fn new() -> Result<Self> {
        Ok(Self { queue: Queue::new()? })
    }

    /// As [`Queue::put`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn put(&self, item: &T) -> Result<()> {
        self.queue.put(item)
    }

    /// As [`Queue::get`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get(&self) -> Result<T> {
        self.queue.get()
    }
}

impl<T> SimpleQueue<T> {
    /// Whether there are no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// As [`Queue::close`].
    pub fn close(&self) {
        self.queue.close();
    }
}

impl<T> Clone for SimpleQueue<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}
