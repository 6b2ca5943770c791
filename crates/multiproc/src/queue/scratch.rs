//! A buffer that each thread keeps for the bytes of its items, so that small
//! ones need no allocation.

use std::cell::Cell;

/// A larger buffer is given back.
const MOST_KEPT: usize = 1 << 20;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls `use_it` with an empty buffer. If that calls this again (an item's
/// own `Serialize` may use a queue), there it is another one.
pub(super) fn with<R>(use_it: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = BUFFER.take();
    let result = use_it(&mut buffer);
    if buffer.capacity() <= MOST_KEPT {
        buffer.clear();
        BUFFER.set(buffer);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_buffers_are_kept_and_large_ones_are_not() {
        with(|buffer| buffer.extend_from_slice(&[1; 100]));
        with(|buffer| {
            assert!(buffer.is_empty() && buffer.capacity() >= 100);
            with(|inner| assert_eq!(inner.capacity(), 0));
            buffer.reserve(MOST_KEPT + 1);
        });
        with(|buffer| assert_eq!(buffer.capacity(), 0));
    }
}
