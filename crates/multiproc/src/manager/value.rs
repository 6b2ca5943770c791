//! A single value, and a counter, in a manager.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Portable, Proxy};
use crate::Result;

/// A `T` in a [`Manager`](super::Manager), used by several processes.
///
/// With a struct for `T` it is what Python calls a namespace.
///
/// # Errors
///
/// All methods fail as [`Proxy::call`] does.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "T: Portable")]
pub struct ValueProxy<T> {
    value: Proxy<T>,
}

#[allow(clippy::missing_errors_doc, reason = "told once, for the type")]
impl<T: Portable> ValueProxy<T> {
    pub(super) fn new(value: Proxy<T>) -> Self {
        Self { value }
    }

    /// A copy of the value.
    pub fn get(&self) -> Result<T> {
        self.value.call(|value, ()| value.clone(), ())
    }

    /// Replaces the value.
    pub fn set(&self, value: T) -> Result<()> {
        self.value.call(|old, new: T| *old = new, value)
    }

    /// Changes the value by a function that nothing comes between, and returns
    /// what that returns; see [`Proxy::call`].
    pub fn update<A, R, F>(&self, f: F, arguments: A) -> Result<R>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
        F: Fn(&mut T, A) -> R + Copy + Send + 'static,
    {
        self.value.call(f, arguments)
    }

    /// The proxy of the `T`.
    #[must_use]
    pub fn proxy(&self) -> &Proxy<T> {
        &self.value
    }
}

impl<T> Clone for ValueProxy<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone() }
    }
}

impl<T> fmt::Debug for ValueProxy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ValueProxy").field(&self.value).finish()
    }
}

/// A number in a [`Manager`](super::Manager) that several processes add to.
///
/// # Errors
///
/// All methods fail as [`Proxy::call`] does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CounterProxy {
    count: Proxy<i64>,
}

#[allow(clippy::missing_errors_doc, reason = "told once, for the type")]
impl CounterProxy {
    pub(super) fn new(count: Proxy<i64>) -> Self {
        Self { count }
    }

    /// Adds `amount` and returns the sum, which wraps around at the ends of
    /// the numbers of 64 bits.
    pub fn add(&self, amount: i64) -> Result<i64> {
        self.count.call(
            |count, amount: i64| {
                *count = count.wrapping_add(amount);
                *count
            },
            amount,
        )
    }

    /// What it has come to.
    pub fn get(&self) -> Result<i64> {
        self.count.call(|count, ()| *count, ())
    }
}
