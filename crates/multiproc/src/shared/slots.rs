//! Places of fixed room for items, in words that may end up half-written.
//!
//! A place has two buffers and a state word that says which of them holds the
//! item. A new item is written to the other one, then the state word is
//! replaced: whoever dies in between has changed nothing.

use super::Item;
use crate::{
    Error, Result,
    atomic::Ordering::{Acquire, Release},
    memory::{WORD, Words},
};

/// Words that describe a place: where its buffers begin, their room in bytes,
/// and its state.
const DESCRIPTION: usize = 3;

const DAMAGED: Error = Error::Damaged { what: "the list" };

/// Room for numbers in every place, so that they fit wherever they are set.
const LEAST_ROOM: usize = WORD;

/// Which of the buffers holds the item; its kind; its length in bytes.
#[derive(Clone, Copy)]
struct State {
    buffer: usize,
    kind: u64,
    len: usize,
}

impl State {
    fn from_word(word: u64) -> Self {
        Self { buffer: (word & 1) as usize, kind: word >> 1 & 0x7F, len: (word >> 8) as usize }
    }

    fn word(self) -> u64 {
        self.buffer as u64 | self.kind << 1 | (self.len as u64) << 8
    }
}

/// The places of a list.
#[derive(Clone, Copy)]
pub(super) struct Slots<'a> {
    words: Words<'a>,
    /// How many places there are.
    pub(super) len: usize,
}

/// A place whose description has been checked against the memory.
struct Slot {
    /// The first buffer, in bytes from the first word.
    start: usize,
    room: usize,
    state: State,
}

impl Slot {
    fn buffer(&self, buffer: usize) -> usize {
        self.start + buffer * self.room
    }
}

/// The room of a place for `item`, at least `least` bytes: as in Python, to
/// the next multiple of eight, and eight more if it is one.
pub(super) fn room_of(item: &Item, least: usize) -> usize {
    let len = match item {
        Item::Str(_) | Item::Bytes(_) => item.with_bytes(<[u8]>::len) + 1,
        _ => 0,
    };
    let bytes = len.max(least).max(LEAST_ROOM);
    // Beyond all memory, which is told when it is asked for.
    bytes.checked_next_multiple_of(WORD).unwrap_or(usize::MAX - usize::MAX % WORD)
}

/// Words that places with these rooms take.
pub(super) fn words_for(rooms: &[usize]) -> usize {
    let words = rooms.iter().map(|room| DESCRIPTION + room / WORD * 2);
    words.fold(0, usize::saturating_add)
}

impl<'a> Slots<'a> {
    /// Places that are described in `words`.
    pub(super) fn new(words: Words<'a>, len: usize) -> Self {
        Self { words, len }
    }

    /// Describes places of these rooms, all of which hold [`Item::None`].
    pub(super) fn lay_out(self, rooms: &[usize]) {
        let mut start = DESCRIPTION * rooms.len() * WORD;
        for (index, &room) in rooms.iter().enumerate() {
            let description = [start, room, 0].map(|word| (word as u64).to_ne_bytes()).concat();
            self.words.write(index * DESCRIPTION * WORD, &description);
            start += 2 * room;
        }
    }

    /// The item at `index`.
    pub(super) fn get(self, index: usize) -> Result<Item> {
        let slot = self.slot(index)?;
        let mut bytes = vec![0; slot.state.len];
        self.words.read(slot.buffer(slot.state.buffer), &mut bytes);
        Item::from_bytes(slot.state.kind, bytes).ok_or(DAMAGED)
    }

    /// Replaces the item at `index`.
    pub(super) fn set(self, index: usize, item: &Item) -> Result<()> {
        let slot = self.slot(index)?;
        item.with_bytes(|bytes| {
            if bytes.len() > slot.room {
                return Err(Error::DoesNotFit { index, bytes: bytes.len(), room: slot.room });
            }
            let other = 1 - slot.state.buffer;
            self.words.write(slot.buffer(other), bytes);
            let state = State { buffer: other, kind: item.kind(), len: bytes.len() };
            // Pairs with the Acquire in `slot`: whoever sees the new state sees
            // the item, also if this process ends right after this store.
            self.words.word(index * DESCRIPTION + 2).store(state.word(), Release);
            Ok(())
        })
    }

