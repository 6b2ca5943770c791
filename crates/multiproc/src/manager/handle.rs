//! Making objects, in the process that has started the manager and in others.

use std::{collections::HashMap, fmt, hash::Hash};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use super::{
    CounterProxy, DictProxy, ListProxy, Portable, Proxy, ValueProxy,
    home::{Home, refused},
    wire::Ticket,
};
use crate::{Result, codec};

/// A handle with which objects are made in a [`Manager`](super::Manager).
///
/// The manager itself has these methods too. A handle can be given to a
/// process at its start or sent over a connection; it does not keep the
/// manager alive.
#[derive(Clone)]
pub struct ManagerHandle {
    home: Home,
}

impl ManagerHandle {
    pub(super) fn new(home: Home) -> Self {
        Self { home }
    }

    /// Makes an object in the manager's process: what `constructor` returns.
    ///
    /// `constructor` is a plain function or a closure that captures nothing.
    /// The object itself never crosses to another process, so it can be of any
    /// type that can be used from another thread.
    ///
    /// # Errors
    ///
    /// As [`Proxy::call`].
    pub fn create<T, A, F>(&self, constructor: F, arguments: A) -> Result<Proxy<T>>
    where
        T: Send + 'static,
        A: Serialize + DeserializeOwned,
        F: Fn(A) -> T + Copy + Send + 'static,
    {
        self.home.construct(constructor, &arguments).map(Proxy::new)
    }

    /// An empty list.
    ///
    /// # Errors
    ///
    /// As [`Proxy::call`].
    pub fn list<T: Portable>(&self) -> Result<ListProxy<T>> {
        self.list_from(Vec::new())
    }

    /// A list of `items`.
    ///
    /// # Errors
    ///
    /// As [`Proxy::call`].
    pub fn list_from<T: Portable>(
        &self,
        items: impl IntoIterator<Item = T>,
    ) -> Result<ListProxy<T>> {
        let items: Vec<T> = items.into_iter().collect();
        self.create(|items: Vec<T>| items, items).map(ListProxy::new)
    }

    /// An empty dictionary.
    ///
    /// # Errors
    ///
    /// As [`Proxy::call`].
    pub fn dict<K: Portable + Eq + Hash, V: Portable>(&self) -> Result<DictProxy<K, V>> {
        self.dict_from([])
    }

    /// A dictionary of `items`; of several with the same key, the last.
    ///
    /// # Errors
    ///
    /// As [`Proxy::call`].
    pub fn dict_from<K: Portable + Eq + Hash, V: Portable>(
        &self,
        items: impl IntoIterator<Item = (K, V)>,
    ) -> Result<DictProxy<K, V>> {
        let items: Vec<(K, V)> = items.into_iter().collect();
        self.create(|items: Vec<(K, V)>| items.into_iter().collect::<HashMap<K, V>>(), items)
            .map(DictProxy::new)
    }

    /// A single value.
    ///
    /// # Errors
    ///
    /// As [`Proxy::call`].
    pub fn value<T: Portable>(&self, value: T) -> Result<ValueProxy<T>> {
        self.create(|value: T| value, value).map(ValueProxy::new)
    }

    /// A counter that begins at 0.
    ///
    /// # Errors
    ///
    /// As [`Proxy::call`].
    pub fn counter(&self) -> Result<CounterProxy> {
        self.create(|()| 0, ()).map(CounterProxy::new)
    }

    /// The process id of the manager.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.home.pid()
    }
}

impl fmt::Debug for ManagerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagerHandle").field("pid", &self.pid()).finish_non_exhaustive()
    }
}

/// As a connection of its own.
impl Serialize for ManagerHandle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.home.lend(None).map_err(refused::<S::Error>)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ManagerHandle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ticket = Ticket::deserialize(deserializer)?;
        Home::of(ticket).map(Self::new).map_err(codec::refuse_to_decode)
    }
}
