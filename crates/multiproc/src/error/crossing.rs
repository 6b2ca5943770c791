//! Errors on their way to another process, as what its function returns or in a
//! message.
//!
//! Two kinds of field are not plain data. What the operating system said
//! crosses as its number, or as text if it has none. The fixed words of this
//! crate become fixed words again where they arrive.

use std::{
    collections::BTreeSet,
    io,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Deserializer};

use super::Error;
use crate::codec;

impl Error {
    /// The same for one more of those whom it concerns, as it would arrive in
    /// another process.
    pub(crate) fn again(&self) -> Self {
        let copy = codec::encode(self).and_then(|copy| codec::decode(&copy.bytes, Vec::new()));
        copy.unwrap_or_else(|not_copied| not_copied)
    }
}

/// Words of the program's text. (An alias, since serde would take the type itself
/// for one that borrows from what it is read from.)
pub(super) type Words = &'static str;

/// Reads words that are the same as some in the program's text.
pub(super) fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Words, D::Error> {
    /// Kept for ever, each once: a program's text has so many and no more.
    static KNOWN: Mutex<BTreeSet<Words>> = Mutex::new(BTreeSet::new());
    let words = String::deserialize(deserializer)?;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(words) = known.get(words.as_str()) {
        return Ok(words);
    }
    let words: Words = words.leak();
    known.insert(words);
    Ok(words)
}

/// What the operating system, or the standard library in its place, said.
pub(super) mod system {
    use serde::{Serialize, Serializer};

    use super::{Deserialize, Deserializer, io};

    #[derive(serde::Serialize, serde::Deserialize)]
    enum Said {
        Number(i32),
        Text(String),
    }

    pub(in super::super) fn serialize<S: Serializer>(
        error: &io::Error,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text = || Said::Text(error.to_string());
        error.raw_os_error().map_or_else(text, Said::Number).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<io::Error, D::Error> {
        Ok(match Said::deserialize(deserializer)? {
            Said::Number(number) => io::Error::from_raw_os_error(number),
            Said::Text(text) => io::Error::other(text),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, ExitStatus, StartMethod, WhyBroken, codec};

    fn crossed(error: &Error) -> Error {
        let encoded = codec::encode(error).unwrap();
        codec::decode(&encoded.bytes, encoded.descriptors).unwrap()
    }

    #[test]
    fn kind_message_and_help_survive_the_way_to_another_process() {
        let no_files = || io::Error::from_raw_os_error(libc::EMFILE);
        let errors = [
            Error::Start { method: StartMethod::Fork, source: no_files() },
            Error::Memory { bytes: 3, source: io::ErrorKind::OutOfMemory.into() },
            Error::System { what: "try", source: io::Error::other("in words") },
            Error::TooLarge { what: "things", got: 3, most: 2 },
            Error::OutOfRange { range: 3..5, len: 2 },
            Error::Decode { type_name: "T", why: "no T".to_owned() },
            Error::OtherKind { sent: "a", wanted: "b", receive_with: "recv" },
            Error::BufferTooShort { message: vec![1, 2], room: 1 },
            Error::BrokenBarrier { why: WhyBroken::Aborted { pid: 3 } },
            Error::WorkerDied {
                pid: 3,
                name: "n".to_owned(),
                status: ExitStatus::KILLED,
                task: Some(7),
            },
            Error::NeverBegan {
                name: "n".to_owned(),
                pid: 3,
                status: ExitStatus::KILLED,
                within: Some(std::time::Duration::from_secs(30)),
            },
            Error::Closed,
        ];
        for error in errors {
            let arrived = crossed(&error);
            assert_eq!(arrived.to_string(), error.to_string());
            assert_eq!(arrived.kind(), error.kind());
            assert_eq!(std::mem::discriminant(&arrived), std::mem::discriminant(&error));
        }
        let Error::Start { source, .. } =
            crossed(&Error::Start { method: StartMethod::Spawn, source: no_files() })
        else {
            panic!("another error")
        };
        assert_eq!(source.raw_os_error(), Some(libc::EMFILE));
    }

    #[test]
    fn the_same_words_are_kept_once() {
        let arrive = || match crossed(&Error::Damaged { what: "a thing" }) {
            Error::Damaged { what } => what.as_ptr(),
            other => panic!("{other}"),
        };
        assert_eq!(arrive(), arrive());
    }
}
