//! What the two kinds of pools differ in: how bytes reach a worker and come back.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
    time::Duration,
};

use crate::{Result, ring::Window};

/// How a pool's requests reach its workers and their replies come back.
///
/// A worker has one stream of bytes to it and one from it, each with a single
/// writer and a single reader: nothing that one worker does or fails to do
/// concerns another. Implementations are the [kinds](crate::pool) of pools.
pub trait Transport: Send + Sync + Sized + 'static {
    /// Prefix of the workers' names, unless the builder is given another.
    const NAME: &'static str;

    /// Whether its streams can be [posted](Stream::post) errands.
    #[doc(hidden)]
    const HAS_ERRANDS: bool = false;

    /// The parent's side of one worker's streams.
    type Stream: Stream;

    /// The worker's side.
    type Port: Port;

    /// What all workers of a pool have in common.
    ///
    /// # Errors
    ///
    /// If the operating system refuses a descriptor or memory.
    fn new() -> Result<Self>;

    /// Streams to and from one more worker, and the descriptors of which
    /// [`open`](Self::open) makes the other side.
    ///
    /// # Errors
    ///
    /// If the operating system refuses a descriptor or memory.
    fn connect(&self) -> Result<(Self::Stream, Vec<OwnedFd>)>;

    /// In a worker: its side of the streams.
    ///
    /// # Errors
    ///
    /// If these are not the descriptors that [`connect`](Self::connect) made.
    fn open(descriptors: Vec<OwnedFd>) -> Result<Self::Port>;

    /// Readable when a worker has news, if its stream has no descriptor of its
    /// own for that. Whoever has slept calls [`hush`](Self::hush).
    fn doorbell(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Makes the [`doorbell`](Self::doorbell) unreadable again.
    fn hush(&self) {}
}

/// The parent's side of one worker's streams. It never blocks.
pub trait Stream: Send {
    /// Takes bytes that the worker wrote; `None` if there are none, `Some(0)`
    /// at their end. What a worker wrote before it died can be read after its
    /// death.
    ///
    /// # Errors
    ///
    /// If the operating system refuses, or the worker has written rubbish
    /// where the stream keeps its own.
    fn read(&mut self, into: &mut [u8]) -> io::Result<Option<usize>>;

    /// Gives bytes to the worker; how many there was room for, `None` for none.
    ///
    /// # Errors
    ///
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if the worker is gone and
    /// this can be seen; otherwise as [`read`](Self::read).
    fn write(&mut self, from: &[u8]) -> io::Result<Option<usize>>;

    /// The same for bytes that do not change before the worker has read them, or
    /// was killed and the system has taken note: they need not be copied.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    fn write_lent(&mut self, from: &[u8]) -> io::Result<Option<usize>> {
        self.write(from)
    }

    /// Wakes the worker if it sleeps and something was written for it.
    fn wake(&mut self) {}

    /// Says that this process is about to sleep until there is something to
    /// read, or, if `to_write`, room to write. Whether it may: false if there
    /// is already.
    fn prepare_sleep(&mut self, to_write: bool) -> bool {
        let _ = to_write;
        true
    }

    /// Whether there is something to read. Whoever can spare a core looks a
    /// while before it sleeps.
    fn has_news(&self) -> bool;

    /// Past the stream, has the worker do something short as soon as it looks
    /// for requests: what a question in two parts asks for. It is not woken.
    /// False if this kind of stream cannot, or has not
    /// [forgotten](Self::forget_errand) its last errand.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    #[doc(hidden)]
    fn post(&mut self, errand: u64, question: [&[u8]; 2]) -> io::Result<bool> {
        let _ = (errand, question);
        Ok(false)
    }

    /// The errand that was posted and not forgotten.
    #[doc(hidden)]
    fn errand(&self) -> Option<u64> {
        None
    }

    /// Nobody waits for the errand any more, which is done or revoked.
    #[doc(hidden)]
    fn forget_errand(&mut self) {}

    /// Where errands can be watched.
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "for this crate's own kinds of pools")]
    fn window(&self) -> Option<Window> {
        None
    }

    /// Whether the worker sleeps, as far as one can see.
    #[doc(hidden)]
    fn is_asleep(&self) -> bool {
        true
    }

    /// Has the worker look for requests all the time, or not any more.
    #[doc(hidden)]
    fn set_hot(&mut self, is_hot: bool) {
        let _ = is_hot;
    }

    /// The worker has ended: what it shares with this process is not needed
    /// beyond the stream and its [windows](Self::window).
    #[doc(hidden)]
    fn outlive_worker(&mut self) {}

    /// To be polled for reading; `None` if the doorbell is.
    fn readable(&self) -> Option<BorrowedFd<'_>>;

    /// To be polled for writing; `None` if the doorbell is.
    fn writable(&self) -> Option<BorrowedFd<'_>>;
}

/// The worker's side of its streams. Reading blocks until there is something,
/// and gives nothing at the end: the parent wants no more. Writing blocks
/// until there is room. The parent notices what was written at the latest
/// after a flush.
pub trait Port: io::Read + io::Write {
    /// Whether a write costs next to nothing (no system call). Then every reply
    /// is written at once, so that none is lost with its worker; otherwise
    /// those to short tasks are gathered.
    const WRITES_ARE_CHEAP: bool;

    /// For how long the worker looks at an empty stream before it sleeps.
    fn set_spin(&mut self, limit: Duration);
}
