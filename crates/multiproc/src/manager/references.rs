//! Who holds how many references to which object.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use super::{
    object::Object,
    wire::{HolderId, ObjectId},
};

/// The objects of a server and the references to them.
///
/// An object is here as long as somebody holds a reference. Whatever takes the
/// last one away hands the object to its caller, who drops it where a slow
/// `Drop` holds up nobody.
pub(super) struct References {
    objects: HashMap<ObjectId, Held>,
    holders: HashMap<HolderId, HashMap<ObjectId, usize>>,
    ids: Ids,
}

struct Held {
    object: Arc<Object>,
    references: usize,
}

impl References {
    pub(super) fn new() -> Self {
        Self { objects: HashMap::new(), holders: HashMap::new(), ids: Ids::default() }
    }

    /// A new holder, of nothing yet.
    pub(super) fn add_holder(&mut self) -> HolderId {
        let holder = self.ids.next();
        self.holders.insert(holder, HashMap::new());
        holder
    }

    /// A new object, to which `holder` has the only reference.
    pub(super) fn add_object(&mut self, holder: HolderId, object: Object) -> ObjectId {
        let id = self.ids.next();
        self.objects.insert(id, Held { object: Arc::new(object), references: 0 });
        self.hold(holder, id);
        id
    }

    pub(super) fn find(&self, object: ObjectId) -> Option<Arc<Object>> {
        self.objects.get(&object).map(|held| Arc::clone(&held.object))
    }

    /// One reference more for `holder`; whether both exist.
    pub(super) fn hold(&mut self, holder: HolderId, object: ObjectId) -> bool {
        let (Some(held), Some(holds)) =
            (self.objects.get_mut(&object), self.holders.get_mut(&holder))
        else {
            return false;
        };
        held.references += 1;
        *holds.entry(object).or_default() += 1;
        true
    }

    /// One reference less; the object if that was the last. A reference that
    /// `holder` does not have cannot be taken from others.
    pub(super) fn release(&mut self, holder: HolderId, object: ObjectId) -> Option<Arc<Object>> {
        let holds = self.holders.get_mut(&holder)?;
        let count = holds.get_mut(&object)?;
        *count -= 1;
        if *count == 0 {
            holds.remove(&object);
        }
        self.forget(object, 1)
    }

    /// A holder is gone; the objects that nobody else held.
    pub(super) fn remove_holder(&mut self, holder: HolderId) -> Vec<Arc<Object>> {
        let holds = self.holders.remove(&holder).unwrap_or_default();
        holds.into_iter().filter_map(|(object, count)| self.forget(object, count)).collect()
    }

    /// What `from` holds is `into`'s now, if both exist.
    pub(super) fn merge(&mut self, from: HolderId, into: HolderId) {
        let Some(moved) = self.holders.get_mut(&from).map(std::mem::take) else { return };
        let heir = if self.holders.contains_key(&into) { into } else { from };
        let holds = self.holders.entry(heir).or_default();
        for (object, count) in moved {
            *holds.entry(object).or_default() += count;
        }
    }

    /// All objects; afterwards there are none.
    pub(super) fn take_all(&mut self) -> Vec<Arc<Object>> {
        self.holders.values_mut().for_each(HashMap::clear);
        self.objects.drain().map(|(_, held)| held.object).collect()
    }

    fn forget(&mut self, object: ObjectId, count: usize) -> Option<Arc<Object>> {
        let held = self.objects.get_mut(&object)?;
        held.references -= count;
        if held.references > 0 {
            return None;
        }
        self.objects.remove(&object).map(|held| held.object)
    }
}

/// Numbers that nobody can guess and that do not repeat within a process.
#[derive(Default)]
struct Ids {
    /// Seeded by the operating system.
    keys: RandomState,
    drawn: u64,
}

impl Ids {
    fn next(&mut self) -> u64 {
        self.drawn += 1;
        // SipHash is not a permutation, but two equal numbers of 64 bits are
        // not to be expected before some billions are drawn.
        self.keys.hash_one(self.drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with two holders and an object that the first one holds.
    fn table() -> (References, HolderId, HolderId, ObjectId) {
        let mut table = References::new();
        let (one, other) = (table.add_holder(), table.add_holder());
        let object = table.add_object(one, Object::new("value"));
        (table, one, other, object)
    }

    #[test]
    fn an_object_lives_until_its_last_reference_is_released() {
        let (mut table, one, other, object) = table();
        assert!(table.hold(one, object) && table.hold(other, object));
        assert!(table.release(one, object).is_none());
        assert!(table.release(other, object).is_none());
        assert!(table.find(object).is_some());
        assert!(table.release(one, object).is_some());
        assert!(table.find(object).is_none());
        assert!(!table.hold(one, object));
    }

    #[test]
    fn a_holder_that_is_gone_holds_nothing() {
        let (mut table, one, other, object) = table();
        assert!(table.hold(one, object) && table.hold(other, object));
        assert!(table.remove_holder(one).is_empty());
        assert_eq!(table.remove_holder(other).len(), 1);
        assert!(table.remove_holder(other).is_empty());
    }

    #[test]
    fn nobody_can_release_what_another_one_holds() {
        let (mut table, one, other, object) = table();
        assert!(table.release(other, object).is_none());
        assert!(table.find(object).is_some());
        assert!(table.release(one, object).is_some());
        assert!(table.release(one, object).is_none());
    }

    #[test]
    fn what_is_merged_is_held_by_the_other_one() {
        let (mut table, one, other, object) = table();
        assert!(table.hold(other, object));
        table.merge(one, other);
        assert!(table.remove_holder(one).is_empty());
        assert!(table.release(other, object).is_none());
        assert!(table.release(other, object).is_some());
    }

    #[test]
    fn merging_with_nobody_or_oneself_changes_nothing() {
        let (mut table, one, other, object) = table();
        table.remove_holder(other);
        table.merge(one, other);
        table.merge(other, one);
        table.merge(one, one);
        assert!(table.release(one, object).is_some());
        assert!(table.release(one, object).is_none());
    }

    #[test]
    fn nothing_is_left_when_all_was_taken() {
        let (mut table, one, other, object) = table();
        assert!(table.hold(other, object));
        assert_eq!(table.take_all().len(), 1);
        assert!(table.release(one, object).is_none());
        assert!(table.find(object).is_none());
    }
}
