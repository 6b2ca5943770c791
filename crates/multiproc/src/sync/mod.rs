//! Synchronisation between processes.

mod event;
mod lock;
pub(crate) mod mutex;
mod owner_died;
pub(crate) mod spin;
pub(crate) mod wait_queue;

pub use event::Event;
pub use lock::{Lock, LockGuard};
pub use owner_died::{AcquireError, OwnerDied};
