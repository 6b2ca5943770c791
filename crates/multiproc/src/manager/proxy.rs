//! A handle to an object in a manager.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use super::{
    home::{Reference, refused},
    wire::{Deadline, Ticket},
};
use crate::{Result, codec};

/// A handle to a `T` that lives in a [`Manager`](super::Manager).
///
/// Clones lead to the same object, and so does what another process decodes,
/// to which a proxy was given at its start or sent over a connection. The
/// object is dropped when the last proxy anywhere is gone; a proxy on its way
/// counts, until it has arrived or whatever carries it is gone.
///
/// What can be done with the object is what functions do that are called on
/// it; see [`call`](Self::call). A type's own methods become those of its
/// proxy by a trait:
///
/// ```
/// use multiproc::{Manager, Process, Proxy, Result};
///
/// #[derive(Default)]
/// struct Account {
///     balance: i64,
/// }
///
/// trait AccountMethods {
///     fn deposit(&self, amount: i64) -> Result<i64>;
/// }
///
/// impl AccountMethods for Proxy<Account> {
///     fn deposit(&self, amount: i64) -> Result<i64> {
///         self.call(
///             |account, amount: i64| {
///                 account.balance += amount;
///                 account.balance
///             },
///             amount,
///         )
///     }
/// }
///
/// let manager = Manager::start()?;
/// let account = manager.create(|()| Account::default(), ())?;
/// let mut process = Process::new(
///     |account: Proxy<Account>| {
///         account.deposit(30).unwrap();
///     },
///     account.clone(),
/// );
/// process.start()?;
/// process.join()?;
/// assert_eq!(account.deposit(12)?, 42);
/// # Ok::<(), multiproc::Error>(())
/// ```
pub struct Proxy<T> {
    reference: Arc<Reference>,
    object: PhantomData<fn() -> T>,
}

impl<T: Send + 'static> Proxy<T> {
    pub(super) fn new(reference: Reference) -> Self {
        Self { reference: Arc::new(reference), object: PhantomData }
    }

    /// Calls `f` with the object and `arguments` in the manager's process and
    /// returns its result.
    ///
    /// `f` is a plain function or a closure that captures nothing. Calls on
    /// one object are executed one after the other, each as a whole; those on
    /// different objects, at the same time. Arguments and results are copied;
    /// handles (connections, locks, other proxies) may be among them.
    ///
    /// Two objects whose functions call each other can wait for each other for
    /// ever, as two locks can; an object that calls itself is an error.
    ///
    /// # Errors
    ///
    /// - [`Error::CallPanicked`](crate::Error::CallPanicked) if `f` panics:
    ///   the object stays as it was left and can be used;
    /// - [`Error::Encode`](crate::Error::Encode) or
    ///   [`Error::Decode`](crate::Error::Decode) if the arguments or the
    ///   result cannot cross;
    /// - [`Error::ManagerEnded`](crate::Error::ManagerEnded) if there is no
    ///   manager any more; whether the call was executed is not known then;
    /// - [`Error::ManagerOverloaded`](crate::Error::ManagerOverloaded) if the
    ///   manager has no descriptor or thread left for this process;
    /// - [`Error::NoSuchObject`](crate::Error::NoSuchObject) if the object is
    ///   not a `T`, because the proxy was received as one of another type;
    /// - [`Error::CallsItself`](crate::Error::CallsItself) if the object is
    ///   in the middle of a call that this one is a part of;
    /// - [`Error::NotInherited`](crate::Error::NotInherited) in a process that
    ///   was forked from the one that the proxy belongs to.
    pub fn call<A, R, F>(&self, f: F, arguments: A) -> Result<R>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
        F: Fn(&mut T, A) -> R + Copy + Send + 'static,
    {
        self.reference.call(f, &arguments, None)
    }

    /// The same, but waits for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), and
    /// [`Error::TimedOut`](crate::Error::TimedOut). A call that has not begun
    /// by then never does; one that has begun goes on, and its result is lost.
    pub fn call_timeout<A, R, F>(&self, f: F, arguments: A, timeout: Duration) -> Result<R>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
        F: Fn(&mut T, A) -> R + Copy + Send + 'static,
    {
        self.reference.call(f, &arguments, Some(Deadline::after(timeout)))
    }

    /// As [`call`](Self::call), with arguments that stay the caller's.
    pub(super) fn call_with<A, R, F>(&self, f: F, arguments: &A) -> Result<R>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
        F: Fn(&mut T, A) -> R + Copy + Send + 'static,
    {
        self.reference.call(f, arguments, None)
    }
}

impl<T> Clone for Proxy<T> {
    fn clone(&self) -> Self {
        Self { reference: Arc::clone(&self.reference), object: PhantomData }
    }
}

impl<T> fmt::Debug for Proxy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("type", &std::any::type_name::<T>())
            .field("manager", &self.reference.home.pid())
            .finish_non_exhaustive()
    }
}

/// As a connection of its own, which holds a reference to the object.
impl<T> Serialize for Proxy<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.reference.lend().map_err(refused::<S::Error>)?.serialize(serializer)
    }
}

impl<'de, T: Send + 'static> Deserialize<'de> for Proxy<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ticket = Ticket::deserialize(deserializer)?;
        Reference::of(ticket).map(Self::new).map_err(codec::refuse_to_decode)
    }
}
