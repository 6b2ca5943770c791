//! Values as bytes, and the descriptors that go with them.
//!
//! Values cross to another process in the postcard format. A handle of this
//! crate (a lock, a queue, a connection) is a descriptor, which bytes cannot
//! carry: while a value is encoded the handles in it put copies of theirs on
//! a list and write the place on that list; while it is decoded they take
//! them off again. Where there is no such list, as in a file or in a queue,
//! encoding a handle is an error.

use std::{
    cell::RefCell,
    os::fd::{BorrowedFd, OwnedFd},
};

use postcard::ser_flavors::Flavor;
use serde::{Serialize, de, de::DeserializeOwned, ser};

use crate::{Error, Result, error::hint};

/// A value ready to cross to another process.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) descriptors: Vec<OwnedFd>,
}

thread_local! {
    /// Descriptors of the value that is being encoded.
    static OUTGOING: RefCell<Option<Vec<OwnedFd>>> = const { RefCell::new(None) };
    /// Descriptors that came with the value that is being decoded.
    static INCOMING: RefCell<Option<Vec<Option<OwnedFd>>>> = const { RefCell::new(None) };
    /// Why a handle refused, which postcard's error type has no room for.
    static REFUSAL: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Encodes a value and collects the descriptors of the handles in it.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Encoded> {
    let mut bytes = Vec::new();
    let descriptors = encode_to(value, Appending(&mut bytes))?;
    Ok(Encoded { bytes, descriptors })
}

/// The same with the bytes going to `sink`.
pub(crate) fn encode_to<T, S>(value: &T, sink: S) -> Result<Vec<OwnedFd>>
where
    T: Serialize + ?Sized,
    S: Flavor<Output = ()>,
{
    // A value's own `Serialize` may encode another one; that has its own list.
    let outer = OUTGOING.replace(Some(Vec::new()));
    let result = postcard::serialize_with_flavor(value, sink);
    let descriptors = OUTGOING.replace(outer).unwrap_or_default();
    result.map_err(encode_error::<T>)?;
    Ok(descriptors)
}

/// Appends the encoding of a value that holds no handles to `buffer`, which
/// is left as it was if that fails.
pub(crate) fn encode_plain_into<T: Serialize + ?Sized>(
    value: &T,
    buffer: &mut Vec<u8>,
) -> Result<()> {
    let outer = OUTGOING.take();
    let before = buffer.len();
    let result = postcard::serialize_with_flavor(value, Appending(buffer));
    OUTGOING.set(outer);
    result.map_err(|error| {
        buffer.truncate(before);
        encode_error::<T>(error)
    })
}

/// Where postcard puts its bytes: behind those that are there.
struct Appending<'a>(&'a mut Vec<u8>);

impl Flavor for Appending<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// The value of [`encode`], with the descriptors that came with its bytes.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8], descriptors: Vec<OwnedFd>) -> Result<T> {
    let outer = INCOMING.replace(Some(descriptors.into_iter().map(Some).collect()));
    let decoded = postcard::take_from_bytes(bytes);
    INCOMING.set(outer);
    match decoded {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(Error::Decode {
            type_name: std::any::type_name::<T>(),
            why: format!("{} of {} bytes are left over", rest.len(), bytes.len()),
        }),
        Err(error) => Err(Error::Decode { type_name: std::any::type_name::<T>(), why: why(error) }),
    }
}

fn encode_error<T: ?Sized>(error: postcard::Error) -> Error {
    Error::Encode { type_name: std::any::type_name::<T>(), why: why(error) }
}

fn why(error: postcard::Error) -> String {
    REFUSAL.take().unwrap_or_else(|| error.to_string())
}

/// For a handle's `Deserialize`: an error that says `why`.
pub(crate) fn refuse_to_decode<E: de::Error>(why: impl ToString) -> E {
    let why = why.to_string();
    REFUSAL.set(Some(why.clone()));
    E::custom(why)
}

/// For a handle's `Serialize`: an error that says `why`.
pub(crate) fn refuse_to_encode<E: ser::Error>(why: impl ToString) -> E {
    let why = why.to_string();
    REFUSAL.set(Some(why.clone()));
    E::custom(why)
}

/// For a handle's `Serialize`: puts a copy of its descriptor on the list and
/// returns the place to write.
pub(crate) fn attach<E: ser::Error>(descriptor: BorrowedFd<'_>) -> Result<u32, E> {
    OUTGOING.with_borrow_mut(|outgoing| {
        let Some(list) = outgoing else {
            return Err(refuse_to_encode(
                "a handle can only be given to a process at its start or sent over a connection",
            ));
        };
        let copied = descriptor.try_clone_to_owned();
        list.push(copied.map_err(|error| {
            refuse_to_encode(format!("cannot copy a descriptor: {error}{}", hint(&error)))
        })?);
        Ok(list.len() as u32 - 1)
    })
}

/// For a handle's `Deserialize`: takes the descriptor at `place` off the list.
pub(crate) fn detach<E: de::Error>(place: u32) -> Result<OwnedFd, E> {
    INCOMING.with_borrow_mut(|incoming| {
        incoming
            .as_mut()
            .and_then(|list| list.get_mut(place as usize))
            .and_then(Option::take)
            .ok_or_else(|| refuse_to_decode("the descriptor of a handle did not come with it"))
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::*;

    struct Handle(OwnedFd);

    impl Serialize for Handle {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            attach::<S::Error>(self.0.as_fd())?.serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for Handle {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            detach(u32::deserialize(deserializer)?).map(Self)
        }
    }

    fn handle() -> Handle {
        Handle(std::fs::File::open("/dev/null").unwrap().into())
    }

    #[test]
    fn handles_travel_beside_the_bytes() {
        let encoded = encode(&(handle(), 7u8, Some(handle()))).unwrap();
        assert_eq!(encoded.descriptors.len(), 2);
        let (_, seven, second): (Handle, u8, Option<Handle>) =
            decode(&encoded.bytes, encoded.descriptors).unwrap();
        assert_eq!(seven, 7);
        assert!(second.is_some());
    }

    #[test]
    fn a_handle_has_no_place_among_plain_bytes_and_says_so() {
        let mut buffer = vec![1, 2];
        let error = encode_plain_into(&(3u8, handle()), &mut buffer).unwrap_err();
        assert!(error.to_string().contains("sent over a connection"), "{error}");
        assert_eq!(buffer, [1, 2]);
    }

    #[test]
    fn what_does_not_decode_is_an_error_that_names_the_type() {
        let error = decode::<String>(&[200], Vec::new()).unwrap_err();
        assert!(error.to_string().contains("String"), "{error}");
        let error = decode::<u8>(&[1, 2, 3], Vec::new()).unwrap_err();
        assert!(error.to_string().contains("2 of 3 bytes are left over"), "{error}");
        let error = decode::<Handle>(&[0], Vec::new()).err().unwrap();
        assert!(error.to_string().contains("did not come with it"), "{error}");
    }
}
