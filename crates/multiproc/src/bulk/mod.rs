//! Bulk jobs of shared-memory pools: arrays that workers share, worked on chunk
//! by chunk. See README.md.

mod array;
mod attic;
mod board;
mod calls;
mod claims;
mod halls;
mod helping;
mod job;
#[cfg(all(test, loom))]
mod model;
mod participations;
mod record;
mod region;
mod strip;
mod ticket;
mod word;

pub use array::PoolArray;
pub(crate) use attic::{clear as clear_attic, forget, keep};
pub(crate) use halls::Halls;
pub(crate) use region::{Region, RegionId, Wanted, version};
pub(crate) use strip::Strip;
pub(crate) use ticket::Participant;
