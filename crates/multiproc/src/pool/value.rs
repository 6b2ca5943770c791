//! Arguments and results as bytes: plain data as it lies in memory, the rest in
//! the postcard format.
//!
//! Parent and worker run the same executable on the same machine, so both
//! treat a type alike, and its bytes mean the same to both.

use std::any::TypeId;

use serde::{Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;

use super::plain::{self, for_each_plain_type};
use crate::{Error, Result, codec};

/// Where a copy costs much more than to ask for the memory that it needs.
const WORTH_A_LOOK: usize = 1 << 20;

/// Appends the bytes of `value` to `bytes`, which is left as it was if that
/// fails.
#[inline]
pub(super) fn encode_into<T: Serialize + 'static>(value: &T, bytes: &mut Vec<u8>) -> Result<()> {
    encode_within(value, bytes, usize::MAX)
}

/// The same, if there are not more than `most` bytes then; stops as soon as
/// there would be.
#[inline]
pub(super) fn encode_within<T: Serialize + 'static>(
    value: &T,
    bytes: &mut Vec<u8>,
    most: usize,
) -> Result<()> {
    if let Some(plain) = plain::bytes(value) {
        bytes.extend_from_slice(plain);
        return Ok(());
    }
    if let Some(content) = plain::content(value) {
        codec::within(most, bytes.len() + content.len())?;
        codec::make_room(bytes, content.len())?;
        bytes.extend_from_slice(content);
        return Ok(());
    }
    codec::encode_plain_within(value, bytes, most)
}

/// The value whose bytes [`encode_into`] has appended.
#[inline]
pub(super) fn decode<T: DeserializeOwned + 'static>(bytes: &[u8]) -> Result<T> {
    if bytes.len() > WORTH_A_LOOK {
        // The value takes as much in addition, about.
        codec::may_be_had(bytes.len())?;
    }
    if plain::size::<T>().is_some() {
        let why = || format!("{} bytes instead of {}", bytes.len(), size_of::<T>());
        return plain::read(bytes).ok_or_else(|| wrong_length::<T>(why()));
    }
    macro_rules! take {
        ($($plain:ty)+) => {
            $(
                if TypeId::of::<T>() == TypeId::of::<Vec<$plain>>() {
                    let values = bytemuck::allocation::pod_collect_to_vec::<u8, $plain>(bytes);
                    return if size_of_val(&*values) == bytes.len() {
                        Ok(plain::same(values))
                    } else {
                        Err(wrong_length::<T>("their number is not a whole one"))
                    };
                }
            )+
        };
    }
    for_each_plain_type!(take);
    if TypeId::of::<T>() == TypeId::of::<ByteBuf>() {
        return Ok(plain::same(ByteBuf::from(bytes)));
    }
    codec::decode(bytes, Vec::new())
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
        crosses(ByteBuf::from([1, 2, 3]), 3);
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