    /// What the memory says is checked: another process may have written
    /// over it.
    fn slot(self, index: usize) -> Result<Slot> {
        super::check(index, self.len)?;
        let [start, room, state] = [0, 1, 2].map(|word| {
            // Pairs with the Release in `set`.
            self.words.word(index * DESCRIPTION + word).load(Acquire)
        });
        let (start, room, state) = (start as usize, room as usize, State::from_word(state));
        let end = room.checked_mul(2).and_then(|buffers| buffers.checked_add(start));
        let is_inside = end.is_some_and(|end| end <= self.words.len());
        let is_valid = is_inside && state.len <= room;
        is_valid.then_some(Slot { start, room, state }).ok_or(DAMAGED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atomic::AtomicU64;

    fn memory(rooms: &[usize]) -> Vec<AtomicU64> {
        let memory: Vec<_> = (0..words_for(rooms)).map(|_| AtomicU64::new(0)).collect();
        Slots::new(Words::new(&memory), rooms.len()).lay_out(rooms);
        memory
    }

    #[test]
    fn items_of_all_kinds_keep_to_their_places() {
        let items: [Item; 6] =
            [().into(), true.into(), (-7).into(), 2.5.into(), "howdy".into(), b"HoWdY\0".into()];
        let rooms = items.each_ref().map(|item| room_of(item, 0));
        let memory = memory(&rooms);
        let slots = Slots::new(Words::new(&memory), items.len());
        assert_eq!(slots.get(5).unwrap(), Item::None);
        // Twice, so that both buffers of each are used.
        for _ in 0..2 {
            for (index, item) in items.iter().enumerate() {
                slots.set(index, item).unwrap();
            }
            for (index, item) in items.iter().enumerate() {
                assert_eq!(slots.get(index).unwrap(), *item);
            }
        }
    }

    #[test]
    fn room_is_as_in_python() {
        assert_eq!(room_of(&"1234567".into(), 0), 8);
        assert_eq!(room_of(&"12345678".into(), 0), 16);
        assert_eq!([room_of(&1.into(), 0), room_of(&Item::None, 0)], [8, 8]);
        assert_eq!(room_of(&1.into(), 20), 24);
    }

    #[test]
    fn an_item_that_was_not_committed_has_changed_nothing() {
        let memory = memory(&[16]);
        let slots = Slots::new(Words::new(&memory), 1);
        slots.set(0, &"before".into()).unwrap();
        // What a `set` that is killed before its last store leaves behind.
        let slot = slots.slot(0).unwrap();
        slots.words.write(slot.buffer(1 - slot.state.buffer), b"half of it");
        assert_eq!(slots.get(0).unwrap(), "before".into());
    }

    #[test]
    fn what_is_too_long_is_refused_and_changes_nothing() {
        let memory = memory(&[8]);
        let slots = Slots::new(Words::new(&memory), 1);
        slots.set(0, &5.into()).unwrap();
        let error = slots.set(0, &"123456789".into()).unwrap_err();
        assert!(matches!(error, Error::DoesNotFit { index: 0, bytes: 9, room: 8 }), "{error}");
        assert_eq!(slots.get(0).unwrap(), 5.into());
    }

    #[test]
    fn rubbish_in_the_memory_is_an_error_and_no_crash() {
        let set_up = || {
            let memory = memory(&[8, 8]);
            Slots::new(Words::new(&memory), 2).set(0, &"text".into()).unwrap();
            memory
        };
        let rubbish = [u64::MAX, u64::MAX / 2, 1 << 63, 1 << 40, 0xFF];
        for (word, rubbish) in (0..3).flat_map(|word| rubbish.map(|rubbish| (word, rubbish))) {
            let memory = set_up();
            memory[word].store(rubbish, Release);
            let slots = Slots::new(Words::new(&memory), 2);
            let error = slots.get(0).unwrap_err();
            assert!(matches!(error, Error::Damaged { .. }), "word {word} {rubbish:#x}: {error}");
        }
        let memory = set_up();
        memory[2 * DESCRIPTION + 1].store(u64::MAX, Release);
        let error = Slots::new(Words::new(&memory), 2).get(0).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "not UTF-8: {error}");
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::{sync::Arc, thread};

    use super::*;
    use crate::atomic::AtomicU64;

    /// A set that is killed looks to a reader like one that is slow: whatever
    /// it has done by then can be seen, and nothing else.
    #[test]
    fn loom_an_item_is_the_old_one_or_the_new_one_at_every_step_of_a_set() {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(|| {
            let rooms = [16];
            let memory: Arc<Vec<AtomicU64>> =
                Arc::new((0..words_for(&rooms)).map(|_| AtomicU64::new(0)).collect());
            let slots = Slots::new(Words::new(&memory), rooms.len());
            slots.lay_out(&rooms);
            let [old, new] = [Item::from("the old one"), Item::from("another")];
            slots.set(0, &old).unwrap();
            let reader = thread::spawn({
                let (memory, old, new) = (Arc::clone(&memory), old.clone(), new.clone());
                move || {
                    let item = Slots::new(Words::new(&memory), 1).get(0).unwrap();
                    assert!(item == old || item == new, "{item:?}");
                }
            });
            slots.set(0, &new).unwrap();
            reader.join().unwrap();
            assert_eq!(slots.get(0).unwrap(), new);
        });
    }
}
