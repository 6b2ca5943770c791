//! Any open file as part of a value.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{ParentEnd, codec};

/// An open file (or socket, pipe, device, …) that can be given to a process at its
/// start or sent over a connection, alone or in a value that holds it.
///
/// The receiver gets a copy that refers to the same open file: both have one
/// position in it, and it is closed when both are.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Log {
///     name: String,
///     file: multiproc::Descriptor,
/// }
///
/// let (receiver, sender) = multiproc::one_way_pipe()?;
/// let (mut output, input) = std::io::pipe().unwrap();
/// sender.send(&Log { name: "events".to_owned(), file: input.into() })?;
///
/// let log: Log = receiver.recv()?;
/// log.file.into_file().write_all(log.name.as_bytes()).unwrap();
/// let mut written = [0; 6];
/// output.read_exact(&mut written).unwrap();
/// assert_eq!(&written, b"events");
/// # Ok::<(), multiproc::Error>(())
/// ```
#[derive(Debug)]
pub struct Descriptor {
    inner: ParentEnd<OwnedFd>,
}

impl Descriptor {
    /// Takes anything that owns a descriptor.
    #[must_use]
    pub fn new(file: impl Into<OwnedFd>) -> Self {
        Self { inner: ParentEnd::new(file.into()) }
    }

    /// Whether this process has made it, and was not forked from the one that has.
    #[inline]
    pub(super) fn is_of_this_process(&self) -> bool {
        self.inner.is_of_this_process()
    }

    /// The descriptor, to make what it is of it.
    #[must_use]
    pub fn into_owned_fd(self) -> OwnedFd {
        self.inner.into_inner()
    }

    /// The descriptor as a file.
    #[must_use]
    pub fn into_file(self) -> File {
        self.into_owned_fd().into()
    }
}

impl<F: Into<OwnedFd>> From<F> for Descriptor {
    fn from(file: F) -> Self {
        Self::new(file)
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// As the place of the descriptor among those that go with the value.
impl Serialize for Descriptor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        codec::attach::<S::Error>(&self.inner)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Descriptor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        codec::detach(u32::deserialize(deserializer)?).map(Self::new)
    }
}
