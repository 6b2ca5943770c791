//! The regions that this process, a worker, has got from its parent.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::region::RegionId;
use crate::{Error, SharedMemory};

/// What has become of a region that came: mapped, or why not.
type Kept = Result<SharedMemory, String>;

static ATTIC: Mutex<BTreeMap<RegionId, Kept>> = Mutex::new(BTreeMap::new());

fn attic() -> MutexGuard<'static, BTreeMap<RegionId, Kept>> {
    // The map is whole between any two statements.
    ATTIC.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Forgets all regions. A worker that was forked from another one has
/// inherited that one's.
pub(crate) fn clear() {
    attic().clear();
}

pub(crate) fn keep(id: RegionId, memory: Result<SharedMemory, Error>) {
    attic().insert(id, memory.map_err(|error| error.to_string()));
}

pub(crate) fn forget(id: RegionId) {
    attic().remove(&id);
}

/// A region that the parent has sent.
pub(super) fn find(id: RegionId) -> Result<SharedMemory, String> {
    let unknown = || Err(format!("region {} has not come", id.0));
    attic().get(&id).cloned().unwrap_or_else(unknown)
}
