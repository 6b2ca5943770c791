//! Values as bytes, and the descriptors that go with them.
//!
//! Values cross to another process in the postcard format. A handle of this
//! crate (a lock, a queue, a connection) is a descriptor, which bytes cannot
//! carry: while a value is encoded the handles in it put copies of theirs on
//! a list and write the place on that list; while it is decoded they take
//! them off again. Where there is no such list, as in a file or in a queue,
//! encoding a handle is an error.

use std::{cell::RefCell, io, os::fd::OwnedFd, thread::LocalKey};

use postcard::ser_flavors::Flavor;
use serde::{Serialize, de, de::DeserializeOwned, ser};

use crate::{Error, ParentEnd, Result, error::hint, memory::may_be_taken};

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
    let (mut bytes, mut failure) = (Vec::new(), None);
    let sink = Appending { bytes: &mut bytes, failure: &mut failure, most: usize::MAX };
    let descriptors = encode_to(value, sink).map_err(|error| failure.unwrap_or(error))?;
    Ok(Encoded { bytes, descriptors })
}

/// The same with the bytes going to `sink`.
pub(crate) fn encode_to<T, S>(value: &T, sink: S) -> Result<Vec<OwnedFd>>
where
    T: Serialize + ?Sized,
    S: Flavor<Output = ()>,
{
    let (result, descriptors) =
        with_list(&OUTGOING, Some(Vec::new()), || postcard::serialize_with_flavor(value, sink));
    result.map_err(encode_error::<T>)?;
    Ok(descriptors.unwrap_or_default())
}

/// Appends the encoding of a value that holds no handles to `buffer`, which
/// is left as it was if that fails.
pub(crate) fn encode_plain_into<T: Serialize + ?Sized>(
    value: &T,
    buffer: &mut Vec<u8>,
) -> Result<()> {
    encode_plain_within(value, buffer, usize::MAX)
}

/// The same, if the buffer has not more than `most` bytes then; stops as soon
/// as it would.
pub(crate) fn encode_plain_within<T: Serialize + ?Sized>(
    value: &T,
    buffer: &mut Vec<u8>,
    most: usize,
) -> Result<()> {
    let before = buffer.len();
    let mut failure = None;
    let sink = Appending { bytes: &mut *buffer, failure: &mut failure, most };
    let (result, _) = with_list(&OUTGOING, None, || postcard::serialize_with_flavor(value, sink));
    result.map_err(|error| {
        buffer.truncate(before);
        failure.unwrap_or_else(|| encode_error::<T>(error))
    })
}

/// Where postcard puts its bytes: behind those that are there.
struct Appending<'a> {
    bytes: &'a mut Vec<u8>,
    /// What postcard's error type has no room for.
    failure: &'a mut Option<Error>,
    /// Bytes that there may be.
    most: usize,
}

impl Appending<'_> {
    #[inline]
    fn make_room(&mut self, more: usize) -> postcard::Result<()> {
        let room = within(self.most, self.bytes.len() + more);
        room.and_then(|()| make_room(self.bytes, more)).map_err(|error| {
            *self.failure = Some(error);
            postcard::Error::SerializeBufferFull
        })
    }
}

/// Whether so many bytes are not more than `most`.
#[inline]
pub(crate) fn within(most: usize, len: usize) -> Result<()> {
    let is_within = len <= most;
    is_within.then_some(()).ok_or(Error::TooLarge { what: "bytes", got: len, most })
}

/// Makes room for `more` bytes in `bytes`, or says that there is none.
#[inline]
pub(crate) fn make_room(bytes: &mut Vec<u8>, more: usize) -> Result<()> {
    if bytes.capacity() - bytes.len() >= more {
        return Ok(());
    }
    grow(bytes, more).map_err(|source| Error::Memory { bytes: bytes.len() + more, source })
}

/// To look whether there is as much memory as a buffer takes pays only for
/// large ones.
const LARGE: usize = 64 << 20;

/// Makes room for `more` bytes. A buffer that cannot grow by itself would end
/// the process; one that only seems to can make the kernel end it.
#[cold]
fn grow(bytes: &mut Vec<u8>, more: usize) -> io::Result<()> {
    // It at least doubles, and the old one is there until the new one is.
    let taken = bytes.capacity().saturating_add(bytes.capacity().max(more));
    if taken > LARGE {
        may_be_taken(taken as u64)?;
    }
    bytes.try_reserve(more).map_err(|_| io::ErrorKind::OutOfMemory.into())
}

/// Whether a value of some size can be had in addition to what there is,
/// for code that would end the process if it cannot.
pub(crate) fn may_be_had(bytes: usize) -> Result<()> {
    let mut room = Vec::new();
    let made = make_room(&mut room, bytes);
    // What nobody looks at need not be made.
    std::hint::black_box(&room);
    made
}

