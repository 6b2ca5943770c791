//! Plain values that processes share, with a lock and without.
//!
//! See the README beside this file for what happens when a process dies in
//! the middle.

mod array;
mod cells;
mod guarded;
mod item;
mod list;
mod raw;
mod raw_array;
mod raw_value;
mod slots;
mod value;

pub use array::{SharedArray, SharedArrayGuard};
pub use item::Item;
pub use list::ShareableList;
pub use raw_array::RawArray;
pub use raw_value::{Integer, RawValue};
pub use value::{SharedValue, SharedValueGuard};

use crate::{Error, Result};

/// What elements are together; memory of one kind is not taken for another.
trait Kind: 'static {
    const NAME: &'static str;
}

/// Bytes of `len` elements.
fn room_for<T>(len: usize) -> Result<usize> {
    const { assert!(align_of::<T>() <= 64, "elements are aligned to a cache line at most") };
    const { assert!(size_of::<T>() > 0, "an element of a shared array has a size") };
    // Half of the address space: far beyond any memory, and what is added to
    // it cannot overflow.
    let most = isize::MAX as usize / 2;
    len.checked_mul(size_of::<T>()).filter(|&bytes| bytes <= most).ok_or_else(|| Error::Memory {
        bytes: len.saturating_mul(size_of::<T>()),
        source: std::io::ErrorKind::OutOfMemory.into(),
    })
}

/// An error unless `index` is one of `len`.
fn check(index: usize, len: usize) -> Result<()> {
    if index < len { Ok(()) } else { Err(Error::OutOfRange { range: index..index + 1, len }) }
}

#[cfg(test)]
mod tests {
    use serde::{Serialize, de::DeserializeOwned};

    use super::*;
    use crate::{SharedMemory, codec};

    fn sent_as<A: Serialize, B: DeserializeOwned>(handle: &A) -> Result<B> {
        let encoded = codec::encode(handle)?;
        codec::decode(&encoded.bytes, encoded.descriptors)
    }

    fn is_refused<A: Serialize, B: DeserializeOwned>(handle: &A, kind: &str) {
        let error = sent_as::<A, B>(handle).map(drop).unwrap_err().to_string();
        assert!(error.contains(&format!("what was sent is not a {kind}")), "{error}");
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn what_was_sent_is_the_same_when_it_arrives() {
        let value = SharedValue::new(1u32).unwrap();
        let same: SharedValue<u32> = sent_as(&value).unwrap();
        same.set(2).unwrap();
        assert_eq!(value.get().unwrap(), 2);
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn one_kind_of_handle_is_not_taken_for_another() {
        let value = SharedValue::new(1u32).unwrap();
        is_refused::<_, SharedArray<u32>>(&value, "SharedArray");
        is_refused::<_, SharedValue<i32>>(&value, "SharedValue");
        is_refused::<_, RawValue<u32>>(&value, "RawValue");
        is_refused::<_, SharedMemory>(&value, "SharedMemory");
        is_refused::<_, SharedValue<u32>>(&SharedMemory::new(4096).unwrap(), "SharedValue");
        is_refused::<_, RawValue<u32>>(&RawArray::<u32>::new(1).unwrap(), "RawValue");
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn a_list_that_claims_to_be_longer_than_its_memory_is_refused() {
        let list = ShareableList::new([1, 2]).unwrap();
        let mut encoded = codec::encode(&list).unwrap();
        *encoded.bytes.last_mut().unwrap() = 100;
        let error =
            codec::decode::<ShareableList>(&encoded.bytes, encoded.descriptors).unwrap_err();
        assert!(error.to_string().contains("longer than its memory"), "{error}");
    }
}
