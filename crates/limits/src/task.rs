//! What the contestants execute, the same for all of them.

/// The trivial task: next to nothing, so that its time is its dispatch's.
pub(crate) fn square(x: u64) -> u64 {
    x.wrapping_mul(x)
}

/// A task whose time is in proportion to `steps`: each needs the result of the
/// one before, and no algebra joins two of them (a product of products would be
/// one product).
#[must_use]
pub fn chain(mut x: u64, steps: u64) -> u64 {
    for _ in 0..steps {
        x = (x ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    }
    x
}

/// Bits of a packed task that are its input.
const INPUT_BITS: u32 = 40;

/// Input and steps as one number, so that a task is as large as a trivial one.
pub(crate) const fn pack(input: u64, steps: u64) -> u64 {
    steps << INPUT_BITS | (input & ((1 << INPUT_BITS) - 1))
}

/// [`chain`] of what [`pack`] has joined.
pub(crate) fn packed_chain(packed: u64) -> u64 {
    chain(packed, packed >> INPUT_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_task_is_the_chain_of_its_steps() {
        let packed = pack(7, 3);
        assert_eq!(packed_chain(packed), chain(packed, 3));
        assert_ne!(packed_chain(packed), chain(packed, 2));
    }
}