impl Flavor for Appending<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.make_room(1)?;
        self.bytes.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.make_room(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// The value of [`encode`], with the descriptors that came with its bytes.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8], descriptors: Vec<OwnedFd>) -> Result<T> {
    let list = Some(descriptors.into_iter().map(Some).collect());
    let (decoded, _) = with_list(&INCOMING, list, || postcard::take_from_bytes(bytes));
    match decoded {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(Error::Decode {
            type_name: std::any::type_name::<T>(),
            why: format!("{} of {} bytes are left over", rest.len(), bytes.len()),
        }),
        Err(error) => Err(Error::Decode { type_name: std::any::type_name::<T>(), why: why(error) }),
    }
}

type Local<L> = LocalKey<RefCell<L>>;

/// Runs `work`, which is or calls a user's code, with `list` in place; what it
/// returned and what the list has become.
///
/// A value's own `Serialize` may encode another one, which has its own list,
/// and it may panic: what was in place before is so again in any case.
fn with_list<L: Default, R>(place: &'static Local<L>, list: L, work: impl FnOnce() -> R) -> (R, L) {
    struct Outer<L: Default + 'static>(&'static Local<L>, L);
    impl<L: Default> Drop for Outer<L> {
        fn drop(&mut self) {
            self.0.set(std::mem::take(&mut self.1));
        }
    }
    // Left behind by a handle that another format has asked for its bytes.
    REFUSAL.take();
    let outer = Outer(place, place.replace(list));
    let result = work();
    // Nothing panicked, and what is put back here need not be put back there.
    let mut outer = std::mem::ManuallyDrop::new(outer);
    (result, place.replace(std::mem::take(&mut outer.1)))
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
pub(crate) fn attach<E: ser::Error>(handle: &ParentEnd<OwnedFd>) -> Result<u32, E> {
    if !handle.is_of_this_process() {
        return Err(refuse_to_encode(Error::NotInherited));
    }
    OUTGOING.with_borrow_mut(|outgoing| {
        let Some(list) = outgoing else {
            return Err(refuse_to_encode(
                "a handle can only be given to a process at its start or sent over a connection",
            ));
        };
        let copied = handle.try_clone();
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
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use serde::{Deserialize, Deserializer, Serializer};

    use super::*;

    struct Handle(ParentEnd<OwnedFd>);

    impl Serialize for Handle {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            attach::<S::Error>(&self.0)?.serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for Handle {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            detach(u32::deserialize(deserializer)?).map(|file| Self(ParentEnd::new(file)))
        }
    }

    fn handle() -> Handle {
        Handle(ParentEnd::new(std::fs::File::open("/dev/null").unwrap().into()))
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs files")]
    fn handles_travel_beside_the_bytes() {
        let encoded = encode(&(handle(), 7u8, Some(handle()))).unwrap();
        assert_eq!(encoded.descriptors.len(), 2);
        let (_, seven, second): (Handle, u8, Option<Handle>) =
            decode(&encoded.bytes, encoded.descriptors).unwrap();
        assert_eq!(seven, 7);
        assert!(second.is_some());
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs files")]
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

    /// Panics between its handle and its end, in both directions.
    struct Panics(Handle);

    impl Serialize for Panics {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let _ = self.0.serialize(serializer);
            panic!("while it is encoded")
        }
    }

    impl<'de> Deserialize<'de> for Panics {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let _ = Handle::deserialize(deserializer);
            panic!("while it is decoded")
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs files")]
    fn a_panic_in_a_value_leaves_no_list_in_place() {
        let encoded = catch_unwind(AssertUnwindSafe(|| encode(&Panics(handle()))));
        assert!(encoded.is_err());
        assert!(OUTGOING.take().is_none());
        assert!(encode_plain_into(&handle(), &mut Vec::new()).is_err());

        let Encoded { bytes, descriptors } = encode(&handle()).unwrap();
        let decoded = catch_unwind(AssertUnwindSafe(|| decode::<Panics>(&bytes, descriptors)));
        assert!(decoded.is_err());
        assert!(INCOMING.take().is_none());
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs files")]
    fn what_was_refused_elsewhere_is_not_the_reason_of_the_next_failure() {
        // As another format does, which ends in its own error.
        let _ = attach::<postcard::Error>(&handle().0);
        let error = decode::<String>(&[200], Vec::new()).unwrap_err();
        assert!(!error.to_string().contains("over a connection"), "{error}");
        let _ = attach::<postcard::Error>(&handle().0);
        struct Fails;
        impl Serialize for Fails {
            fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(ser::Error::custom("no"))
            }
        }
        let error = encode_plain_into(&Fails, &mut Vec::new()).unwrap_err();
        assert!(!error.to_string().contains("over a connection"), "{error}");
    }
}
