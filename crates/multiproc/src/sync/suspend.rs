//! Guards that give their lock back for a while.

use super::{
    OwnerDied,
    lock_id::LockId,
    mutex::{Acquired, RobustMutex},
};

/// A guard that can give its lock back and take it again.
pub(super) trait Suspend: Sized {
    /// What is left of it in the meantime.
    type Suspended: Suspended<Guard = Self>;

    /// Whose guard it is.
    fn lock_id(&self) -> LockId;

    /// Gives the lock back, altogether if it is recursive. The guard's other
    /// copies do not have it either until it is taken again.
    fn suspend(self) -> Self::Suspended;
}

/// A guard whose lock is given back.
pub(super) trait Suspended {
    /// What it was.
    type Guard;

    /// What is to be taken again.
    fn mutex(&self) -> &RobustMutex;

    /// Takes the lock again, however long that takes, unless the caller has
    /// `taken` the mutex already.
    fn resume(self, taken: Option<Acquired>) -> Result<Self::Guard, OwnerDied<Self::Guard>>;
}
