//! Vectors of plain data, and byte strings, that are too large to be copied once more: they are
//! written from where they lie, and read to where they are to lie.

use std::any::{Any, TypeId};

use bytemuck::Pod;
use serde_bytes::ByteBuf;

use super::plain::{for_each_plain_type, same};
use crate::memory::{may_be_taken, prefer_huge_pages};

/// A vector with more bytes than this is large. To copy a smaller one costs
/// less than system calls of its own.
pub(super) const LARGE_BYTES: usize = 64 * 1024;

/// To look how much memory there is takes less than a thousandth of the time
/// that it takes to read so much.
const WORTH_A_LOOK: usize = 64 << 20;

/// A vector of plain data.
pub(crate) trait Large: Send {
    fn bytes(&self) -> &[u8];
    fn bytes_mut(&mut self) -> &mut [u8];
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<P: Pod + Send> Large for Vec<P> {
    fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(self)
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(self)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Room for a large value.
pub(crate) enum Room {
    Here(Box<dyn Large>),
    /// There is not so much memory.
    Nowhere,
    /// Values of this type, or of so many bytes, are not read to where they are
    /// to lie.
    Otherwise,
}

/// Room for a `T` with `bytes` bytes. As the system takes memory when it is
/// written, what never comes costs none.
pub(super) fn room<T: 'static>(bytes: usize) -> Room {
    macro_rules! room {
        ($($plain:ty)+) => {
            $(
                if TypeId::of::<T>() == TypeId::of::<Vec<$plain>>() {
                    return zeros::<$plain>(bytes);
                }
            )+
        };
    }
    if bytes > LARGE_BYTES {
        for_each_plain_type!(room);
        if TypeId::of::<T>() == TypeId::of::<ByteBuf>() {
            return zeros::<u8>(bytes);
        }
    }
    Room::Otherwise
}

fn zeros<P: Pod + Send>(bytes: usize) -> Room {
    if !bytes.is_multiple_of(size_of::<P>()) {
        return Room::Otherwise;
    }
    // What seems to be had need not be there when it is written.
    if bytes > WORTH_A_LOOK && may_be_taken(bytes as u64).is_err() {
        return Room::Nowhere;
    }
    match bytemuck::allocation::try_zeroed_vec::<P>(bytes / size_of::<P>()) {
        Ok(mut zeros) => {
            prefer_huge_pages(bytemuck::cast_slice_mut(&mut zeros));
            Room::Here(Box::new(zeros))
        }
        Err(()) => Room::Nowhere,
    }
}

/// What was read to the [`room`] for a `T`.
pub(super) fn unwrap<T: 'static>(large: Box<dyn Large>) -> T {
    const ROOM: &str = "there was room for a value of this type";
    let large = large.into_any();
    if TypeId::of::<T>() == TypeId::of::<ByteBuf>() {
        let bytes: Box<Vec<u8>> = large.downcast().expect(ROOM);
        return same(ByteBuf::from(*bytes));
    }
    *large.downcast().expect(ROOM)
}

/// The value, if it is large; otherwise as it was.
pub(super) fn wrap<T: 'static>(value: T) -> Result<Box<dyn Large>, T> {
    macro_rules! wrap {
        ($($plain:ty)+) => {
            $(
                if TypeId::of::<T>() == TypeId::of::<Vec<$plain>>() {
                    let values: Vec<$plain> = same(value);
                    return if size_of_val(&*values) > LARGE_BYTES {
                        Ok(Box::new(values))
                    } else {
                        Err(same(values))
                    };
                }
            )+
        };
    }
    for_each_plain_type!(wrap);
    if TypeId::of::<T>() == TypeId::of::<ByteBuf>() {
        let bytes: ByteBuf = same(value);
        return match bytes.len() > LARGE_BYTES {
            true => Ok(Box::new(bytes.into_vec())),
            false => Err(same(bytes)),
        };
    }
    Err(value)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_to_a_room_is_the_value() {
        let Room::Here(mut room) = room::<Vec<u32>>(LARGE_BYTES + 4) else { panic!("no room") };
        room.bytes_mut()[4..8].copy_from_slice(&7u32.to_ne_bytes());
        let value: Vec<u32> = unwrap(room);
        assert_eq!((value.len(), value[1]), (LARGE_BYTES / 4 + 1, 7));
        let Ok(wrapped) = wrap(value) else { panic!("it is large") };
        assert_eq!(wrapped.bytes().len(), LARGE_BYTES + 4);
        let bytes: ByteBuf = unwrap(wrapped_bytes(LARGE_BYTES + 1));
        assert_eq!(bytes.len(), LARGE_BYTES + 1);
    }

    fn wrapped_bytes(len: usize) -> Box<dyn Large> {
        let Room::Here(room) = room::<ByteBuf>(len) else { panic!("no room") };
        let Ok(wrapped) = wrap(unwrap::<ByteBuf>(room)) else { panic!("it is large") };
        wrapped
    }

    #[test]
    fn other_values_have_no_room() {
        assert!(matches!(room::<Vec<u32>>(LARGE_BYTES), Room::Otherwise));
        assert!(matches!(room::<Vec<u32>>(LARGE_BYTES + 1), Room::Otherwise));
        assert!(matches!(room::<String>(LARGE_BYTES + 4), Room::Otherwise));
        assert!(matches!(wrap(vec![0u8; LARGE_BYTES]), Err(same) if same.len() == LARGE_BYTES));
        assert!(wrap("text".to_owned()).is_err());
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes the memory")]
    fn too_large_values_have_no_room() {
        assert!(matches!(room::<Vec<u8>>(isize::MAX as usize), Room::Nowhere));
    }
}
