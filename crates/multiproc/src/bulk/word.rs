//! The words of the protocol of [claims](super::claims): atomics. In a model
//! whoever uses one may die before each access.

#[cfg(not(loom))]
pub(super) use crate::atomic::AtomicU64 as Word;
#[cfg(loom)]
pub(super) use mortal::Word;

#[cfg(loom)]
mod mortal {
    use crate::atomic::{AtomicU64, Ordering};

    #[derive(Debug)]
    #[repr(transparent)]
    pub(in crate::bulk) struct Word(AtomicU64);

    impl Word {
        pub(in crate::bulk) fn new(value: u64) -> Self {
            Self(AtomicU64::new(value))
        }

        pub(in crate::bulk) fn load(&self, order: Ordering) -> u64 {
            breaking_point();
            self.0.load(order)
        }

        pub(in crate::bulk) fn store(&self, value: u64, order: Ordering) {
            breaking_point();
            self.0.store(value, order);
        }

        pub(in crate::bulk) fn compare_exchange(
            &self,
            old: u64,
            new: u64,
            success: Ordering,
            failure: Ordering,
        ) -> Result<u64, u64> {
            breaking_point();
            self.0.compare_exchange(old, new, success, failure)
        }
    }

    #[cfg(not(test))]
    fn breaking_point() {}

    #[cfg(test)]
    use crate::bulk::model::breaking_point;
}
