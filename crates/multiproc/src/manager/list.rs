//! A list in a manager.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Portable, Proxy};
use crate::Result;

/// A `Vec<T>` in a [`Manager`](super::Manager), used by several processes.
///
/// Each method is one call and happens as a whole; for more than one step at
/// once call a function of your own on [`proxy`](Self::proxy). Items are
/// copied in and out: to change one, [`set`](Self::set) it, or let the list
/// hold proxies.
///
/// # Errors
///
/// All methods fail as [`Proxy::call`] does.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "T: Portable")]
pub struct ListProxy<T> {
    items: Proxy<Vec<T>>,
}

#[allow(clippy::missing_errors_doc, reason = "told once, for the type")]
impl<T: Portable> ListProxy<T> {
    pub(super) fn new(items: Proxy<Vec<T>>) -> Self {
        Self { items }
    }

    /// Appends an item.
    pub fn push(&self, item: T) -> Result<()> {
        self.items.call(Vec::push, item)
    }

    /// Removes the last item and returns it.
    pub fn pop(&self) -> Result<Option<T>> {
        self.items.call(|items, ()| items.pop(), ())
    }

    /// The item at `index`, or `None` if there is none.
    pub fn get(&self, index: usize) -> Result<Option<T>> {
        self.items.call(|items, index: usize| items.get(index).cloned(), index)
    }

    /// Replaces the item at `index` and returns the old one. That there is
    /// none is [`Error::CallPanicked`](crate::Error::CallPanicked).
    pub fn set(&self, index: usize, item: T) -> Result<T> {
        let replace = |items: &mut Vec<T>, (index, item): (usize, T)| {
            std::mem::replace(&mut items[index], item)
        };
        self.items.call(replace, (index, item))
    }

    /// Inserts an item before the one at `index`. An index beyond the end is
    /// [`Error::CallPanicked`](crate::Error::CallPanicked).
    pub fn insert(&self, index: usize, item: T) -> Result<()> {
        self.items.call(|items, (index, item): (usize, T)| items.insert(index, item), (index, item))
    }

    /// Removes the item at `index` and returns it. That there is none is
    /// [`Error::CallPanicked`](crate::Error::CallPanicked).
    pub fn remove(&self, index: usize) -> Result<T> {
        self.items.call(Vec::remove, index)
    }

    /// Appends all of `items`, which nothing comes between.
    pub fn extend(&self, items: impl IntoIterator<Item = T>) -> Result<()> {
        let items: Vec<T> = items.into_iter().collect();
        self.items.call(|all, items: Vec<T>| all.extend(items), items)
    }

    /// Removes all items.
    pub fn clear(&self) -> Result<()> {
        self.items.call(|items, ()| items.clear(), ())
    }

    /// How many items there are.
    pub fn len(&self) -> Result<usize> {
        self.items.call(|items, ()| items.len(), ())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> Result<bool> {
        self.items.call(|items, ()| items.is_empty(), ())
    }

    /// Whether one of the items equals `item`.
    pub fn contains(&self, item: &T) -> Result<bool>
    where
        T: PartialEq,
    {
        self.items.call_with(|items, item: T| items.contains(&item), item)
    }

    /// Sorts the items; equal ones stay in their order.
    pub fn sort(&self) -> Result<()>
    where
        T: Ord,
    {
        self.items.call(|items, ()| items.sort(), ())
    }

    /// Reverses the order of the items.
    pub fn reverse(&self) -> Result<()> {
        self.items.call(|items, ()| items.reverse(), ())
    }

    /// A copy of all items.
    pub fn to_vec(&self) -> Result<Vec<T>> {
        self.items.call(|items, ()| items.clone(), ())
    }

    /// The proxy of the `Vec`, to call functions of your own on.
    #[must_use]
    pub fn proxy(&self) -> &Proxy<Vec<T>> {
        &self.items
    }
}

impl<T> Clone for ListProxy<T> {
    fn clone(&self) -> Self {
        Self { items: self.items.clone() }
    }
}

impl<T> fmt::Debug for ListProxy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ListProxy").field(&self.items).finish()
    }
}
