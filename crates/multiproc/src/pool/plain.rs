//! Values that cross as their bytes, without the serde code of their types.
//!
//! Which types are plain data cannot be asked for a type that is only known to
//! be serialisable, so they are listed; what is asked of the list costs nothing
//! at run time, since the compiler knows the answer for each type.

use std::any::{Any, TypeId};

use serde_bytes::ByteBuf;

/// Calls a macro with every type whose values, and vectors of them, cross as
/// their bytes.
macro_rules! for_each_plain_type {
    ($apply:ident) => {
        $apply! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 }
    };
}
pub(super) use for_each_plain_type;

/// Bytes of a value, if they are plain data.
#[inline]
pub(super) fn size<T: 'static>() -> Option<usize> {
    macro_rules! is_one_of {
        ($($plain:ty)+) => { false $(|| TypeId::of::<T>() == TypeId::of::<$plain>())+ };
    }
    for_each_plain_type!(is_one_of).then_some(size_of::<T>())
}

/// The value with these bytes, if it is plain data and they are as many as it has.
#[inline]
pub(super) fn read<T: 'static>(bytes: &[u8]) -> Option<T> {
    macro_rules! read {
        ($($plain:ty)+) => {
            $(
                if TypeId::of::<T>() == TypeId::of::<$plain>() {
                    return bytemuck::try_pod_read_unaligned::<$plain>(bytes).ok().map(same);
                }
            )+
        };
    }
    for_each_plain_type!(read);
    None
}

/// The bytes of a value that is plain data.
#[inline]
pub(super) fn bytes<T: 'static>(value: &T) -> Option<&[u8]> {
    let any: &dyn Any = value;
    macro_rules! bytes {
        ($($plain:ty)+) => {
            $(
                if let Some(value) = any.downcast_ref::<$plain>() {
                    return Some(bytemuck::bytes_of(value));
                }
            )+
        };
    }
    for_each_plain_type!(bytes);
    None
}

/// The bytes of a value that is a vector of plain data, or a byte string.
#[inline]
pub(super) fn content<T: 'static>(value: &T) -> Option<&[u8]> {
    let any: &dyn Any = value;
    macro_rules! content {
        ($($plain:ty)+) => {
            $(
                if let Some(values) = any.downcast_ref::<Vec<$plain>>() {
                    return Some(bytemuck::cast_slice(values));
                }
            )+
        };
    }
    for_each_plain_type!(content);
    any.downcast_ref::<ByteBuf>().map(|bytes| &***bytes)
}

/// That of a vector, to be changed.
#[inline]
pub(super) fn content_mut<T: 'static>(value: &mut T) -> Option<&mut [u8]> {
    let any: &mut dyn Any = value;
    macro_rules! content {
        ($($plain:ty)+) => {
            $(
                if any.is::<Vec<$plain>>() {
                    return any.downcast_mut::<Vec<$plain>>().map(|values| bytemuck::cast_slice_mut(values));
                }
            )+
        };
    }
    for_each_plain_type!(content);
    None
}

/// So many zeros, if they are plain data.
#[inline]
pub(super) fn zeros<T: 'static>(len: usize) -> Option<Vec<T>> {
    macro_rules! zeros {
        ($($plain:ty)+) => {
            $(
                if TypeId::of::<T>() == TypeId::of::<$plain>() {
                    return Some(same(vec![0 as $plain; len]));
                }
            )+
        };
    }
    for_each_plain_type!(zeros);
    None
}

/// A value of a type under its other name.
#[inline]
pub(super) fn same<P: 'static, T: 'static>(value: P) -> T {
    let mut value = Some(value);
    let any: &mut dyn Any = &mut value;
    any.downcast_mut::<Option<T>>().and_then(Option::take).expect("the types are the same")
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn plain_data_is_its_bytes() {
        assert_eq!(size::<u32>(), Some(4));
        assert_eq!(bytes(&7u32), Some(&7u32.to_ne_bytes()[..]));
        assert_eq!(read::<u32>(&7u32.to_ne_bytes()), Some(7));
        assert_eq!(read::<u32>(&[0; 5]), None);
        let mut values = zeros::<f64>(3).unwrap();
        content_mut(&mut values).unwrap()[8..16].copy_from_slice(&0.5f64.to_ne_bytes());
        assert_eq!(values, [0.0, 0.5, 0.0]);
        assert_eq!(content(&values).map(<[u8]>::len), Some(24));
        assert_eq!(content(&ByteBuf::from([7, 8])), Some(&[7, 8][..]));
    }

    #[test]
    fn all_else_is_not() {
        assert_eq!(size::<bool>(), None);
        assert_eq!(size::<(u8, u8)>(), None);
        assert_eq!(read::<bool>(&[1]), None);
        assert_eq!(bytes(&"text".to_owned()), None);
        assert_eq!(content(&vec![true]), None);
        assert_eq!(zeros::<String>(1), None);
    }
}
