//! Arguments and results as bytes: plain data as it lies in memory, the rest in
//! the postcard format.
//!
//! Parent and worker run the same executable on the same machine, so both
//! treat a type alike, and its bytes mean the same to both.

use std::any::{Any, TypeId};

use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Result, codec};

/// Calls a macro with every type whose values, and vectors of them, cross as
/// their bytes. (Which other types are plain data cannot be asked for a type
/// that is only known to be serialisable.)
macro_rules! for_each_plain_type {
    ($apply:ident) => {
        $apply! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 }
    };
}

/// Appends the bytes of `value` to `bytes`, which is left as it was if that
/// fails.
#[inline]
pub(super) fn encode_into<T: Serialize + 'static>(value: &T, bytes: &mut Vec<u8>) -> Result<()> {
    let any: &dyn Any = value;
    macro_rules! append {
        ($($plain:ty)+) => {
            $(
                if let Some(value) = any.downcast_ref::<$plain>() {
                    bytes.extend_from_slice(bytemuck::bytes_of(value));
                    return Ok(());
                }
                if let Some(values) = any.downcast_ref::<Vec<$plain>>() {
                    let values: &[u8] = bytemuck::cast_slice(values);
                    codec::make_room(bytes, values.len())?;
                    bytes.extend_from_slice(values);
                    return Ok(());
                }
            )+
        };
    }
    for_each_plain_type!(append);
    codec::encode_plain_into(value, bytes)
}

/// The value whose bytes [`encode_into`] has appended.
#[inline]
pub(super) fn decode<T: DeserializeOwned + 'static>(bytes: &[u8]) -> Result<T> {
    macro_rules! take {
        ($($plain:ty)+) => {
            $(
                if TypeId::of::<T>() == TypeId::of::<$plain>() {
                    let value = bytemuck::try_pod_read_unaligned::<$plain>(bytes);
                    return value.map_err(wrong_length::<T>).map(same);
                }
                if TypeId::of::<T>() == TypeId::of::<Vec<$plain>>() {
                    let values = bytemuck::allocation::pod_collect_to_vec::<u8, $plain>(bytes);
                    return if size_of_val(&*values) == bytes.len() {
                        Ok(same(values))
                    } else {
                        Err(wrong_length::<T>("their number is not a whole one"))
                    };
                }
            )+
        };
    }
    for_each_plain_type!(take);
    codec::decode(bytes, Vec::new())
}

/// A value of a type under its other name.
fn same<P: 'static, T: 'static>(value: P) -> T {
    let mut value = Some(value);
    let any: &mut dyn Any = &mut value;
    any.downcast_mut::<Option<T>>().and_then(Option::take).expect("the types are the same")
}

fn wrong_length<T>(why: impl ToString) -> Error {
    Error::Decode { type_name: std::any::type_name::<T>(), why: why.to_string() }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::fmt::Debug;

    use super::*;

    fn crosses<T: Serialize + DeserializeOwned + PartialEq + Debug + 'static>(
        value: T,
        len: usize,
    ) {
        let mut bytes = vec![1];
        encode_into(&value, &mut bytes).unwrap();
        assert_eq!(bytes.len(), 1 + len);
        assert_eq!(decode::<T>(&bytes[1..]).unwrap(), value);
    }

    #[test]
    fn plain_data_crosses_as_its_bytes() {
        crosses(u64::MAX, 8);
        crosses(-1i8, 1);
        crosses(f64::MIN_POSITIVE, 8);
        crosses(vec![0.5f32; 3], 12);
        crosses(Vec::<u64>::new(), 0);
    }

    #[test]
    fn all_else_crosses_as_serde_says() {
        crosses((7u64, 'x'), 3);
        crosses("text".to_owned(), 5);
        crosses(vec![Some(1u8)], 3);
        crosses((), 0);
    }

    #[test]
    fn bytes_of_a_wrong_number_are_an_error() {
        assert!(decode::<u64>(&[0; 7]).is_err());
        assert!(decode::<Vec<u32>>(&[0; 7]).is_err());
        assert!(decode::<Vec<u8>>(&[0; 7]).is_ok());
    }
}
