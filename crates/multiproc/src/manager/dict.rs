//! A dictionary in a manager.

use std::{collections::HashMap, fmt, hash::Hash};

use serde::{Deserialize, Serialize};

use super::{Portable, Proxy};
use crate::Result;

/// A `HashMap<K, V>` in a [`Manager`](super::Manager), used by several
/// processes.
///
/// Each method is one call and happens as a whole; for more than one step at
/// once call a function of your own on [`proxy`](Self::proxy). Keys and values
/// are copied in and out: to change a value, [`insert`](Self::insert) it, or
/// let the dictionary hold proxies. Keys are in no particular order.
///
/// # Errors
///
/// All methods fail as [`Proxy::call`] does.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "K: Portable + Eq + Hash, V: Portable")]
pub struct DictProxy<K, V> {
    entries: Proxy<HashMap<K, V>>,
}

#[allow(clippy::missing_errors_doc, reason = "told once, for the type")]
impl<K: Portable + Eq + Hash, V: Portable> DictProxy<K, V> {
    pub(super) fn new(entries: Proxy<HashMap<K, V>>) -> Self {
        Self { entries }
    }

    /// Sets the value of `key` and returns the old one, if there was one.
    pub fn insert(&self, key: K, value: V) -> Result<Option<V>> {
        self.entries.call(|entries, (key, value): (K, V)| entries.insert(key, value), (key, value))
    }

    /// The value of `key`, or `None` if it has none.
    pub fn get(&self, key: &K) -> Result<Option<V>> {
        self.entries.call_with(|entries, key: K| entries.get(&key).cloned(), key)
    }

    /// Removes `key` and returns its value, if it had one.
    pub fn remove(&self, key: &K) -> Result<Option<V>> {
        self.entries.call_with(|entries, key: K| entries.remove(&key), key)
    }

    /// Whether `key` has a value.
    pub fn contains_key(&self, key: &K) -> Result<bool> {
        self.entries.call_with(|entries, key: K| entries.contains_key(&key), key)
    }

    /// Sets the values of many keys, which nothing comes between.
    pub fn extend(&self, items: impl IntoIterator<Item = (K, V)>) -> Result<()> {
        let items: Vec<(K, V)> = items.into_iter().collect();
        self.entries.call(|entries, items: Vec<(K, V)>| entries.extend(items), items)
    }

    /// Removes all keys.
    pub fn clear(&self) -> Result<()> {
        self.entries.call(|entries, ()| entries.clear(), ())
    }

    /// How many keys there are.
    pub fn len(&self) -> Result<usize> {
        self.entries.call(|entries, ()| entries.len(), ())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> Result<bool> {
        self.entries.call(|entries, ()| entries.is_empty(), ())
    }

    /// A copy of all keys.
    pub fn keys(&self) -> Result<Vec<K>> {
        self.entries.call(|entries, ()| entries.keys().cloned().collect(), ())
    }

    /// A copy of all values.
    pub fn values(&self) -> Result<Vec<V>> {
        self.entries.call(|entries, ()| entries.values().cloned().collect(), ())
    }

    /// A copy of all keys with their values.
    pub fn items(&self) -> Result<Vec<(K, V)>> {
        self.entries.call(
            |entries, ()| entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            (),
        )
    }

    /// A copy of the whole dictionary.
    pub fn to_map(&self) -> Result<HashMap<K, V>> {
        self.items().map(|items| items.into_iter().collect())
    }

    /// The proxy of the `HashMap`, to call functions of your own on.
    #[must_use]
    pub fn proxy(&self) -> &Proxy<HashMap<K, V>> {
        &self.entries
    }
}

impl<K, V> Clone for DictProxy<K, V> {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone() }
    }
}

impl<K, V> fmt::Debug for DictProxy<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DictProxy").field(&self.entries).finish()
    }
}
