//! Queues between processes.
//!
//! See the README in this folder for what happens in shared memory, and what
//! if somebody dies there.

mod area;
mod channel;
mod joinable;
mod layout;
mod patience;
mod progress;
mod ring;
mod scratch;
mod simple;

use std::{any::type_name, fmt, marker::PhantomData, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use channel::{Channel, NO_BOUND};
pub use joinable::JoinableQueue;
use patience::Patience;
pub use simple::SimpleQueue;

use crate::{Result, codec, memory::Placed};

/// A first-in, first-out queue that any number of processes put items on and
/// get items from.
///
/// Clones are the same queue, and so is what a process gets as an argument or
/// over a connection. Items are encoded with serde; they cannot hold locks,
/// queues and other handles, which travel as arguments or over connections.
///
/// When [`put`](Self::put) returns, the item lies in shared memory, whole:
/// there is no thread that would still have to send it. So a process can
/// exit, be joined or be killed at any time, before or after others have got
/// what it has put. A process that is killed in the middle of `put` has put
/// the item or not; one that is killed in the middle of `get` has taken it or
/// not; all others go on.
///
/// Items that one thread puts are got in that order.
///
/// ```
/// use multiproc::{Process, Queue};
///
/// fn double(queues: (Queue<u64>, Queue<u64>)) {
///     for number in queues.0.iter() {
///         queues.1.put(&(number.unwrap() * 2)).unwrap();
///     }
/// }
///
/// # fn main() -> multiproc::Result<()> {
/// let (numbers, doubles) = (Queue::new()?, Queue::new()?);
/// let mut process = Process::new(double, (numbers.clone(), doubles.clone()));
/// process.start()?;
/// for number in [1, 2, 3] {
///     numbers.put(&number)?;
/// }
/// numbers.close();
/// assert_eq!([doubles.get()?, doubles.get()?, doubles.get()?], [2, 4, 6]);
/// process.join()?;
/// # Ok(())
/// # }
/// ```
pub struct Queue<T> {
    channel: Channel,
    item: PhantomData<fn(T) -> T>,
}

impl<T: Serialize + DeserializeOwned> Queue<T> {
    /// A queue that holds as many items as fit into the memory. It begins
    /// with some 70 kB, takes more as needed, and gives that back when it is
    /// empty.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](crate::Error::Memory) or
    /// [`Error::System`](crate::Error::System) if shared memory cannot be had.
    pub fn new() -> Result<Self> {
        Self::with_bound(NO_BOUND)
    }

    /// A queue that holds at most `most` items.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// If `most` is 0: nobody could ever put anything.
    pub fn bounded(most: usize) -> Result<Self> {
        assert!(most > 0, "a queue must have room for an item");
        Self::with_bound(most as u64)
    }

    fn with_bound(bound: u64) -> Result<Self> {
        Ok(Self { channel: Channel::new(item_type::<T>(), bound)?, item: PhantomData })
    }

    /// Puts a copy of an item behind all others; waits for room if the queue
    /// is bounded.
    ///
    /// The item is only lent: what crosses is its encoding, and if this fails
    /// the caller still has it.
    ///
    /// # Errors
    ///
    /// The queue is as it was then:
    /// - [`Error::Encode`](crate::Error::Encode) if the item cannot be turned
    ///   into bytes,
    /// - [`Error::Closed`](crate::Error::Closed),
    /// - [`Error::Memory`](crate::Error::Memory) if there is no memory for it,
    /// - [`Error::Damaged`](crate::Error::Damaged) if some process has
    ///   written into the queue's memory.
    pub fn put(&self, item: &T) -> Result<()> {
        self.put_within(item, Patience::Endless)
    }

    /// As [`put`](Self::put), but waits for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As for `put`; [`Error::Full`](crate::Error::Full) if there was no room
    /// in time; [`Error::TimedOut`](crate::Error::TimedOut) if another
    /// process was stopped (`SIGSTOP`) in the middle of a `put` or `get`, or
    /// busy all the time with an item of hundreds of megabytes.
    pub fn put_timeout(&self, item: &T, timeout: Duration) -> Result<()> {
        self.put_within(item, Patience::lasting(timeout))
    }

    /// As [`put`](Self::put), but does not wait for room.
    ///
    /// # Errors
    ///
    /// As for [`put_timeout`](Self::put_timeout).
    pub fn try_put(&self, item: &T) -> Result<()> {
        self.put_within(item, Patience::Brief)
    }

    fn put_within(&self, item: &T, patience: Patience) -> Result<()> {
        scratch::with(|buffer| {
            codec::encode_plain_into(item, buffer)?;
            self.channel.put(buffer, patience)
        })
    }

    /// Takes the first item; waits for one.
    ///
    /// # Errors
    ///
    /// - [`Error::Closed`](crate::Error::Closed) if the queue is closed and
    ///   all items were got,
    /// - [`Error::Decode`](crate::Error::Decode) if the item's bytes make no
    ///   value (its `Deserialize` refuses what its `Serialize` has written);
    ///   it is gone, the others are not,
    /// - [`Error::Memory`](crate::Error::Memory) if there is no memory for
    ///   it; it is still there,
    /// - [`Error::Damaged`](crate::Error::Damaged) if some process has
    ///   written into the queue's memory.
    pub fn get(&self) -> Result<T> {
        self.get_within(Patience::Endless)
    }

    /// As [`get`](Self::get), but waits for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As for `get`; [`Error::Empty`](crate::Error::Empty) if no item came in
    /// time; [`Error::TimedOut`](crate::Error::TimedOut) if another process
    /// was stopped (`SIGSTOP`) in the middle of a `get`, or busy all the time
    /// with an item of hundreds of megabytes.
    pub fn get_timeout(&self, timeout: Duration) -> Result<T> {
        self.get_within(Patience::lasting(timeout))
    }

    /// As [`get`](Self::get), but does not wait for an item.
    ///
    /// # Errors
    ///
    /// As for [`get_timeout`](Self::get_timeout).
    pub fn try_get(&self) -> Result<T> {
        self.get_within(Patience::Brief)
    }

    fn get_within(&self, patience: Patience) -> Result<T> {
        scratch::with(|buffer| {
            self.channel.get(buffer, patience)?;
            codec::decode(buffer, Vec::new())
        })
    }

    /// The items as they come, until the queue is closed and empty. Each is
    /// what [`get`](Self::get) returns; an error is not the end.
    pub fn iter(&self) -> Items<'_, T> {
        Items { queue: self, is_damaged: false }
    }
}

