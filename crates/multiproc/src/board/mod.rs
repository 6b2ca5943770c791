//! Jobs in shared memory, claimed task by task without a lock.
//!
//! The protocol, and what happens when either side dies, is in the README of
//! this folder.

mod array;
mod claim;
mod layout;
mod member;
mod owner;
mod stretch;

pub use array::{BoardArray, RegionId};
pub use owner::Board;
pub use stretch::Stretch;
