//! Connections: messages between two processes.

mod channel;
mod descriptor;
mod lane;
mod message;
mod parcel;
mod pipe;
mod readiness;
mod turns;

use std::{
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use channel::Channel;
pub use descriptor::Descriptor;
use readiness::deadline;
pub use readiness::wait;

use crate::{Result, codec};

/// Two connected ends, each of which can send and receive.
///
/// Messages of up to 4 KiB without descriptors cost little more than the same
/// bytes through a pipe of the operating system. A write to a closed end is an
/// error and not a signal: SIGPIPE is ignored from here on if this process has
/// not said what to do with it.
///
/// # Errors
///
/// [`Error::System`](crate::Error::System) if there are no descriptors left.
///
/// # Examples
///
/// ```
/// use multiproc::{Connection, Process, pipe};
///
/// fn cuber(connection: Connection) {
///     let number: u64 = connection.recv().unwrap();
///     connection.send(&number.pow(3)).unwrap();
/// }
///
/// let (ours, theirs) = pipe()?;
/// let mut process = Process::new(cuber, theirs);
/// process.start()?;
/// ours.send(&19u64)?;
/// assert_eq!(ours.recv::<u64>()?, 6859);
/// process.join()?;
/// # Ok::<(), multiproc::Error>(())
/// ```
pub fn pipe() -> Result<(Connection, Connection)> {
    let (one, other) = Channel::duplex()?;
    Ok((Connection { channel: one }, Connection { channel: other }))
}

/// A receiving end and the sending end that leads to it.
///
/// # Errors
///
/// [`Error::System`](crate::Error::System) if there are no descriptors left.
///
/// # Examples
///
/// ```
/// let (receiver, sender) = multiproc::one_way_pipe()?;
/// sender.send(&(42, "hello"))?;
/// drop(sender);
/// assert_eq!(receiver.recv::<(i32, String)>()?, (42, "hello".to_owned()));
/// assert!(matches!(receiver.recv::<i32>(), Err(multiproc::Error::Disconnected)));
/// # Ok::<(), multiproc::Error>(())
/// ```
pub fn one_way_pipe() -> Result<(Receiver, Sender)> {
    let (one, other) = Channel::one_way()?;
    Ok((Receiver { channel: one }, Sender { channel: other }))
}

/// One of the two ends that [`pipe`] makes.
///
/// A message is sent and received whole or not at all, whatever happens to
/// the processes at either end, and any number of threads and processes may
/// share an end: each message goes to one of its readers. The other end is
/// told that this one is closed when the last handle to it is dropped, in
/// whatever process, and can still receive what was sent before.
///
/// A handle can be given to a process at its start, sent over a connection, or
/// be part of a value of either kind; the receiver gets a handle to the same
/// end. See the methods for what can go wrong.
#[derive(Debug)]
pub struct Connection {
    channel: Channel,
}

/// The receiving end of [`one_way_pipe`]; apart from that it is as a
/// [`Connection`].
#[derive(Debug)]
pub struct Receiver {
    channel: Channel,
}

/// The sending end of [`one_way_pipe`]; apart from that it is as a
/// [`Connection`].
#[derive(Debug)]
pub struct Sender {
    channel: Channel,
}

/// The methods of an end that sends.
macro_rules! sends {
    ($End:ident) => {
        impl $End {
            /// Sends a value, and with it the handles and descriptors in it.
            ///
            /// Returns when the message is on its way, which does not mean
            /// that anybody has received it, and waits while the buffer is
            /// full. The first message never has to wait, however long it is.
            ///
            /// A message carries at most 253 descriptors. A [`Descriptor`] is
            /// one, a [`Receiver`] has two, a [`Sender`] three and a
            /// [`Connection`] four, so at most 63 connections fit into a
            /// message; more than 64 KiB of content take one descriptor too.
            ///
            /// # Errors
            ///
            /// [`Error::Encode`](crate::Error::Encode) if the value cannot be
            /// turned into bytes, [`Error::Disconnected`](crate::Error::Disconnected)
            /// if nobody is left to receive it, [`Error::Memory`](crate::Error::Memory)
            /// if it is long and there is no room for it, and
            /// [`Error::TooLarge`](crate::Error::TooLarge) if more descriptors
            /// would go with it than a message carries. Nothing was sent then,
            /// and the connection is as it was.
            pub fn send<T: Serialize + ?Sized>(&self, value: &T) -> Result<()> {
                self.channel.send(value, None)
            }

            /// As [`send`](Self::send), but waits for at most `timeout`.
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send), and [`Error::TimedOut`](crate::Error::TimedOut).
            pub fn send_timeout<T: Serialize + ?Sized>(
                &self,
                value: &T,
                timeout: Duration,
            ) -> Result<()> {
                self.channel.send(value, deadline(timeout))
            }

            /// Sends bytes as they are; none are a message too.
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send), except that bytes need no encoding.
            pub fn send_bytes(&self, bytes: &[u8]) -> Result<()> {
                self.channel.send_bytes(bytes, None)
            }

            /// As [`send_bytes`](Self::send_bytes), but waits for at most `timeout`.
            ///
            /// # Errors
            ///
            /// As [`send_bytes`](Self::send_bytes), and
            /// [`Error::TimedOut`](crate::Error::TimedOut).
            pub fn send_bytes_timeout(&self, bytes: &[u8], timeout: Duration) -> Result<()> {
                self.channel.send_bytes(bytes, deadline(timeout))
            }
        }
    };
}