impl<T> Queue<T> {
    /// Items in the queue. Others may put and get some before the caller has
    /// looked at the number.
    #[must_use]
    pub fn len(&self) -> usize {
        self.channel.len()
    }

    /// Whether there are no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.channel.is_empty()
    }

    /// Whether there are as many items as there may be.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.channel.is_full()
    }

    /// Closes the queue for all processes: nothing can be put any more, and
    /// when what is there was got, `get` fails with
    /// [`Error::Closed`](crate::Error::Closed). Whoever waits is woken.
    ///
    /// Nothing happens if it is closed already. Dropping handles does not
    /// close a queue.
    pub fn close(&self) {
        self.channel.close();
    }

    /// Whether somebody has closed it; there may be items left.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.channel.is_closed()
    }
}

/// The items of a [`Queue`], taken as they come.
#[derive(Debug)]
pub struct Items<'a, T> {
    queue: &'a Queue<T>,
    is_damaged: bool,
}

impl<T: Serialize + DeserializeOwned> Iterator for Items<'_, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        if self.is_damaged {
            return None;
        }
        let item = self.queue.get();
        // It would be the same error for ever.
        self.is_damaged = matches!(item, Err(crate::Error::Damaged { .. }));
        (!matches!(item, Err(crate::Error::Closed))).then_some(item)
    }
}

impl<'a, T: Serialize + DeserializeOwned> IntoIterator for &'a Queue<T> {
    type Item = Result<T>;
    type IntoIter = Items<'a, T>;

    fn into_iter(self) -> Items<'a, T> {
        self.iter()
    }
}

/// A number for a type. Processes of one family run the same executable, so
/// the names of types are the same in all of them.
fn item_type<T>() -> u64 {
    crate::memory::fingerprint(type_name::<T>())
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self { channel: self.channel.clone(), item: PhantomData }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("items", &type_name::<T>())
            .field("len", &self.len())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl<T> Serialize for Queue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.channel.header().serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Queue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let header: Placed<layout::Header> = Placed::deserialize(deserializer)?;
        if header.item_type.load(std::sync::atomic::Ordering::Relaxed) != item_type::<T>() {
            let why = format!("what was sent is a queue, but not of {}", type_name::<T>());
            return Err(codec::refuse_to_decode(why));
        }
        Ok(Self { channel: Channel::over(header), item: PhantomData })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn a_queue_of_other_items_is_refused_when_it_is_decoded() {
        let queue = Queue::<u64>::new().unwrap();
        let sent = || codec::encode(&queue).unwrap();
        let again: Queue<u64> = codec::decode(&sent().bytes, sent().descriptors).unwrap();
        queue.put(&5).unwrap();
        assert_eq!(again.try_get().unwrap(), 5);
        let error = codec::decode::<Queue<String>>(&sent().bytes, sent().descriptors).unwrap_err();
        assert!(error.to_string().contains("not of alloc::string::String"), "{error}");
    }
}
