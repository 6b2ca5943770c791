//! Synchronisation between processes.

mod barrier;
mod bounded_semaphore;
mod condition;
mod event;
mod gathering;
mod lock;
mod lock_id;
mod monitor;
pub(crate) mod mutex;
mod owner_died;
mod parties;
mod permits;
mod phase;
mod rlock;
mod semaphore;
pub(crate) mod spin;
#[cfg(test)]
mod stopped;
mod suspend;
pub(crate) mod wait_queue;
mod waiters;

pub use barrier::Barrier;
pub use bounded_semaphore::BoundedSemaphore;
pub use condition::{Condition, ConditionGuard, ConditionLock};
pub use event::Event;
pub use lock::{Lock, LockGuard};
pub use owner_died::{AcquireError, OwnerDied};
pub use phase::WhyBroken;
pub use rlock::{RLock, RLockGuard};
pub use semaphore::{Permit, Semaphore};