/// The methods of an end that receives.
macro_rules! receives {
    ($End:ident) => {
        impl $End {
            /// Waits for a message and returns the value that was sent.
            ///
            /// `T` must be the type that was sent, or one of the same shape,
            /// such as `String` for `str`. Nothing tells an `i32` from a `u64`:
            /// write `send(&19u64)` if `recv::<u64>()` is at the other end.
            ///
            /// # Errors
            ///
            /// [`Error::Disconnected`](crate::Error::Disconnected) if there is
            /// no message and nobody is left to send one. All other errors
            /// concern one message, which is gone, and not those that follow:
            /// [`Error::Decode`](crate::Error::Decode) if it is not a `T`,
            /// [`Error::OtherKind`](crate::Error::OtherKind) if it was sent as
            /// bytes, [`Error::Memory`](crate::Error::Memory) if it is long and
            /// there is no room for it, and [`Error::System`](crate::Error::System)
            /// if this process cannot open the descriptors that came with it.
            pub fn recv<T: DeserializeOwned>(&self) -> Result<T> {
                self.channel.recv(None)
            }

            /// As [`recv`](Self::recv), but waits for at most `timeout`.
            ///
            /// # Errors
            ///
            /// As [`recv`](Self::recv), and [`Error::TimedOut`](crate::Error::TimedOut).
            pub fn recv_timeout<T: DeserializeOwned>(&self, timeout: Duration) -> Result<T> {
                self.channel.recv(deadline(timeout))
            }

            /// Waits for a message and returns the bytes that were sent.
            ///
            /// # Errors
            ///
            /// As [`recv`](Self::recv), but
            /// [`Error::OtherKind`](crate::Error::OtherKind) if it was sent as
            /// a value.
            pub fn recv_bytes(&self) -> Result<Vec<u8>> {
                self.channel.recv_bytes(None)
            }

            /// As [`recv_bytes`](Self::recv_bytes), but waits for at most `timeout`.
            ///
            /// # Errors
            ///
            /// As [`recv_bytes`](Self::recv_bytes), and
            /// [`Error::TimedOut`](crate::Error::TimedOut).
            pub fn recv_bytes_timeout(&self, timeout: Duration) -> Result<Vec<u8>> {
                self.channel.recv_bytes(deadline(timeout))
            }

            /// Waits for a message of bytes and copies them to the beginning
            /// of `buffer`; returns how many there are.
            ///
            /// # Errors
            ///
            /// As [`recv_bytes`](Self::recv_bytes), and
            /// [`Error::BufferTooShort`](crate::Error::BufferTooShort), which
            /// carries the message, if it is longer than `buffer`, which is
            /// left as it was.
            pub fn recv_into(&self, buffer: &mut [u8]) -> Result<usize> {
                self.channel.recv_into(buffer, None)
            }

            /// As [`recv_into`](Self::recv_into), but waits for at most `timeout`.
            ///
            /// # Errors
            ///
            /// As [`recv_into`](Self::recv_into), and
            /// [`Error::TimedOut`](crate::Error::TimedOut).
            pub fn recv_into_timeout(&self, buffer: &mut [u8], timeout: Duration) -> Result<usize> {
                self.channel.recv_into(buffer, deadline(timeout))
            }

            /// Whether receiving would return at once, or will within
            /// `timeout`: because there is a message, or because nobody is
            /// left to send one. At the end of the messages it is therefore
            /// `true`, each time and without waiting, and receiving is
            /// [`Error::Disconnected`](crate::Error::Disconnected).
            ///
            /// Takes nothing; if this end has several readers, another may be
            /// quicker.
            ///
            /// # Errors
            ///
            /// [`Error::System`](crate::Error::System) if the operating system refuses.
            pub fn poll(&self, timeout: Duration) -> Result<bool> {
                self.channel.poll(deadline(timeout))
            }
        }
    };
}

/// What every end is: a handle that can be copied, waited for and sent.
macro_rules! is_a_handle {
    ($End:ident, $directions:expr) => {
        impl $End {
            /// Another handle to the same end.
            ///
            /// # Errors
            ///
            /// [`Error::System`](crate::Error::System) if there are no
            /// descriptors left.
            pub fn try_clone(&self) -> Result<Self> {
                Ok(Self { channel: self.channel.try_clone()? })
            }
        }

        /// To wait for it together with others; reading or writing it
        /// otherwise loses messages.
        impl AsFd for $End {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.channel.as_fd()
            }
        }

        impl Serialize for $End {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.channel.serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $End {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let channel = Channel::deserialize(deserializer)?;
                if channel.directions() == $directions {
                    Ok(Self { channel })
                } else {
                    let what = concat!("what was sent is not a ", stringify!($End));
                    Err(codec::refuse_to_decode(what))
                }
            }
        }
    };
}

sends!(Connection);
sends!(Sender);
receives!(Connection);
receives!(Receiver);
// Whether it receives, and whether it sends.
is_a_handle!(Connection, (true, true));
is_a_handle!(Receiver, (true, false));
is_a_handle!(Sender, (false, true));
