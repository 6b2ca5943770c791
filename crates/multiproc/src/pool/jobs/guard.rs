//! Users' code that runs while the table is locked.

use crate::{Error, Result};

/// Runs what may be a user's code, `Serialize` or `Deserialize`: its panic is
/// an error of the value.
pub(crate) fn guard<R>(coding: impl FnOnce() -> Result<R>) -> Result<R> {
    // Unwind safe: the value counts as neither encoded nor decoded.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(coding)).unwrap_or_else(|_| {
        Err(Error::Encode { type_name: "value", why: "its serde implementation panicked".into() })
    })
}
