//! A list of mixed items that processes share.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Item, Kind,
    guarded::{Guarded, Held},
    slots::{Slots, room_of, words_for},
};
use crate::{OwnerDied, Result, codec, memory::Words};

enum List {}

impl Kind for List {
    const NAME: &'static str = "ShareableList";
}

/// A list of fixed length whose items are of mixed kinds and can be replaced.
///
/// Python's `ShareableList`. Clones, and what other processes decode, are the
/// same list. An item is read and replaced as a whole, by one process at a
/// time. A process that dies in the middle has replaced its item or has not,
/// so nobody needs to be told.
///
/// Every place has room of its own, as in Python: as many bytes as the first
/// item needs, rounded up to a multiple of eight, and at least one more than a
/// text or bytes.
///
/// ```
/// use multiproc::{Item, Process, ShareableList};
///
/// let list = ShareableList::new([Item::from("howdy"), 42.into(), 2.5.into(), ().into()])?;
/// let change = |list: ShareableList| list.set(3, "done").unwrap();
/// let mut process = Process::new(change, list.clone());
/// process.start()?;
/// process.join()?;
/// assert_eq!(list.get(3)?, "done".into());
/// assert_eq!(list.index(&42.into())?, Some(1));
/// assert!(list.set(3, "far too long").is_err());
/// # Ok::<(), multiproc::Error>(())
/// ```
#[derive(Clone)]
pub struct ShareableList {
    words: Guarded<List, u64>,
    /// How many places are described in the words.
    len: usize,
}

impl ShareableList {
    /// A list of these items.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](crate::Error::Memory) if there is no room for them.
    pub fn new<I: Into<Item>>(items: impl IntoIterator<Item = I>) -> Result<Self> {
        Self::with_room(items, 0)
    }

    /// The same with room for at least `bytes` in every place.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with_room<I: Into<Item>>(
        items: impl IntoIterator<Item = I>,
        bytes: usize,
    ) -> Result<Self> {
        let items: Vec<Item> = items.into_iter().map(Into::into).collect();
        let rooms: Vec<usize> = items.iter().map(|item| room_of(item, bytes)).collect();
        let list = Self { words: Guarded::new(words_for(&rooms))?, len: items.len() };
        list.locked(|slots| {
            slots.lay_out(&rooms);
            items.iter().enumerate().try_for_each(|(index, item)| slots.set(index, item))
        })?;
        Ok(list)
    }

    /// The number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A copy of item number `index`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) if there is none.
    pub fn get(&self, index: usize) -> Result<Item> {
        self.locked(|slots| slots.get(index))
    }

    /// Replaces item number `index`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) if there is none, or
    /// [`Error::DoesNotFit`](crate::Error::DoesNotFit) if the new one is too
    /// long for its place; then the old one stays.
    pub fn set(&self, index: usize, item: impl Into<Item>) -> Result<()> {
        let item = item.into();
        self.locked(|slots| slots.set(index, &item))
    }

    /// Replaces item number `index` by what `change` makes of it while no
    /// other process uses the list; returns what it was.
    ///
    /// # Errors
    ///
    /// As for [`set`](Self::set).
    ///
    /// # Panics
    ///
    /// If `change` uses the list.
    pub fn update(&self, index: usize, change: impl FnOnce(&Item) -> Item) -> Result<Item> {
        self.locked(|slots| {
            let old = slots.get(index)?;
            slots.set(index, &change(&old))?;
            Ok(old)
        })
    }

    /// A copy of all items at one moment.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`](crate::Error::Damaged) if another process has written
    /// over the list.
    pub fn to_vec(&self) -> Result<Vec<Item>> {
        self.locked(|slots| (0..slots.len).map(|index| slots.get(index)).collect())
    }

    /// The items, each as it is when its turn comes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Result<Item>> + '_ {
        (0..self.len).map(|index| self.get(index))
    }

    /// How many items equal `item`.
    ///
    /// # Errors
    ///
    /// As for [`to_vec`](Self::to_vec).
    pub fn count(&self, item: &Item) -> Result<usize> {
        Ok(self.to_vec()?.iter().filter(|&other| other == item).count())
    }

    /// The number of the first item that equals `item`, if there is one.
    ///
    /// # Errors
    ///
    /// As for [`to_vec`](Self::to_vec).
    pub fn index(&self, item: &Item) -> Result<Option<usize>> {
        Ok(self.to_vec()?.iter().position(|other| other == item))
    }

    fn locked<R>(&self, work: impl FnOnce(Slots<'_>) -> R) -> R {
        // An owner that died has left every place whole (`slots`).
        let mut held: Held<'_, u64> = self.words.lock().unwrap_or_else(OwnerDied::into_guard);
        work(Slots::new(Words::from_mut(&mut held), self.len))
    }
}

impl fmt::Debug for ShareableList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(List::NAME).field("len", &self.len).finish_non_exhaustive()
    }
}

/// The list's handle, and its length.
impl Serialize for ShareableList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.words, self.len as u64).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ShareableList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (words, len): (Guarded<List, u64>, u64) = Deserialize::deserialize(deserializer)?;
        match usize::try_from(len) {
            Ok(len) if len <= words.len() / words_for(&[0]) => Ok(Self { words, len }),
            _ => Err(codec::refuse_to_decode("the list is longer than its memory")),
        }
    }
}
